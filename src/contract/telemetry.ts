/**
 * What a worker tells of requests, as spans of traces, and where telemetry goes.
 *
 * A `SpanSink` is called on the hot path, once for each span when it is over. It keeps a copy or drops it, and never throws, waits
 * or calls back. Absent: nothing is noted of any request.
 */

/** What the processes of a node need to send telemetry. Made of configuration and environment; holds secrets. */
export interface TelemetrySettings {
  /** Of this node: `service.name` and the like. */
  readonly resource: Readonly<Record<string, string>>
  readonly traces?: TraceSettings | undefined
  readonly metrics?: MetricSettings | undefined
}

export interface TraceSettings {
  readonly collector: CollectorSettings
  /** The share of the traces begun here that is sampled, 0 to 1. */
  readonly sample: number
  /** Spans tell the query of a URL. */
  readonly query: boolean
}

export interface MetricSettings {
  readonly collector: CollectorSettings
  readonly everyMs: number
}

/** Who takes OTLP over HTTP. */
export interface CollectorSettings {
  readonly url: string
  /** Secrets: never logged. */
  readonly headers: Readonly<Record<string, string>>
  readonly protocol: 'http/protobuf' | 'http/json'
  readonly compression: 'gzip' | 'none'
  /** For one attempt, its answer included. */
  readonly timeoutMs: number
  /** PEM of the authorities to trust instead of the public ones and those of the system. */
  readonly ca: string | undefined
}

export type AttributeValue = string | number | boolean

/** Name and value in turn: a request has some twenty, and a flat list is cheap. */
export type Attributes = readonly AttributeValue[]

export type SpanKind = 'internal' | 'server' | 'client'

/** One piece of work in a trace. Times are microseconds since 1970. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
  /** Undefined where the trace begins. */
  readonly parentSpanId: string | undefined
  /** The parent is in another process. */
  readonly isParentRemote: boolean
  /** `tracestate` as it came with the parent; mostly empty. */
  readonly traceState: string
  readonly name: string
  readonly kind: SpanKind
  readonly startUs: number
  readonly endUs: number
  readonly attributes: Attributes
  /** What went wrong, in words; undefined where nothing did. */
  readonly error: string | undefined
  readonly events: readonly SpanEvent[]
  /** Other traces that it has to do with. */
  readonly links: readonly SpanLink[]
}

export interface SpanEvent {
  readonly name: string
  readonly atUs: number
  readonly attributes: Attributes
}

export interface SpanLink {
  readonly traceId: string
  readonly spanId: string
}

export interface SpanSink {
  /** The share of the traces begun here that is sampled, 0 to 1. */
  readonly sample: number
  /** Spans tell the query of a URL. */
  readonly query: boolean
  add(span: Span): void
}
