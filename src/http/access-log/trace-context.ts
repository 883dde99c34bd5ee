/** Reads `traceparent` (W3C Trace Context §3.2): which trace a request belongs to, and under which span. */

const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/

export interface TraceParent {
  readonly traceId: string
  readonly spanId: string
  readonly isSampled: boolean
}

/** Undefined where there is none, or one that is not valid: then the request starts a trace of its own. */
export function parseTraceParent(text: string | undefined): TraceParent | undefined {
  if (text === undefined) return undefined
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text) ?? []
  if (traceId === undefined || (text.startsWith('00') && text.length !== 55)) return undefined
  return { traceId, spanId: spanId!, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 }
}

/** Empty where there is none. */
export const traceIdOf = (text: string | undefined): string => parseTraceParent(text)?.traceId ?? ''
