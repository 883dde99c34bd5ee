/** Keys, values and transactions of etcd, as its gateway writes them: bytes in base64, 64-bit numbers as text. */
import type { Answer, Gateway } from './gateway.ts'
import { EdgeError } from '../../../base/errors.ts'

export interface KeyValue {
  readonly key: string
  readonly value: Buffer
  readonly revision: number
}

export type Operation =
  | { readonly request_put: { readonly key: string; readonly value: string } }
  | { readonly request_delete_range: { readonly key: string; readonly range_end?: string } }
  | { readonly request_range: RangeRequest }

export interface RangeRequest {
  readonly key: string
  readonly range_end?: string
  readonly limit?: string
  readonly revision?: string
}

export interface Comparison {
  readonly key: string
  readonly result: 'EQUAL'
  readonly target: 'VALUE' | 'CREATE'
  readonly value?: string
  readonly create_revision?: string
}

export interface TransactionAnswer {
  readonly succeeded: boolean
  /** Of etcd as a whole, when it was done. */
  readonly revision: number
  /** What each range among the operations found, in their order. */
  readonly ranges: readonly (readonly KeyValue[])[]
}

const base64 = (text: string | Buffer): string => Buffer.from(text as string).toString('base64')

export const put = (key: string, value: string | Buffer): Operation => ({
  request_put: { key: base64(key), value: base64(value) },
})
export const get = (key: string): Operation => ({ request_range: { key: base64(key) } })
/** Keys from `from` up to, without, `end`. */
export const range = (from: string, end: string, limit: number): Operation => ({
  request_range: { key: base64(from), range_end: base64(end), limit: String(limit) },
})
export const remove = (from: string, end: string): Operation => ({
  request_delete_range: { key: base64(from), range_end: base64(end) },
})
export const valueIs = (key: string, value: string): Comparison => ({
  key: base64(key),
  target: 'VALUE',
  result: 'EQUAL',
  value: base64(value),
})
export const isAbsent = (key: string): Comparison => ({
  key: base64(key),
  target: 'CREATE',
  result: 'EQUAL',
  create_revision: '0',
})

/** The end of a range of all keys that start with this: keys here end in a character that has one after it. */
export const endOf = (prefix: string): string =>
  prefix.slice(0, -1) + String.fromCodePoint(prefix.codePointAt(prefix.length - 1)! + 1)

export async function transact(
  gateway: Gateway,
  transaction: {
    readonly compare?: readonly Comparison[]
    readonly success: readonly Operation[]
    readonly failure?: readonly Operation[]
  },
): Promise<TransactionAnswer> {
  const answer = await gateway.ask('/v3/kv/txn', transaction)
  const responses = Array.isArray(answer['responses']) ? (answer['responses'] as Answer[]) : []
  const succeeded = answer['succeeded'] === true
  const { length } = (succeeded ? transaction.success : transaction.failure) ?? []
  // Without a condition it cannot fail.
  if (responses.length !== length || (transaction.compare === undefined && !succeeded)) {
    throw notEtcd(gateway, `${responses.length} results for ${length} operations`)
  }
  return {
    succeeded,
    revision: revisionOf(gateway, answer),
    ranges: responses
      .filter((one) => 'response_range' in one)
      .map((one) => keyValuesOf(gateway, one['response_range'] as Answer)),
  }
}

/** At a revision, where one is given: throws `Compacted` where that is gone. */
export async function rangeAt(
  gateway: Gateway,
  from: string,
  end: string,
  options: { readonly limit: number; readonly revision: number },
): Promise<readonly KeyValue[]> {
  const answer = await gateway.ask('/v3/kv/range', {
    key: base64(from),
    range_end: base64(end),
    limit: String(options.limit),
    revision: String(options.revision),
  })
  return keyValuesOf(gateway, answer)
}

function revisionOf(gateway: Gateway, answer: Answer): number {
  const { revision } = answer['header'] as { readonly revision?: unknown }
  const number = Number(revision)
  if (!Number.isSafeInteger(number)) throw notEtcd(gateway, `a revision "${String(revision)}"`)
  return number
}

export function keyValuesOf(gateway: Gateway, answer: Answer): readonly KeyValue[] {
  // Empty lists and texts are left out.
  const found = answer['kvs'] ?? []
  if (!Array.isArray(found)) throw notEtcd(gateway, 'no list of keys')
  return (found as Answer[]).map(({ key, value = '', mod_revision }) => {
    if (typeof key !== 'string' || typeof value !== 'string') throw notEtcd(gateway, 'a key that is no text')
    return {
      key: Buffer.from(key, 'base64').toString(),
      value: Buffer.from(value, 'base64'),
      revision: Number(mod_revision),
    }
  })
}

const notEtcd = (gateway: Gateway, what: string): EdgeError =>
  new EdgeError('store-unavailable', `etcd at ${gateway.address}: it answers with ${what}`)
