/**
 * What spans tell of a request, by the semantic conventions for HTTP
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/); what is ours alone begins with `orla.`.
 *
 * All of it comes from clients: texts are cut, and read as UTF-8 where they are, else byte by byte.
 */
import type { AttributeValue } from '../../contract/telemetry.ts'
import { headerValue } from '../../wire/http1/message.ts'
import { textOf } from '../access-log/escape.ts'
import type { Exchange } from '../exchange.ts'
import { requestIdOf } from '../request-id.ts'

/** Characters of a text, at most. */
const TEXT_MAX = 1024

/** Those of RFC 9110 and RFC 5789; a method that somebody made up must not become a name of its own. */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
])

const isKnown = (method: string): boolean => METHODS.has(method)

/** Without a route there is nothing else that tells few kinds of requests apart. */
export const spanName = (method: string): string => (isKnown(method) ? method : 'HTTP')

/** A text of ours, or of a unit. */
export const cut = (text: string): string => text.slice(0, TEXT_MAX).toWellFormed()

/** A text as received, with a character a byte. */
export const received = (text: string): string => cut(/[^\x00-\x7f]/.test(text) ? textOf(text) : text)

export function methodAttributes(method: string): AttributeValue[] {
  if (isKnown(method)) return ['http.request.method', method]
  return ['http.request.method', '_OTHER', 'http.request.method_original', received(method)]
}

/** `server.address` and `server.port` of `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`. */
export function serverAttributes(authority: string, defaultPort: number): AttributeValue[] {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(authority) ?? []
  const host = bracketed ?? plain ?? ''
  if (host === '') return []
  return ['server.address', received(host), 'server.port', port === undefined ? defaultPort : Number(port)]
}

/** Of a unit's `fetch`: `url` as it was asked, `result` a status or the code of an error. */
export function fetchAttributes(method: string, url: string, result: string): AttributeValue[] {
  const parsed = URL.parse(url)
  // What could not be read was not sent.
  if (parsed === null) return []
  const { host, protocol } = parsed
  const attributes = methodAttributes(method)
  attributes.push(...serverAttributes(host, protocol === 'https:' ? 443 : 80), 'url.full', url)
  if (/^\d{3}$/.test(result)) attributes.push('http.response.status_code', Number(result))
  return attributes
}

/** Of the span of a request that is over. */
export function requestAttributes(exchange: Exchange, withQuery: boolean): AttributeValue[] {
  const { head, client, connection, answered, site, cacheResult, limit } = exchange
  const { ends } = connection
  const userAgent = headerValue(head.headers, 'user-agent')
  const attributes: AttributeValue[] = [
    ...methodAttributes(head.method),
    'url.scheme',
    client.scheme,
    'url.path',
    received(head.path),
    ...serverAttributes(client.forwardedHost ?? head.authority, client.scheme === 'https' ? 443 : 80),
    'client.address',
    client.address,
    'network.peer.address',
    ends.address,
    'network.peer.port',
    ends.port,
    'network.protocol.version',
    protocolVersion(head),
    'orla.request.id',
    requestIdOf(exchange),
  ]
  if (withQuery && head.query !== '') attributes.push('url.query', received(head.query))
  if (userAgent !== undefined) attributes.push('user_agent.original', received(userAgent))
  if (answered !== undefined)
    attributes.push('http.response.status_code', answered.status, 'orla.source', answered.source)
  if (site !== undefined) attributes.push('orla.site', site.name)
  if (cacheResult !== '') attributes.push('orla.cache', cacheResult)
  if (limit !== '') attributes.push('orla.limit', limit)
  return attributes
}

/** `1.0`, `1.1` or `2`. */
function protocolVersion(head: { readonly minor: number; readonly protocol?: string }): string {
  if (head.protocol === undefined) return head.minor === 1 ? '1.1' : '1.0'
  return head.protocol.replace(/^HTTP\//, '').replace(/\.0$/, '')
}
