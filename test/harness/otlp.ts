/**
 * OTLP as its reader has it: JSON, or Protocol Buffers decoded by numbers that stand here once more, apart from those that wrote it.
 *
 * Both forms become the same plain values: attributes as an object, times as numbers of nanoseconds in `bigint`.
 */

export interface ReadSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: number
  readonly start: bigint
  readonly end: bigint
  readonly flags: number
  readonly attributes: Attributes
  readonly status: { readonly code: number; readonly message: string }
  readonly events: readonly { readonly name: string; readonly at: bigint; readonly attributes: Attributes }[]
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
}

export interface ReadPoint {
  readonly attributes: Attributes
  readonly start: bigint
  readonly at: bigint
  readonly value: number
  readonly count: bigint
  readonly sum: number
  readonly buckets: readonly bigint[]
  readonly bounds: readonly number[]
}

export interface ReadMetric {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly kind: 'gauge' | 'sum' | 'histogram'
  readonly temporality: number
  readonly isMonotonic: boolean
  readonly points: readonly ReadPoint[]
}

/** Whole numbers are a `bigint`, others a `number`. */
export type Attributes = Readonly<Record<string, string | number | bigint | boolean>>

export interface ReadReport {
  readonly resource: Attributes
  readonly scope: string
  readonly spans: readonly ReadSpan[]
  readonly metrics: readonly ReadMetric[]
}

// ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Of opentelemetry-proto, as ProtoJSON has it: texts for numbers of 64 bits, and nothing for what is empty. */
interface JsonReport {
  readonly resourceSpans?: readonly JsonGroup[]
  readonly resourceMetrics?: readonly JsonGroup[]
}

interface JsonGroup {
  readonly resource: { readonly attributes: JsonPairs }
  readonly scopeSpans?: readonly JsonScoped[]
  readonly scopeMetrics?: readonly JsonScoped[]
}

interface JsonScoped {
  readonly scope: { readonly name: string }
  readonly spans?: readonly JsonSpan[]
  readonly metrics?: readonly JsonMetric[]
}

type JsonPairs = readonly { readonly key: string; readonly value: JsonValue }[]

interface JsonValue {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly doubleValue?: number
  readonly intValue?: string
}

interface JsonSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly flags?: number
  readonly attributes: JsonPairs
  readonly status?: { readonly code?: number; readonly message?: string }
  readonly events?: readonly {
    readonly name: string
    readonly timeUnixNano: string
    readonly attributes: JsonPairs
  }[]
  readonly links?: ReadSpan['links']
}

type JsonMetric = Readonly<Record<'name' | 'description' | 'unit', string>> &
  Readonly<Partial<Record<ReadMetric['kind'], JsonData>>>

interface JsonData {
  readonly aggregationTemporality?: number
  readonly isMonotonic?: boolean
  readonly dataPoints: readonly JsonPoint[]
}

interface JsonPoint {
  readonly attributes: JsonPairs
  readonly startTimeUnixNano?: string
  readonly timeUnixNano: string
  readonly asDouble?: number
  readonly count?: string
  readonly sum?: number
  readonly bucketCounts?: readonly string[]
  readonly explicitBounds?: readonly number[]
}

export function readJson(text: string): ReadReport {
  const whole = JSON.parse(text) as JsonReport
  const [group] = (whole.resourceSpans ?? whole.resourceMetrics)!
  const { resource, scopeSpans, scopeMetrics } = group!
  const [scoped] = (scopeSpans ?? scopeMetrics)!
  const { scope, spans = [], metrics = [] } = scoped!
  return {
    resource: jsonAttributes(resource.attributes),
    scope: scope.name,
    spans: spans.map((span) => ({
      traceId: span.traceId,
      spanId: span.spanId,
      parentSpanId: span.parentSpanId ?? '',
      traceState: span.traceState ?? '',
      name: span.name,
      kind: span.kind,
      start: BigInt(span.startTimeUnixNano),
      end: BigInt(span.endTimeUnixNano),
      flags: span.flags ?? 0,
      attributes: jsonAttributes(span.attributes),
      status: { code: span.status?.code ?? 0, message: span.status?.message ?? '' },
      events: (span.events ?? []).map((event) => ({
        name: event.name,
        at: BigInt(event.timeUnixNano),
        attributes: jsonAttributes(event.attributes),
      })),
      links: span.links ?? [],
    })),
    metrics: metrics.map((metric) => {
      const kind = (['gauge', 'sum', 'histogram'] as const).find((name) => metric[name] !== undefined)!
      const data = metric[kind]!
      return {
        name: metric.name,
        description: metric.description,
        unit: metric.unit,
        kind,
        temporality: data.aggregationTemporality ?? 0,
        isMonotonic: data.isMonotonic ?? false,
        points: data.dataPoints.map((point) => ({
          attributes: jsonAttributes(point.attributes),
          start: BigInt(point.startTimeUnixNano ?? 0),
          at: BigInt(point.timeUnixNano),
          value: Number(point.asDouble ?? Number.NaN),
          count: BigInt(point.count ?? 0),
          sum: Number(point.sum ?? Number.NaN),
          buckets: (point.bucketCounts ?? []).map((count) => BigInt(count)),
          bounds: point.explicitBounds ?? [],
        })),
      }
    }),
  }
}

function jsonAttributes(pairs: JsonPairs): Attributes {
  return Object.fromEntries(
    pairs.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? value.doubleValue ?? BigInt(value.intValue!),
    ]),
  )
}

// ── Protocol Buffers ──────────────────────────────────────────────────────────────────────────────────────────────

type Wire = bigint | Buffer

/** Each field of a message with all its values. */
class Fields {
  readonly #values = new Map<number, Wire[]>()

  constructor(bytes: Buffer) {
    let at = 0
    const varint = (): bigint => {
      let value = 0n
      for (let shift = 0n; ; shift += 7n) {
        const byte = bytes[at++]
        if (byte === undefined) throw new Error('a varint breaks off')
        value |= BigInt(byte & 0x7f) << shift
        if (byte < 0x80) return value
      }
    }
    while (at < bytes.length) {
      const tag = varint()
      const wire = Number(tag & 7n)
      let value: Wire
      if (wire === 0) value = varint()
      else {
        const length = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? Number(varint()) : undefined
        if (length === undefined || at + length > bytes.length) throw new Error(`wire type ${wire} at ${at}`)
        value = bytes.subarray(at, (at += length))
      }
      const number = Number(tag >> 3n)
      this.#values.set(number, [...(this.#values.get(number) ?? []), value])
    }
  }

  all(number: number): Buffer[] {
    return (this.#values.get(number) ?? []) as Buffer[]
  }

  messages(number: number): Fields[] {
    return this.all(number).map((bytes) => new Fields(bytes))
  }

  message(number: number): Fields {
    return this.messages(number)[0] ?? new Fields(Buffer.alloc(0))
  }

  has(number: number): boolean {
    return this.#values.has(number)
  }

  text(number: number): string {
    return this.all(number)[0]?.toString('utf8') ?? ''
  }

  hex(number: number): string {
    return this.all(number)[0]?.toString('hex') ?? ''
  }

  number(number: number): number {
    return Number((this.#values.get(number) ?? [0n])[0])
  }

  fixed64(number: number): bigint {
    return this.all(number)[0]?.readBigUInt64LE() ?? 0n
  }

  double(number: number): number {
    return this.all(number)[0]?.readDoubleLE() ?? Number.NaN
  }

  /** Packed. */
  list<T>(number: number, read: (bytes: Buffer, at: number) => T): T[] {
    const [bytes = Buffer.alloc(0)] = this.all(number)
    return Array.from({ length: bytes.length / 8 }, (_, i) => read(bytes, i * 8))
  }
}

export function readProtobuf(signal: 'traces' | 'metrics', bytes: Buffer): ReadReport {
  const group = new Fields(bytes).message(1)
  const scoped = group.message(2)
  return {
    resource: attributesOf(group.message(1), 1),
    scope: scoped.message(1).text(1),
    spans: signal === 'traces' ? scoped.messages(2).map(spanOf) : [],
    metrics: signal === 'metrics' ? scoped.messages(2).map(metricOf) : [],
  }
}

function attributesOf(fields: Fields, number: number): Attributes {
  return Object.fromEntries(
    fields.messages(number).map((pair) => {
      const value = pair.message(2)
      return [pair.text(1), valueOf(value)]
    }),
  )
}

function valueOf(value: Fields): Attributes[string] {
  if (value.has(1)) return value.text(1)
  if (value.has(2)) return value.number(2) === 1
  return value.has(3) ? BigInt(value.number(3)) : value.double(4)
}

const spanOf = (fields: Fields): ReadSpan => ({
  traceId: fields.hex(1),
  spanId: fields.hex(2),
  traceState: fields.text(3),
  parentSpanId: fields.hex(4),
  name: fields.text(5),
  kind: fields.number(6),
  start: fields.fixed64(7),
  end: fields.fixed64(8),
  attributes: attributesOf(fields, 9),
  events: fields.messages(11).map((event) => ({
    at: event.fixed64(1),
    name: event.text(2),
    attributes: attributesOf(event, 3),
  })),
  links: fields.messages(13).map((link) => ({ traceId: link.hex(1), spanId: link.hex(2) })),
  status: { message: fields.message(15).text(2), code: fields.message(15).number(3) },
  flags: fields.all(16)[0]?.readUInt32LE() ?? 0,
})

function metricOf(fields: Fields): ReadMetric {
  const kind = fields.has(5) ? 'gauge' : fields.has(7) ? 'sum' : 'histogram'
  const data = fields.message({ gauge: 5, sum: 7, histogram: 9 }[kind])
  return {
    name: fields.text(1),
    description: fields.text(2),
    unit: fields.text(3),
    kind,
    temporality: data.number(2),
    isMonotonic: data.number(3) === 1,
    points: data.messages(1).map((point) => ({
      attributes: attributesOf(point, kind === 'histogram' ? 9 : 7),
      start: point.fixed64(2),
      at: point.fixed64(3),
      value: kind === 'histogram' ? Number.NaN : point.double(4),
      count: kind === 'histogram' ? point.fixed64(4) : 0n,
      sum: kind === 'histogram' ? point.double(5) : Number.NaN,
      buckets: point.list(6, (bytes, at) => bytes.readBigUInt64LE(at)),
      bounds: point.list(7, (bytes, at) => bytes.readDoubleLE(at)),
    })),
  }
}
