/**
 * The messages of OTLP 1.x that we send, with the names that they have in JSON
 * (https://github.com/open-telemetry/opentelemetry-proto, `trace.proto`, `metrics.proto`, `common.proto`).
 */
import type { AttributeValue, Attributes } from '../contract/telemetry.ts'
import { field, type Message } from './protobuf.ts'

// A value of a choice is told though it be empty or zero.
const ANY_VALUE: Message = [
  field('stringValue', 1, 'string', true),
  field('boolValue', 2, 'bool', true),
  field('intValue', 3, 'int', true),
  field('doubleValue', 4, 'double', true),
]
const KEY_VALUE: Message = [field('key', 1, 'string'), field('value', 2, ANY_VALUE)]

export const RESOURCE: Message = [field('attributes', 1, KEY_VALUE)]
export const SCOPE: Message = [field('name', 1, 'string'), field('version', 2, 'string')]

const EVENT: Message = [
  field('timeUnixNano', 1, 'fixed64'),
  field('name', 2, 'string'),
  field('attributes', 3, KEY_VALUE),
]
const LINK: Message = [field('traceId', 1, 'hex'), field('spanId', 2, 'hex')]
const STATUS: Message = [field('message', 2, 'string'), field('code', 3, 'enum')]

export const SPAN: Message = [
  field('traceId', 1, 'hex'),
  field('spanId', 2, 'hex'),
  field('traceState', 3, 'string'),
  field('parentSpanId', 4, 'hex'),
  field('name', 5, 'string'),
  field('kind', 6, 'enum'),
  field('startTimeUnixNano', 7, 'fixed64'),
  field('endTimeUnixNano', 8, 'fixed64'),
  field('attributes', 9, KEY_VALUE),
  field('events', 11, EVENT),
  field('links', 13, LINK),
  field('status', 15, STATUS),
  field('flags', 16, 'fixed32'),
]

const NUMBER_POINT: Message = [
  field('startTimeUnixNano', 2, 'fixed64'),
  field('timeUnixNano', 3, 'fixed64'),
  field('asDouble', 4, 'double', true),
  field('attributes', 7, KEY_VALUE),
]
const HISTOGRAM_POINT: Message = [
  field('startTimeUnixNano', 2, 'fixed64'),
  field('timeUnixNano', 3, 'fixed64'),
  field('count', 4, 'fixed64'),
  field('sum', 5, 'double', true),
  field('bucketCounts', 6, 'fixed64'),
  field('explicitBounds', 7, 'double'),
  field('attributes', 9, KEY_VALUE),
]
const GAUGE: Message = [field('dataPoints', 1, NUMBER_POINT)]
const SUM: Message = [
  field('dataPoints', 1, NUMBER_POINT),
  field('aggregationTemporality', 2, 'enum'),
  field('isMonotonic', 3, 'bool'),
]
const HISTOGRAM: Message = [
  field('dataPoints', 1, HISTOGRAM_POINT),
  field('aggregationTemporality', 2, 'enum'),
]

export const METRIC: Message = [
  field('name', 1, 'string'),
  field('description', 2, 'string'),
  field('unit', 3, 'string'),
  field('gauge', 5, GAUGE),
  field('sum', 7, SUM),
  field('histogram', 9, HISTOGRAM),
]

/** Microseconds since 1970 as nanoseconds, in the text that JSON has for numbers of 64 bits. */
export const nanos = (us: number): string => `${Math.round(us)}000`

/** Attributes as OTLP has them. */
export function keyValues(attributes: Attributes): object[] {
  const pairs: object[] = []
  for (let i = 0; i < attributes.length; i += 2) {
    const key = attributes[i] as string
    pairs.push({ key, value: anyValue(key, attributes[i + 1]!) })
  }
  return pairs
}

/**
 * Numbers are whole, as the semantic conventions have statuses and ports; but those of milliseconds are doubles also where one is whole,
 * as a name keeps its type.
 */
function anyValue(key: string, value: AttributeValue): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  const isWhole = Number.isSafeInteger(value) && value >= 0 && !key.endsWith('_ms')
  return isWhole ? { intValue: String(value) } : { doubleValue: value }
}
