/**
 * What an operation does to the rows of a namespace: pure but for the rows that it is given, which are a table, or changes over one
 * that are not written yet. The same on the node that writes first and on the one that orders for all.
 */
import type { KvLimits, KvOperation, KvRefusal, KvResult } from '../contract/kv.ts'

/** What a key holds. An expiry is milliseconds since 1970, 0 for none. */
export interface KvRow {
  readonly value: Uint8Array
  readonly expires: number
}

export interface KvUsage {
  keys: number
  bytes: number
}

export interface KvRows {
  held(namespace: string, key: string): KvRow | undefined
  usage(namespace: string): Readonly<KvUsage>
  /** `held` is what the key holds now. */
  put(namespace: string, key: string, row: KvRow, held: KvRow | undefined): void
  remove(namespace: string, key: string, held: KvRow): void
}

export interface KvTerms {
  readonly now: number
  readonly limits: KvLimits
  /** Of a cache: lets others go. Without it, what is too much is refused. */
  readonly makeRoom?:
    | ((namespace: string, key: string, moreKeys: number, moreBytes: number) => void)
    | undefined
}

export class Refusal extends Error {
  readonly code: KvRefusal

  constructor(code: KvRefusal, message: string) {
    super(message)
    this.code = code
  }
}

/** A refusal changes nothing. */
export function execute(rows: KvRows, operation: KvOperation, terms: KvTerms): KvResult {
  try {
    return perform(rows, operation, terms)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { code: error.code, message: error.message }
  }
}

export const isLive = (row: KvRow | undefined, now: number): row is KvRow =>
  row !== undefined && (row.expires === 0 || row.expires > now)

function perform(rows: KvRows, operation: KvOperation, terms: KvTerms): KvResult {
  const { namespace, key } = operation
  const { now } = terms
  const held = rows.held(namespace, key)
  const live = isLive(held, now) ? held : undefined
  switch (operation.op) {
    case 'get':
      return live ? { value: 1, bytes: live.value } : { value: 0 }
    case 'delete':
      if (held) rows.remove(namespace, key, held)
      return { value: live ? 1 : 0 }
    case 'put':
      put(rows, namespace, key, given(operation, now), held, terms)
      return { value: 0 }
    case 'compareAndSet': {
      if (!isSame(live?.value, operation.expected)) return { value: 0 }
      put(rows, namespace, key, given(operation, now), held, terms)
      return { value: 1 }
    }
    default: {
      const value = sum(key, live?.value, operation.by)
      const expires = live ? live.expires : expiryOf(operation.ttlMs, now)
      put(rows, namespace, key, { value: Buffer.from(String(value)), expires }, held, terms)
      return { value }
    }
  }
}

/** What an operation gives a key to hold. */
const given = (
  { value, ttlMs }: { readonly value: Uint8Array; readonly ttlMs: number },
  now: number,
): KvRow => ({
  value,
  expires: expiryOf(ttlMs, now),
})

const expiryOf = (ttlMs: number, now: number): number => (ttlMs > 0 ? now + ttlMs : 0)

const isSame = (held: Uint8Array | undefined, expected: Uint8Array | null): boolean =>
  held === undefined || expected === null
    ? held === undefined && expected === null
    : Buffer.compare(held, expected) === 0

function put(
  rows: KvRows,
  namespace: string,
  key: string,
  row: KvRow,
  held: KvRow | undefined,
  { limits, makeRoom }: KvTerms,
): void {
  const keyBytes = Buffer.byteLength(key)
  const { keyBytesMax, valueBytesMax } = limits
  if (keyBytes > keyBytesMax) {
    throw new Refusal('kv-key', `a key of ${keyBytes} bytes; ${keyBytesMax} are allowed`)
  }
  if (row.value.length > valueBytesMax) {
    throw new Refusal('kv-value', `a value of ${row.value.length} bytes; ${valueBytesMax} are allowed`)
  }
  const moreKeys = held ? 0 : 1
  const moreBytes = row.value.length + (held ? -held.value.length : keyBytes)
  if (makeRoom) makeRoom(namespace, key, moreKeys, moreBytes)
  else checkQuota(namespace, rows.usage(namespace), limits, moreKeys, moreBytes)
  rows.put(namespace, key, row, held)
}

function checkQuota(
  namespace: string,
  { keys, bytes }: Readonly<KvUsage>,
  { keysMax, bytesMax }: KvLimits,
  moreKeys: number,
  moreBytes: number,
): void {
  if (moreKeys > 0 && keys + moreKeys > keysMax) {
    throw new Refusal('kv-quota', `${namespace} holds ${keys} keys; ${keysMax} are allowed (edge.kv.keysMax)`)
  }
  if (moreBytes > 0 && bytes + moreBytes > bytesMax) {
    throw new Refusal(
      'kv-quota',
      `${namespace} holds ${bytes} bytes, and ${moreBytes} more are too many; ${bytesMax} are allowed (edge.kv.bytesMax)`,
    )
  }
}

/** What a counter holds after it grew. */
export function sum(key: string, held: Uint8Array | undefined, by: number): number {
  const text = held === undefined ? '0' : Buffer.from(held).toString('latin1')
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) + by : Number.NaN
  if (Number.isSafeInteger(value) && Number.isSafeInteger(by)) return value
  throw new Refusal(
    'kv-number',
    Number.isNaN(value)
      ? `${JSON.stringify(key)} holds what is no whole number: it cannot be incremented`
      : `${JSON.stringify(key)} would leave the whole numbers that are exact (2^53)`,
  )
}
