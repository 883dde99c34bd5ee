/** What the operations of an edge come to, where they are ordered. What was ordered before is answered, and not done again. */
import type { KvOperation, KvResult } from '../../contract/kv.ts'
import type { KvUplinkOperation, KvUplinkPart, KvUplinkResult } from '../../contract/kv-replication.ts'
import { execute, type KvRows, type KvTerms } from '../rows.ts'
import { decodeBytes, encodeBytes, type Marker } from './encoding.ts'

export interface PlanState extends KvRows {
  marker(bucket: number, instance: string): Omit<Marker, 'through'> | undefined
  setMarker(bucket: number, instance: string, marker: Omit<Marker, 'through'> | undefined): void
}

export function planPart(
  state: PlanState,
  { bucket, instance, operations }: KvUplinkPart,
  terms: KvTerms,
): KvUplinkResult[] {
  const before = state.marker(bucket, instance)
  let last = before?.last ?? 0
  const kept: Record<string, KvUplinkResult> = {}
  const results = operations.map((operation) => {
    const { op, seq } = operation
    if (op === 'get') return told(execute(state, operation, terms))
    const isRepeated = seq <= last
    const result = isRepeated
      ? (before?.results[seq] ?? { value: 0 })
      : told(execute(state, operationOf(operation), terms))
    last = Math.max(last, seq)
    // Also of repeated ones: the answer to this batch may be lost, too.
    if (operation.strong || 'code' in result) kept[seq] = result
    return result
  })
  if (last > (before?.last ?? 0)) state.setMarker(bucket, instance, { last, at: terms.now, results: kept })
  return results
}

const told = (result: KvResult): KvUplinkResult =>
  'value' in result && result.bytes
    ? { value: result.value, bytes: encodeBytes(result.bytes) }
    : (result as KvUplinkResult)

const bytesOf = (text: string): Uint8Array => decodeBytes(text)!

function operationOf(operation: Exclude<KvUplinkOperation, { op: 'get' }>): KvOperation {
  switch (operation.op) {
    case 'put':
      return { ...operation, value: bytesOf(operation.value) }
    case 'compareAndSet': {
      const { expected, value } = operation
      return { ...operation, value: bytesOf(value), expected: expected === null ? null : bytesOf(expected) }
    }
    default:
      return operation
  }
}
