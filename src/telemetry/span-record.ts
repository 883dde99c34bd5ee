/** A span in the shape that OTLP has in JSON. */
import type { Span, SpanKind } from '../contract/telemetry.ts'
import { keyValues, nanos } from './otlp-messages.ts'

const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3 }
const STATUS_ERROR = 2

/** Bits 8 and 9 of `flags`: it is known whether the parent is elsewhere, and it is. Bit 0: sampled. */
const LOCAL_PARENT = 0x101
const REMOTE_PARENT = 0x301

export function spanRecord(span: Span): object {
  const { traceId, spanId, parentSpanId, traceState, name, kind, startUs, endUs, error, events, links } = span
  return {
    traceId,
    spanId,
    ...(traceState !== '' && { traceState }),
    ...(parentSpanId !== undefined && { parentSpanId }),
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanos(startUs),
    // A clock that was set back must not make it end before it began.
    endTimeUnixNano: nanos(Math.max(startUs, endUs)),
    attributes: keyValues(span.attributes),
    ...(events.length > 0 && {
      events: events.map((event) => ({
        timeUnixNano: nanos(event.atUs),
        name: event.name,
        attributes: keyValues(event.attributes),
      })),
    }),
    ...(links.length > 0 && { links }),
    ...(error !== undefined && {
      status: { ...(error !== '' && { message: error }), code: STATUS_ERROR },
    }),
    flags: span.isParentRemote ? REMOTE_PARENT : LOCAL_PARENT,
  }
}
