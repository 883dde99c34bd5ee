/** Reads `traceparent` (W3C Trace Context §3.2): which trace a request belongs to, and under which span. */

import { headerValues, type RequestHead } from '../wire/http1/message.ts'
import type { LoggedRequest } from './access-log/logged-request.ts'
import type { Exchange } from './exchange.ts'
import { randomHex } from './request-id.ts'

const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/

export interface TraceParent {
  readonly traceId: string
  readonly spanId: string
  readonly isSampled: boolean
}

/** Undefined where there is none, or one that is not valid: then the request starts a trace of its own. */
function parseTraceParent(text: string | undefined): TraceParent | undefined {
  if (text === undefined) return undefined
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text) ?? []
  if (traceId === undefined || (text.startsWith('00') && text.length !== 55)) return undefined
  return { traceId, spanId: spanId!, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 }
}

/** This hop's place in a trace. */
export interface TraceContext {
  readonly traceId: string
  /** Of this hop: what the origin continues. */
  readonly spanId: string
  /** Of the hop before; undefined where the trace begins here. */
  readonly parentSpanId: string | undefined
  readonly isSampled: boolean
  /** `tracestate` of a trace that is continued; empty where there is none. */
  readonly state: string
}

/**
 * This hop in the trace that a trusted proxy brings, or in one that begins here: a stranger's would have us note what he likes. Always the
 * same for a request; undefined where the configuration has the node take no part.
 */
export function traceOf(exchange: Exchange): TraceContext | undefined {
  const { traceSample, tracer } = exchange.node
  if (exchange.trace !== undefined || traceSample === undefined) return exchange.trace
  // Where spans are noted it was decided at the start, and of those that are not sampled nothing was kept.
  const isSampled = tracer === undefined && Math.random() < traceSample
  return (exchange.trace = continuedTrace(exchange) ?? newTrace(isSampled))
}

/** What a request says of its trace. Said twice it is not valid: a client could stand before a proxy that adds its own. */
export const claimedParent = ({ headers }: RequestHead): TraceParent | undefined =>
  parseTraceParent(headerValues(headers, 'traceparent'))

/** W3C Trace Context §3.3.1.5: a longer list need not be passed on. */
const STATE_MAX = 512

/** As this hop of the trace that a trusted proxy brings. */
export function continuedTrace({
  connection,
  head,
}: Pick<LoggedRequest, 'connection' | 'head'>): TraceContext | undefined {
  if (head === undefined || connection.peer?.isTrusted !== true) return undefined
  const parent = claimedParent(head)
  if (parent === undefined) return undefined
  const state = headerValues(head.headers, 'tracestate') ?? ''
  return {
    traceId: parent.traceId,
    spanId: randomHex(8),
    parentSpanId: parent.spanId,
    isSampled: parent.isSampled,
    state: state.length > STATE_MAX ? '' : state,
  }
}

export const newTrace = (isSampled: boolean): TraceContext => ({
  traceId: randomHex(16),
  spanId: randomHex(8),
  parentSpanId: undefined,
  isSampled,
  state: '',
})

/** The field for the origin, in the version that everybody reads. */
export const traceParentText = ({
  traceId,
  spanId,
  isSampled,
}: Pick<TraceContext, 'traceId' | 'spanId' | 'isSampled'>): string =>
  `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
