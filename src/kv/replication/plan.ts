/** What the operations of an edge come to, where they are ordered. What was ordered before is answered, and not done again. */
import type { KvOperation, KvResult } from '../../contract/kv.ts'
import type {
  KvUplinkAnswer,
  KvUplinkOperation,
  KvUplinkPart,
  KvUplinkResult,
} from '../../contract/kv-replication.ts'
import type { Position } from '../../contract/store.ts'
import { execute, type KvRows, type KvTerms } from '../rows.ts'
import { decodeBytes, encodeBytes, type Marker } from './encoding.ts'

export interface PlanState extends KvRows {
  marker(bucket: number, instance: string): Omit<Marker, 'through'> | undefined
  setMarker(bucket: number, instance: string, marker: Omit<Marker, 'through'> | undefined): void
  /** Instances of one that are in the log, but for so many that sent something last. */
  instancesBeyond(bucket: number, from: string | undefined, count: number): readonly string[]
}

/** Of one token, in each bucket. An edge has a new one with each start, and all edges read the markers of all. */
export const INSTANCES_MAX = 1000

/** What a part came to, once it is in the log. */
export const answerOf = (planned: Planned, position: Position): KvUplinkAnswer =>
  planned === 'foreign'
    ? { code: 'kv-instance', message: 'this instance was first used with another token' }
    : { position, results: planned }

/** `foreign`: the instance is somebody else's, and nothing was planned. */
export type Planned = readonly KvUplinkResult[] | 'foreign'

export function planPart(
  state: PlanState,
  { bucket, instance, operations }: KvUplinkPart,
  terms: KvTerms,
  from?: string,
): Planned {
  const before = state.marker(bucket, instance)
  if (before && before.from !== from) return 'foreign'
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
  if (last <= (before?.last ?? 0)) return results
  if (!before) {
    for (const old of state.instancesBeyond(bucket, from, INSTANCES_MAX - 1))
      state.setMarker(bucket, old, undefined)
  }
  state.setMarker(bucket, instance, {
    ...(from !== undefined && { from }),
    last,
    at: terms.now,
    results: kept,
  })
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
