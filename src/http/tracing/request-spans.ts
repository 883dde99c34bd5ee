/**
 * The spans of one sampled request: one for all of it, and below that one for each run of a unit, for what units asked of the node, and for
 * each request to the origin (`origin-span.ts`).
 *
 * Each goes to the sink when it is over; the request's own goes when its answer is out, while the origin's may go on for others. Units that
 * travelled together share a beginning and an end, as they are measured together.
 */
import type { CallTrace } from '../../contract/host-calls.ts'
import type {
  AttributeValue,
  Span,
  SpanEvent,
  SpanKind,
  SpanLink,
  SpanSink,
} from '../../contract/telemetry.ts'
import { versionKey, type Phase, type UnitVersion } from '../../contract/unit.ts'
import type { Exchange } from '../exchange.ts'
import { randomHex } from '../request-id.ts'
import { claimedParent, continuedTrace, newTrace, type TraceContext } from '../trace-context.ts'
import { cut, fetchAttributes, requestAttributes, spanName } from './span-attributes.ts'

/** Spans below that of a request, at most. */
const CHILDREN_MAX = 128

/** Begins to note spans where the request is sampled: as a trusted proxy decided, else by chance. */
export function beginSpans(exchange: Exchange, sink: SpanSink): void {
  const continued = continuedTrace(exchange)
  if (continued !== undefined) exchange.trace = continued
  else if (Math.random() < sink.sample) exchange.trace = newTrace(true)
  if (exchange.trace?.isSampled === true) exchange.spans = new RequestSpans(exchange, exchange.trace, sink)
}

export interface UnitRun {
  readonly unit: UnitVersion
  readonly phase: Phase
  /** `next`, a status, or why it failed. */
  readonly result: string
  readonly cpuUs: number
  /** What it failed with, in words. */
  readonly failure: string | undefined
}

/** A journey through units, as far as spans tell of it. */
interface Trip {
  readonly startedMs: number
  calls: readonly CallTrace[]
}

/** What a span below the request's is made of. Times on the monotonic clock. */
export interface Child {
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: SpanKind
  readonly startMs: number
  readonly endMs: number
  readonly attributes: readonly AttributeValue[]
  readonly error?: string | undefined
  readonly events?: readonly SpanEvent[]
}

const NO_EVENTS: readonly SpanEvent[] = []
const NO_LINKS: readonly SpanLink[] = []

export class RequestSpans {
  readonly trace: TraceContext
  /** Why the request failed, in one word: told where it did. */
  failure: string | undefined
  private readonly exchange: Exchange
  private readonly sink: SpanSink
  /** Milliseconds since 1970 at which the monotonic clock was 0. */
  private readonly epochMs: number
  private left = CHILDREN_MAX
  private missing = 0
  private isOver = false
  /** Pieces of bodies, by the unit that filters them: one span for all. */
  private filters: Map<string, FilterRuns> | undefined

  constructor(exchange: Exchange, trace: TraceContext, sink: SpanSink) {
    this.exchange = exchange
    this.trace = trace
    this.sink = sink
    this.epochMs = exchange.node.now() - exchange.startedMs
  }

  get withQuery(): boolean {
    return this.sink.query
  }

  nowMs(): number {
    return this.exchange.node.monotonic()
  }

  unixUs(monotonicMs: number): number {
    return Math.round((this.epochMs + monotonicMs) * 1000)
  }

  child(child: Child): void {
    if (this.left === 0) {
      this.missing += 1
      return
    }
    this.left -= 1
    const { trace } = this
    this.sink.add({
      traceId: trace.traceId,
      spanId: child.spanId,
      parentSpanId: child.parentSpanId ?? trace.spanId,
      isParentRemote: false,
      traceState: trace.state,
      name: child.name,
      kind: child.kind,
      startUs: this.unixUs(child.startMs),
      endUs: this.unixUs(child.endMs),
      attributes: child.attributes,
      error: child.error,
      events: child.events ?? NO_EVENTS,
      links: NO_LINKS,
    })
  }

  unitRan(trip: Trip, run: UnitRun): void {
    const endMs = this.nowMs()
    if (run.failure !== undefined) this.failure = `unit-${run.result}`
    if (run.phase === 'bodyFilter' && run.failure === undefined) {
      this.filtered(trip, run, endMs)
      return
    }
    this.unitSpan(run, endMs, trip)
  }

  private filtered(trip: Trip, run: UnitRun, endMs: number): void {
    const key = versionKey(run.unit)
    const filters = (this.filters ??= new Map<string, FilterRuns>())
    const runs = filters.get(key)
    if (runs === undefined) {
      const { startedMs } = trip
      filters.set(key, { run, startedMs, endMs, cpuUs: run.cpuUs, pieces: 1, calls: [...trip.calls] })
    } else {
      // What has no room for its span is not kept either.
      if (runs.calls.length < CHILDREN_MAX) runs.calls.push(...trip.calls)
      runs.endMs = endMs
      runs.cpuUs += run.cpuUs
      runs.pieces += 1
    }
  }

  private unitSpan(run: UnitRun, endMs: number, trip: Trip, pieces = 0): void {
    const { unit, phase, result, cpuUs, failure } = run
    const spanId = randomHex(8)
    const key = versionKey(unit)
    const attributes: AttributeValue[] = [
      'orla.unit.name',
      unit.name,
      'orla.unit.version',
      String(unit.version),
      'orla.unit.phase',
      phase,
      'orla.unit.result',
      result,
      'orla.unit.cpu_us',
      Math.round(cpuUs),
    ]
    if (pieces > 0) attributes.push('orla.unit.pieces', pieces)
    if (failure !== undefined) attributes.push('error.type', result)
    this.child({
      spanId,
      name: `unit ${unit.name}`,
      kind: 'internal',
      startMs: trip.startedMs,
      endMs,
      attributes,
      ...(failure !== undefined && {
        error: result,
        events: [this.exception(result, failure, endMs)],
      }),
    })
    if (trip.calls.length === 0) return
    for (const call of trip.calls) if (call.unit === key) this.call(call, spanId)
    // A unit may run twice on a trip; what it asked for is told once.
    trip.calls = trip.calls.filter((call) => call.unit !== key)
  }

  private call({ kind, target, startedMs, ms, result }: CallTrace, parentSpanId: string): void {
    const isFetch = kind === 'fetch'
    const shown = cut(isFetch && !this.withQuery ? target.replace(/[?#].*/s, '') : target)
    const attributes: AttributeValue[] = [
      'orla.call.kind',
      kind,
      'orla.call.target',
      shown,
      'orla.call.result',
      result,
    ]
    // `GET https://example.org/`; empty where it could not be read.
    const [method = '', url = ''] = isFetch ? shown.split(' ') : []
    // 4xx and 5xx are failures to whoever asked, as they are of the origin.
    const hasFailed = isFetch && !/^[123]\d\d$/.test(result)
    if (isFetch) attributes.push(...fetchAttributes(method, url, result))
    if (hasFailed) attributes.push('error.type', result)
    this.child({
      spanId: randomHex(8),
      parentSpanId,
      name: isFetch ? spanName(method) : kind,
      kind: isFetch ? 'client' : 'internal',
      startMs: startedMs,
      endMs: startedMs + ms,
      attributes,
      error: hasFailed ? '' : undefined,
    })
  }

  exception(type: string, message: string, atMs: number): SpanEvent {
    const attributes = ['exception.type', type, 'exception.message', cut(message)]
    return { name: 'exception', atUs: this.unixUs(atMs), attributes }
  }

  /** The answer is out, or the client gone. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    for (const filter of this.filters?.values() ?? [])
      this.unitSpan({ ...filter.run, cpuUs: filter.cpuUs }, filter.endMs, filter, filter.pieces)
    const { exchange, trace } = this
    const { head, answered, gone } = exchange
    const status = answered?.status ?? 0
    // A unit may have failed, and the request gone on without it: it failed by that only where the edge had to answer.
    const failure = answered?.source === 'edge' || gone ? this.failure : undefined
    // A client that left early is nobody's failure; an answer that was cut is.
    const isError = status >= 500 || (gone && failure !== undefined)
    const attributes = requestAttributes(exchange, this.withQuery)
    if (isError) attributes.push('error.type', failure ?? String(status))
    else if (gone && status !== 101) attributes.push('error.type', 'client-gone')
    if (this.missing > 0) attributes.push('orla.spans_missing', this.missing)
    this.sink.add({
      traceId: trace.traceId,
      spanId: trace.spanId,
      parentSpanId: trace.parentSpanId,
      isParentRemote: trace.parentSpanId !== undefined,
      traceState: trace.state,
      name: spanName(head.method),
      kind: 'server',
      startUs: this.unixUs(exchange.startedMs),
      endUs: this.unixUs(this.nowMs()),
      attributes,
      error: isError ? '' : undefined,
      events: NO_EVENTS,
      links: trace.parentSpanId === undefined ? this.linksToStrangers() : NO_LINKS,
    } satisfies Span)
  }

  /** The trace of a client that is not trusted goes on elsewhere; whoever has both finds one from the other. */
  private linksToStrangers(): readonly SpanLink[] {
    const claimed = claimedParent(this.exchange.head)
    return claimed === undefined ? NO_LINKS : [{ traceId: claimed.traceId, spanId: claimed.spanId }]
  }
}

interface FilterRuns extends Trip {
  readonly run: UnitRun
  endMs: number
  cpuUs: number
  pieces: number
  calls: CallTrace[]
}
