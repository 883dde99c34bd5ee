/** Traces and metrics by OpenTelemetry's protocol (OTLP over HTTP) in the configuration. What is left out here may stand in the environment. */
import * as v from 'valibot'
import { duration, share } from './units.ts'

const ENDPOINT_EXPECTED =
  'expected "http://HOST:PORT" or "https://HOST:PORT", with or without a path; credentials belong into `headers`'

const CollectorUrl = v.pipe(
  v.string(ENDPOINT_EXPECTED),
  v.check(
    (text) => /^https?:\/\/[^/\s@?#]+(?:\/[^\s?#]*)?$/.test(text) && URL.canParse(text),
    ENDPOINT_EXPECTED,
  ),
)

const HEADERS_EXPECTED = 'expected an object with a text for each header, such as {"api-key": "…"}'

/** Framing is ours. */
const OWN_HEADERS = /^(?:content-|transfer-encoding$|host$|connection$|te$|upgrade$)/i

const Headers = v.pipe(
  v.record(v.string(), v.string(HEADERS_EXPECTED), HEADERS_EXPECTED),
  v.check(
    (headers) => Object.entries(headers).every(([name, value]) => isHeader(name, value)),
    'expected names and values as HTTP allows them, and none of `host`, `connection`, `content-…`',
  ),
)

const RESOURCE_MAX = 64
const RESOURCE_TEXT_MAX = 1024
const RESOURCE_EXPECTED = `expected an object of at most ${RESOURCE_MAX} texts, such as {"service.name": "edge"}, none longer than ${RESOURCE_TEXT_MAX} characters`

const Resource = v.pipe(
  v.record(v.string(), v.string(RESOURCE_EXPECTED), RESOURCE_EXPECTED),
  v.check(isResource, RESOURCE_EXPECTED),
)

const Protocol = v.picklist(['http/protobuf', 'http/json'], 'expected "http/protobuf" or "http/json"')

const Otlp = v.strictObject({
  /** Where the collector is; `/v1/traces` and `/v1/metrics` are added. Else `OTEL_EXPORTER_OTLP_ENDPOINT`, else `http://localhost:4318`. */
  endpoint: v.optional(CollectorUrl),
  /** Form of what is sent. Else `OTEL_EXPORTER_OTLP_PROTOCOL`, else `http/protobuf`. */
  protocol: v.optional(Protocol),
  /** Sent with everything, such as a key; never logged. Else `OTEL_EXPORTER_OTLP_HEADERS`. */
  headers: v.optional(Headers),
  /** Else `OTEL_EXPORTER_OTLP_COMPRESSION`, else `gzip`. */
  compression: v.optional(v.picklist(['gzip', 'none'], 'expected "gzip" or "none"')),
  /** For one attempt, its answer included. Else `OTEL_EXPORTER_OTLP_TIMEOUT`, else 10 seconds. */
  timeout: v.optional(duration()),
  /** Path of a PEM file with the authorities to trust instead of the public ones and those of the system. Else `OTEL_EXPORTER_OTLP_CERTIFICATE`. */
  ca: v.optional(v.string()),
  /** A span for each sampled request, and for what was done for it. `false`: none. */
  traces: v.optional(
    v.union(
      [
        v.literal(false),
        v.strictObject({
          /** Instead of `endpoint`, and taken as it is. Else `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`. */
          endpoint: v.optional(CollectorUrl),
          /** The share of the traces begun here that is sampled. Else `edge.trace.sample`, else `OTEL_TRACES_SAMPLER_ARG`, else 1. */
          sample: v.optional(share()),
          /** Spans tell the query of a URL, which may hold session tokens. */
          query: v.optional(v.boolean(), false),
        }),
      ],
      'expected an object, or false',
    ),
    {},
  ),
  /** All that `/metrics` shows. `false`: none. */
  metrics: v.optional(
    v.union(
      [
        v.literal(false),
        v.strictObject({
          /** Instead of `endpoint`, and taken as it is. Else `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`. */
          endpoint: v.optional(CollectorUrl),
          /** Time between two reports, at least 100 ms. Else `OTEL_METRIC_EXPORT_INTERVAL`, else a minute. */
          every: v.optional(duration()),
        }),
      ],
      'expected an object, or false',
    ),
    {},
  ),
  /** What tells this node from others, beside what it says of itself. Wins over `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`. */
  resource: v.optional(Resource, {}),
})

export const Telemetry = v.strictObject({
  /** Sends traces and metrics by OTLP. Absent: only where `OTEL_EXPORTER_OTLP_ENDPOINT` is set; `false`: whatever the environment says, never. */
  otlp: v.optional(v.union([v.literal(false), Otlp], 'expected an object, or false')),
})

export type TelemetryConfig = v.InferOutput<typeof Telemetry>
export type OtlpConfig = v.InferOutput<typeof Otlp>

export const isCollectorUrl = (text: string): boolean => v.is(CollectorUrl, text)

export function isHeader(name: string, value: string): boolean {
  return (
    /^[\w!#$%&'*+.^`|~-]+$/.test(name) && !OWN_HEADERS.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
  )
}

/** Bounded: it goes with every batch. */
export function isResource(attributes: Readonly<Record<string, string>>): boolean {
  const entries = Object.entries(attributes)
  return (
    entries.length <= RESOURCE_MAX &&
    entries.every(
      ([name, value]) => name !== '' && name.length <= RESOURCE_TEXT_MAX && value.length <= RESOURCE_TEXT_MAX,
    )
  )
}
