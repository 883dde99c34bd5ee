/** The headers of an answer as they are looked at from here on. */
import type { OriginCall } from '../contract/origin.ts'
import { headerValue, type ResponseHead } from '../wire/http1/message.ts'
import { endToEndHeaders } from '../wire/http1/serialise.ts'
import { viaMember } from './forwarding/hop.ts'
import { httpDate } from './http-date.ts'
import type { Exchange } from './exchange.ts'

/** `isStandIn`: a unit answered in the origin's place, so nothing was passed on. */
export function arrivedHeaders(head: ResponseHead, nowMs: number, isStandIn: boolean): string[] {
  const headers = endToEndHeaders(head.headers, head.nominated)
  // RFC 9110 §6.6.1: a recipient with a clock adds the date that is missing.
  if (headerValue(headers, 'date') === undefined) headers.push('date', httpDate(nowMs))
  if (!isStandIn) headers.push('via', viaMember(head.minor))
  return headers
}

/** How long it took, and whom: for metrics and units. */
export function noteTiming(exchange: Exchange, { connectMs, responseMs, endpoint }: OriginCall): void {
  exchange.timing = { upstreamConnectMs: connectMs, upstreamResponseMs: responseMs }
  exchange.upstream = endpoint
  exchange.node.metrics.countOrigin(connectMs, responseMs)
}
