/** What an edge sends, before anything is done with it: it came over the network. */
import { EdgeError } from '../../base/errors.ts'
import { KV_KEY_CHARACTERS_MAX, KV_TTL_MS_MAX } from '../../contract/kv.ts'
import {
  KV_UPLINK_CHARACTERS_MAX,
  KV_UPLINK_OPERATIONS_MAX,
  type KvUplinkBatch,
  type KvUplinkOperation,
  type KvUplinkPart,
} from '../../contract/kv-replication.ts'
import { KV_BUCKETS } from '../../contract/shared-log.ts'
import { bucketOf } from './encoding.ts'

/** As `kv` in the fields of a unit, and the names of units. */
const NAMESPACE = /^[a-z0-9][a-z0-9-]{0,62}$/
const INSTANCE = /^[A-Za-z0-9_-]{8,64}$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Throws `request-invalid`. */
export function checkBatch(given: unknown): KvUplinkBatch {
  const parts = fieldsOf(given, 'the batch')['parts']
  if (!Array.isArray(parts) || parts.length > KV_BUCKETS) throw wrong(`parts: up to ${KV_BUCKETS} of them`)
  let operations = 0
  let characters = 0
  for (const part of parts.map((part: unknown) => checkPart(part))) {
    operations += part.operations.length
    for (const { key, ...rest } of part.operations)
      characters += key.length + ('value' in rest ? rest.value.length : 0)
  }
  if (operations > KV_UPLINK_OPERATIONS_MAX)
    throw wrong(`${operations} operations; ${KV_UPLINK_OPERATIONS_MAX} are allowed`)
  if (characters > KV_UPLINK_CHARACTERS_MAX && operations > 1)
    throw wrong(`${characters} characters of keys and values; ${KV_UPLINK_CHARACTERS_MAX} are allowed`)
  return given as KvUplinkBatch
}

function checkPart(given: unknown): KvUplinkPart {
  const { bucket, instance, operations } = fieldsOf(given, 'a part')
  if (!isCount(bucket) || bucket >= KV_BUCKETS) throw wrong(`bucket: 0 to ${KV_BUCKETS - 1}`)
  if (typeof instance !== 'string' || !INSTANCE.test(instance))
    throw wrong('instance: 8 to 64 of A-Za-z0-9_-')
  if (!Array.isArray(operations)) throw wrong('operations: a list')
  let last = 0
  for (const operation of operations) {
    const { seq, namespace } = checkOperation(operation)
    if (seq <= last) throw wrong('seq: growing')
    last = seq
    if (bucketOf(namespace) !== bucket)
      throw wrong(`${namespace} is in bucket ${bucketOf(namespace)}, not ${bucket}`)
  }
  return given as KvUplinkPart
}

function checkOperation(given: unknown): KvUplinkOperation {
  const { op, seq, namespace, key, strong, value, expected, by, ttlMs } = fieldsOf(given, 'an operation')
  if (!isCount(seq) || seq === 0) throw wrong('seq: a whole number from 1')
  if (typeof namespace !== 'string' || !NAMESPACE.test(namespace))
    throw wrong('namespace: 1 to 63 of a-z, 0-9 and "-"')
  if (typeof key !== 'string' || key === '' || key.length > KV_KEY_CHARACTERS_MAX || !key.isWellFormed())
    throw wrong(`key: a text of 1 to ${KV_KEY_CHARACTERS_MAX} characters`)
  if (strong !== undefined && typeof strong !== 'boolean') throw wrong('strong: true or false')
  const isTtl = isCount(ttlMs) && ttlMs <= KV_TTL_MS_MAX
  const isRight =
    op === 'get' ||
    op === 'delete' ||
    (op === 'put' && isBytes(value) && isTtl) ||
    (op === 'increment' && Number.isSafeInteger(by) && isTtl) ||
    (op === 'compareAndSet' && (expected === null || isBytes(expected)) && isBytes(value) && isTtl)
  if (!isRight) throw wrong('an operation that is none, or without what it needs')
  return given as KvUplinkOperation
}

const isCount = (given: unknown): given is number => Number.isSafeInteger(given) && (given as number) >= 0

const isBytes = (given: unknown): boolean =>
  typeof given === 'string' &&
  ((given.startsWith('t') && given.isWellFormed()) || (given.startsWith('b') && BASE64.test(given.slice(1))))

function fieldsOf(given: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof given === 'object' && given !== null) return given as Record<string, unknown>
  throw wrong(`${what} is an object`)
}

const wrong = (what: string): EdgeError =>
  new EdgeError('request-invalid', `key/value changes of an edge: ${what}`)
