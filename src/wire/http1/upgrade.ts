/**
 * What a request means that asks for another protocol (RFC 9110 §7.8, and RFC 6455 for WebSockets).
 *
 * After the switch nobody between the two ends understands a byte, so the request is read as strictly as framing is. Protocols that
 * are HTTP again (`h2c`, `HTTP/2.0`) or hide it (`TLS/1.2`) are never asked for: a second HTTP connection inside of this one would
 * pass every rule by.
 */
import { headerValues, type RequestHead } from './message.ts'

export type UpgradeRequest =
  /** The protocols to ask the origin for, as in the field. */
  | { readonly kind: 'upgrade'; readonly protocols: string }
  /** It is answered like any other request. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'refused'; readonly status: 400 | 426; readonly reason: string }

const IGNORED: UpgradeRequest = { kind: 'ignored' }
const bad = (reason: string): UpgradeRequest => ({ kind: 'refused', status: 400, reason })

const PROTOCOL = /^[\w!#$%&'*+.^`|~-]+(?:\/[\w!#$%&'*+.^`|~-]+)?$/
/** Sixteen bytes in base64. */
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/

export const WEBSOCKET_VERSION = '13'

/** `method` is the request's as units left it. Call it where the head asks for an upgrade. */
export function readUpgrade(head: RequestHead, method: string): UpgradeRequest {
  const names = protocolsOf(head.upgrade ?? '')
  if (names === undefined) return bad('malformed Upgrade')
  const wanted = names.filter((name) => !isHttpAgain(name))
  if (wanted.length === 0) return IGNORED
  const hasBody =
    head.framing.kind !== 'none' && !(head.framing.kind === 'length' && head.framing.bytes === 0)
  if (wanted.some((name) => name.toLowerCase() === 'websocket')) {
    if (method !== 'GET') return bad('a WebSocket is asked for with GET')
    if (hasBody) return bad('a request for a WebSocket with a body')
    const key = headerValues(head.headers, 'sec-websocket-key')
    if (key === undefined || !WEBSOCKET_KEY.test(key)) return bad('malformed Sec-WebSocket-Key')
    if (headerValues(head.headers, 'sec-websocket-version') !== WEBSOCKET_VERSION)
      return { kind: 'refused', status: 426, reason: `WebSockets are spoken in version ${WEBSOCKET_VERSION}` }
  } else if (hasBody) {
    return IGNORED
  }
  return { kind: 'upgrade', protocols: wanted.join(', ') }
}

/** Did the origin switch to what was asked for? `asked` is as in `UpgradeRequest`. */
export function isSwitchTo(
  asked: string,
  response: { readonly headers: readonly string[]; readonly nominated: readonly string[] },
): boolean {
  const names = protocolsOf(headerValues(response.headers, 'upgrade') ?? '')
  if (names === undefined || names.length === 0 || !response.nominated.includes('upgrade')) return false
  const offered = asked.toLowerCase().split(', ')
  return names.every((name) => offered.includes(name.toLowerCase()))
}

/** Undefined where it is not a list of protocols. */
function protocolsOf(value: string): string[] | undefined {
  const names: string[] = []
  for (const part of value.split(',')) {
    const name = part.replace(/^[\t ]+|[\t ]+$/g, '')
    if (name === '') continue
    if (!PROTOCOL.test(name)) return undefined
    names.push(name)
  }
  return names
}

function isHttpAgain(protocol: string): boolean {
  const name = protocol.toLowerCase().replace(/\/.*/, '')
  return name === 'h2c' || name === 'h2' || name === 'http' || name === 'tls'
}
