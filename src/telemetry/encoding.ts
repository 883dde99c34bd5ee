/**
 * A batch in the form that the collector takes. Items are encoded one by one when they come: their size is known then, and no request has
 * to wait while a whole batch is put together.
 */
import type { CollectorSettings } from '../contract/telemetry.ts'
import { keyValues, METRIC, RESOURCE, SCOPE, SPAN } from './otlp-messages.ts'
import { encodeField, wrapped, type Message } from './protobuf.ts'

/** One span or metric. */
export type Item = string | Buffer

export interface BatchEncoding {
  readonly contentType: string
  item(value: object): Item
  batch(items: readonly Item[]): Buffer
}

interface Kind {
  readonly resources: string
  readonly scopes: string
  readonly items: string
  readonly message: Message
}

const KINDS = {
  traces: { resources: 'resourceSpans', scopes: 'scopeSpans', items: 'spans', message: SPAN },
  metrics: { resources: 'resourceMetrics', scopes: 'scopeMetrics', items: 'metrics', message: METRIC },
} as const satisfies Record<string, Kind>

export type Signal = keyof typeof KINDS

/** What semantic conventions the names are of. */
const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.37.0'

/** Bytes that an item keeps, about. */
export const sizeOf = (item: Item): number => item.length

export function batchEncoding(
  signal: Signal,
  protocol: CollectorSettings['protocol'],
  attributes: Readonly<Record<string, string>>,
): BatchEncoding {
  const resource = { attributes: keyValues(Object.entries(attributes).flat()) }
  const scope = { name: 'orla', version: attributes['telemetry.sdk.version'] ?? '' }
  return protocol === 'http/json'
    ? jsonEncoding(KINDS[signal], resource, scope)
    : protobufEncoding(KINDS[signal], resource, scope)
}

function jsonEncoding({ resources, scopes, items }: Kind, resource: object, scope: object): BatchEncoding {
  const before = `{"${resources}":[{"resource":${JSON.stringify(resource)},"${scopes}":[{"scope":${JSON.stringify(scope)},"${items}":[`
  const after = `],"schemaUrl":"${SCHEMA_URL}"}]}]}`
  return {
    contentType: 'application/json',
    item: (value) => JSON.stringify(value),
    batch: (encoded) => Buffer.from(`${before}${encoded.join(',')}${after}`),
  }
}

/** The numbers of fields are the same for both kinds: 1 the resource, 2 its scopes; 1 the scope, 2 its items, 3 the schema. */
function protobufEncoding({ message }: Kind, resource: object, scope: object): BatchEncoding {
  const resourceField = encodeField(1, RESOURCE, resource)
  const scopeField = encodeField(1, SCOPE, scope)
  const schemaField = Buffer.concat(wrapped(3, [Buffer.from(SCHEMA_URL)]))
  return {
    contentType: 'application/x-protobuf',
    item: (value) => encodeField(2, message, value),
    batch: (encoded) => {
      const scoped = wrapped(2, [scopeField, ...(encoded as Buffer[]), schemaField])
      return Buffer.concat(wrapped(1, [resourceField, ...scoped]))
    },
  }
}
