/** A request as it goes on to the origin: its fields and target, before `origin` units and the cache have their say. */
import type { OriginRequest } from '../contract/origin.ts'
import { withoutFields, type HeaderList } from '../wire/http1/message.ts'
import { endToEndHeaders } from '../wire/http1/serialise.ts'
import { onwardTarget } from './cache-key.ts'
import { canonicalAuthority } from './caching/keys/authority.ts'
import { deviceOf } from './caching/keys/device.ts'
import { editHeaders, type RequestEdits } from './edits.ts'
import type { Exchange } from './exchange.ts'
import { addHopFields } from './forwarding/hop.ts'
import { maxForwards } from './forwarding/max-forwards.ts'
import { requestIdOf } from './request-id.ts'
import { asksForPlain } from './sites.ts'
import { traceOf, traceParentText } from './trace-context.ts'

export function onwardHeaders(exchange: Exchange): string[] {
  const { head, connection, client, node } = exchange
  const headers = forTheOrigin(endToEndHeaders(exchange.headers, head.nominated), wantsPlain(exchange))
  if (node.requestId.origin) replace(headers, 'x-request-id', requestIdOf(exchange))
  const forwards = maxForwards(head)
  if (forwards !== undefined) replace(headers, 'max-forwards', String(forwards - 1))
  const trace = traceOf(exchange)
  if (trace !== undefined) {
    replace(headers, 'traceparent', traceParentText(trace))
    // W3C Trace Context §3.3: it says more of a trace that is continued, and nothing of another.
    if (trace.parentSpanId === undefined) remove(headers, 'tracestate')
  }
  const site = exchange.site!
  return addHopFields(site.isUnkeyed === undefined ? headers : keyedHeaders(headers, exchange), {
    head,
    isKeyed: site.isUnkeyed !== undefined,
    peer: connection.peer!,
    client,
    mode: site.forwarded,
    loopMark: node.loopMark,
    isEdited: exchange.staged.request !== undefined,
  })
}

/**
 * Of a site with a cache: without what would change its answers and is in no key, but for what units put there; they see what clients
 * sent, and answer for what they make of it. `Host` is as the key has it: origins write links with it, and redirect to another spelling.
 */
function keyedHeaders(headers: string[], { site, staged, head, client }: Exchange): string[] {
  const { isUnkeyed, config } = site!
  const set = staged.request?.headers.filter(({ kind }) => kind !== 'delete').map(({ name }) => name) ?? []
  const kept = withoutFields(headers, (name) => isUnkeyed!(name) && !set.includes(name))
  if (config.cache!.key.device) replace(kept, 'orla-device', deviceOf(headers))
  for (let i = 0; i < kept.length && !set.includes('host'); i += 2)
    if (kept[i] === 'host') kept[i + 1] = canonicalAuthority(head, client.scheme)
  return kept
}

/** Filters read plain bodies. */
const wantsPlain = ({ plan, site }: Exchange): boolean =>
  plan.bodyFilter.length > 0 || asksForPlain(site!.config)

function replace(headers: string[], name: string, value: string): void {
  remove(headers, name)
  headers.push(name, value)
}

function remove(headers: string[], name: string): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (headers[i] === name) headers.splice(i, 2)
}

/** What is asked of the origin, but for a body. `headers`: as they go on; `edits`: what `origin` units changed. */
export const askedOf = (
  exchange: Exchange,
  headers: HeaderList,
  edits: RequestEdits | undefined,
): Pick<OriginRequest, 'method' | 'target' | 'headers' | 'client' | 'endpoint'> => ({
  method: edits?.method ?? exchange.method,
  target: edits === undefined ? onwardTarget(exchange) : editTarget(onwardTarget(exchange), edits),
  headers: edits === undefined ? headers : editHeaders(headers, edits.headers),
  client: exchange.client,
  endpoint: edits?.endpoint,
})

/** Path and query, with what is changed of them. */
function editTarget(target: string, { path, query }: RequestEdits): string {
  const mark = target.indexOf('?')
  const before = mark < 0 ? target : target.slice(0, mark)
  const asked = query ?? (mark < 0 ? '' : target.slice(mark + 1))
  return asked === '' ? (path ?? before) : `${path ?? before}?${asked}`
}

/**
 * Without what is between the client and the edge alone: the client is told to go on when its body is read, so the origin is not asked
 * whether it would; and the debug token is nobody else's. What is filtered or compressed here is asked for plain.
 */
function forTheOrigin(headers: string[], wantsPlain: boolean): string[] {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const name = headers[i]
    if (name === 'expect' || name === 'orla-debug' || (wantsPlain && name === 'accept-encoding'))
      headers.splice(i, 2)
  }
  if (wantsPlain) headers.push('accept-encoding', 'identity')
  return headers
}
