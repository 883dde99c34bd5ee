/**
 * What this hop says of itself: to the origin, where the request came from and over whom; to the client, over whom the answer came.
 */
import { forwardedAddress, forwardedPair } from '../../wire/forwarded.ts'
import { headerValues, withoutFields, type HeaderList, type RequestHead } from '../../wire/http1/message.ts'
import { canonicalAuthority, portAsked } from '../caching/keys/authority.ts'
import type { Client } from '../client.ts'
import type { Peer } from './peer.ts'

/** Which fields tell the origin about the client. */
export type ForwardedMode = 'x-forwarded' | 'rfc7239' | 'both' | 'none'

/** How this program is called in `Via` and `CDN-Loop`. */
const PSEUDONYM = 'orla'

/** RFC 8586: the same for all workers of a node, and another one on every node, so that chains of nodes are no loops. */
export const loopMark = (nodeIdentity: string): string => `${PSEUDONYM}; node=${nodeIdentity}`

/** It has been here before. Call it where the head has forwarding fields. */
export function isLoop(headers: HeaderList, mark: string): boolean {
  return headerValues(headers, 'cdn-loop')?.includes(mark) ?? false
}

/** RFC 9110 §7.6.3: the version that the message came in, and by whom it was received. */
export const viaMember = (minor: 0 | 1): string => `1.${minor} ${PSEUDONYM}`
const VIA_HTTP2 = `2.0 ${PSEUDONYM}`

/** What is known where a request goes on to its origin. */
export interface Onward {
  readonly head: RequestHead
  readonly peer: Peer
  readonly client: Client
  readonly mode: ForwardedMode
  readonly loopMark: string
  /** Units changed the request's fields, so that there may be some among them that the client did not send. */
  readonly isEdited: boolean
  /**
   * The answer may be kept for others: the origin is told host and port as the key has them, and not as this client happened to write
   * the one, or to find the other.
   */
  readonly isKeyed: boolean
}

/** Adds the fields of this hop to those of the request, in lower case, that end-to-end ones are left of. */
export function addHopFields(headers: string[], onward: Onward): string[] {
  const { head, mode } = onward
  const hasMore = head.hasForwarding || onward.isEdited
  const list = hasMore ? withoutFields(headers, (name) => OURS.has(name)) : headers
  const chain = hasMore ? chainOf(headers) : NO_CHAIN
  if (mode === 'x-forwarded' || mode === 'both') addXForwarded(list, onward, chain)
  if (mode === 'rfc7239' || mode === 'both') list.push('forwarded', forwardedValue(onward, chain))
  const via = head.protocol === undefined ? viaMember(head.minor) : VIA_HTTP2
  list.push('via', via, 'cdn-loop', onward.loopMark)
  return list
}

/** What trusted proxies, or units, said already. */
interface Chain {
  readonly for?: string | undefined
  readonly proto?: string | undefined
  readonly host?: string | undefined
  readonly port?: string | undefined
  readonly forwarded?: string | undefined
}

const NO_CHAIN: Chain = {}

const chainOf = (headers: HeaderList): Chain => ({
  for: headerValues(headers, 'x-forwarded-for'),
  proto: headerValues(headers, 'x-forwarded-proto'),
  host: headerValues(headers, 'x-forwarded-host'),
  port: headerValues(headers, 'x-forwarded-port'),
  forwarded: headerValues(headers, 'forwarded'),
})

/** Fields that are written anew, or not at all: of the two families only what the site chose reaches its origin. */
const OURS = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'forwarded',
])

function addXForwarded(list: string[], onward: Onward, chain: Chain): void {
  const { peer, client } = onward
  const { address } = peer.client
  const before = chain.for ?? (client === peer.client ? undefined : client.address)
  list.push('x-forwarded-for', before === undefined ? address : `${before}, ${address}`)
  list.push('x-forwarded-proto', chain.proto ?? client.scheme)
  const host = chain.host ?? client.forwardedHost ?? hostAsked(onward)
  if (host !== '') list.push('x-forwarded-host', host)
  list.push('x-forwarded-port', chain.port ?? askedPort(onward))
}

/** The port that the client connected to; where a proxy took the connection, the one that host and scheme tell. */
function askedPort(onward: Onward): string {
  const { head, peer, client } = onward
  if (onward.isKeyed) return String(portAsked(client.forwardedHost ?? hostAsked(onward), client.scheme))
  if (client.scheme === peer.client.scheme) return String(peer.localPort)
  const named = /:(\d+)$/.exec(client.forwardedHost ?? head.authority)?.[1]
  return named ?? (client.scheme === 'https' ? '443' : '80')
}

function hostAsked({ head, client, isKeyed }: Onward): string {
  return isKeyed ? canonicalAuthority(head, client.scheme) : head.authority
}

function forwardedValue(onward: Onward, chain: Chain): string {
  const { peer, client } = onward
  const own = forwardedElement(peer.client, hostAsked(onward))
  // A proxy that speaks the other family told us of the client: the chain begins with him.
  const before =
    chain.forwarded ??
    (client === peer.client ? undefined : forwardedElement(client, client.forwardedHost ?? ''))
  return before === undefined ? own : `${before}, ${own}`
}

function forwardedElement({ address, scheme }: Client, host: string): string {
  const of = forwardedPair('for', forwardedAddress(address))
  return `${of}${host === '' ? '' : `;${forwardedPair('host', host)}`};proto=${scheme}`
}
