/**
 * The one writer of a key/value store: works out what each change leads to, holds it against the quotas, and writes what came
 * together in one transaction.
 *
 * A change that is refused leaves the others of its transaction as they are. When the disk refuses, none of them happened,
 * and each is told why.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import { storeError } from '../base/sqlite-failure.ts'
import type { KvLimits, KvRefusal, KvResult, KvStoreName, KvWrite } from '../contract/kv.ts'
import { openForWriting } from './file.ts'
import { wordOf } from './versions.ts'

export interface KvWriterOptions {
  readonly name: KvStoreName
  readonly path: string
  readonly clock: Clock
  readonly limits: KvLimits
  /** The shared words: see `versions.ts`. */
  readonly words: Int32Array
  /** A cache goes on with what is there, where it does not start empty: other processes still use it. */
  readonly keepsCache?: boolean
}

export interface NamespaceUsage {
  readonly namespace: string
  readonly keys: number
  readonly bytes: number
}

interface Usage {
  keys: number
  bytes: number
}

/** What a key holds now. */
interface Held {
  readonly value: Uint8Array
  readonly expires: number
}

/** Entries that expired, taken away at a time. */
const SWEPT_AT_ONCE = 500
/** Entries that a full cache lets go at a time. */
const EVICTED_AT_ONCE = 64

class Refusal extends Error {
  readonly code: KvRefusal

  constructor(code: KvRefusal, message: string) {
    super(message)
    this.code = code
  }
}

export class KvWriter {
  readonly path: string
  readonly #name: KvStoreName
  readonly #clock: Clock
  /** May be replaced: what is written from then on is held to the new ones. */
  limits: KvLimits
  readonly #words: Int32Array
  readonly #db: DatabaseSync
  readonly #statements: ReturnType<typeof prepare>
  /** What is committed; a transaction works on copies in `#changed`. */
  readonly #usage = new Map<string, Usage>()
  readonly #changed = new Map<string, Usage>()
  readonly #touched = new Set<number>()
  #isDurable = false
  /** Entries that made room for others, and those whose time was over. */
  evicted = 0
  expired = 0
  writes = 0

  /** Opens the store. Throws `EdgeError`. */
  constructor({ name, path, clock, limits, words, keepsCache = false }: KvWriterOptions) {
    this.path = path
    this.#name = name
    this.#clock = clock
    this.limits = limits
    this.#words = words
    try {
      this.#db = openForWriting(path, { isCache: name === 'cache', isFresh: name === 'cache' && !keepsCache })
      this.#statements = prepare(this.#db)
      for (const row of this.#statements.namespaces.all()) {
        this.#usage.set(row['name'] as string, { keys: Number(row['keys']), bytes: Number(row['bytes']) })
      }
    } catch (error) {
      throw kvError(path, error)
    }
  }

  get usage(): NamespaceUsage[] {
    return [...this.#usage].map(([namespace, { keys, bytes }]) => ({ namespace, keys, bytes }))
  }

  /** Results in the order of the changes. Visible to every reader when this returns. */
  apply(writes: readonly KvWrite[], durable: boolean): KvResult[] {
    try {
      const results = this.#transaction(durable, () => writes.map((write) => this.#result(write)))
      this.writes += writes.length
      return results
    } catch (error) {
      const { message } = kvError(this.path, error)
      return writes.map(() => ({ code: 'kv-unavailable', message }))
    }
  }

  /** Takes away some of what has expired. True while there may be more. */
  sweep(): boolean {
    return this.#transaction(false, () => {
      const gone = this.#statements.expired.all(this.#clock.now(), SWEPT_AT_ONCE)
      for (const row of gone) this.#count(row['namespace'] as string, -1, -rowBytes(row))
      this.expired += gone.length
      return gone.length === SWEPT_AT_ONCE
    })
  }

  /** For tests of a disk that is full. */
  limitPages(pages: number): void {
    this.#db.exec(`PRAGMA max_page_count = ${pages}`)
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }

  #transaction<T>(durable: boolean, work: () => T): T {
    this.#setDurable(durable)
    this.#changed.clear()
    this.#touched.clear()
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      for (const [name, { keys, bytes }] of this.#changed) {
        if (keys === 0) this.#statements.forget.run(name)
        else this.#statements.count.run(name, keys, bytes)
      }
      this.#db.exec('COMMIT')
      for (const [name, usage] of this.#changed) {
        if (usage.keys === 0) this.#usage.delete(name)
        else this.#usage.set(name, usage)
      }
      for (const word of this.#touched) Atomics.add(this.#words, word, 1)
      return result
    } catch (error) {
      // Where SQLite gave up the transaction itself, there is nothing to roll back.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  #setDurable(durable: boolean): void {
    if (durable === this.#isDurable || this.#name === 'cache') return
    this.#db.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
    this.#isDurable = durable
  }

  #result(write: KvWrite): KvResult {
    try {
      return { value: this.#write(write) }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { code: error.code, message: error.message }
    }
  }

  #write(write: KvWrite): number {
    const { namespace, key } = write
    const held = this.#held(namespace, key)
    const now = this.#clock.now()
    switch (write.op) {
      case 'put':
        this.#put(namespace, key, write.value, write.ttlMs > 0 ? now + write.ttlMs : 0, held)
        return 0
      case 'delete':
        if (!held) return 0
        this.#statements.remove.run(namespace, key)
        this.#count(namespace, -1, -(held.value.length + Buffer.byteLength(key)))
        this.#touched.add(wordOf(this.#name, namespace, key))
        return 1
      default: {
        const isLive = held && (held.expires === 0 || held.expires > now)
        const value = sum(key, isLive ? held.value : undefined, write.by)
        const expires = isLive ? held.expires : write.ttlMs > 0 ? now + write.ttlMs : 0
        this.#put(namespace, key, Buffer.from(String(value)), expires, held)
        return value
      }
    }
  }

  #held(namespace: string, key: string): Held | undefined {
    const row = this.#statements.get.get(namespace, key)
    return row && { value: row['value'] as Uint8Array, expires: Number(row['expires']) }
  }

  #put(namespace: string, key: string, value: Uint8Array, expires: number, held: Held | undefined): void {
    const keyBytes = Buffer.byteLength(key)
    const { keyBytesMax, valueBytesMax } = this.limits
    if (keyBytes > keyBytesMax) {
      throw new Refusal('kv-key', `a key of ${keyBytes} bytes; ${keyBytesMax} are allowed`)
    }
    if (value.length > valueBytesMax) {
      throw new Refusal('kv-value', `a value of ${value.length} bytes; ${valueBytesMax} are allowed`)
    }
    const moreKeys = held ? 0 : 1
    const moreBytes = value.length + (held ? -held.value.length : keyBytes)
    if (this.#name === 'cache') this.#makeRoom(namespace, key, moreKeys, moreBytes)
    else this.#checkQuota(namespace, moreKeys, moreBytes)
    this.#statements.put.run(namespace, key, value, expires)
    this.#count(namespace, moreKeys, moreBytes)
    this.#touched.add(wordOf(this.#name, namespace, key))
  }

  #checkQuota(namespace: string, moreKeys: number, moreBytes: number): void {
    const { keys, bytes } = this.#usageOf(namespace)
    const { keysMax, bytesMax } = this.limits
    if (moreKeys > 0 && keys + moreKeys > keysMax) {
      throw new Refusal(
        'kv-quota',
        `${namespace} holds ${keys} keys; ${keysMax} are allowed (edge.kv.keysMax)`,
      )
    }
    if (moreBytes > 0 && bytes + moreBytes > bytesMax) {
      throw new Refusal(
        'kv-quota',
        `${namespace} holds ${bytes} bytes, and ${moreBytes} more are too many; ${bytesMax} are allowed (edge.kv.bytesMax)`,
      )
    }
  }
  /** A full cache lets go what was written longest ago. */
  #makeRoom(namespace: string, key: string, moreKeys: number, moreBytes: number): void {
    const { keysMax, bytesMax } = this.limits
    for (;;) {
      const { keys, bytes } = this.#usageOf(namespace)
      if (keys + moreKeys <= keysMax && bytes + moreBytes <= bytesMax) return
      const gone = this.#statements.oldest.all(namespace, key, EVICTED_AT_ONCE)
      if (gone.length === 0)
        throw new Refusal('kv-value', `a value larger than the cache of ${bytesMax} bytes`)
      for (const row of gone) {
        this.#count(namespace, -1, -rowBytes(row))
        this.#touched.add(wordOf(this.#name, namespace, row['key'] as string))
      }
      this.evicted += gone.length
    }
  }

  #usageOf(namespace: string): Usage {
    let usage = this.#changed.get(namespace)
    if (!usage) {
      usage = { ...(this.#usage.get(namespace) ?? { keys: 0, bytes: 0 }) }
      this.#changed.set(namespace, usage)
    }
    return usage
  }

  #count(namespace: string, keys: number, bytes: number): void {
    const usage = this.#usageOf(namespace)
    usage.keys += keys
    usage.bytes += bytes
  }
}

const rowBytes = (row: Readonly<Record<string, unknown>>): number =>
  Buffer.byteLength(row['key'] as string) + Number(row['bytes'])

/** What a counter holds after it grew. */
function sum(key: string, held: Uint8Array | undefined, by: number): number {
  const text = held === undefined ? '0' : Buffer.from(held).toString('latin1')
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) + by : Number.NaN
  if (Number.isSafeInteger(value)) return value
  throw new Refusal(
    'kv-number',
    Number.isNaN(value)
      ? `${JSON.stringify(key)} holds what is no whole number: it cannot be incremented`
      : `${JSON.stringify(key)} would leave the whole numbers that are exact (2^53)`,
  )
}

export function kvError(path: string, error: unknown): EdgeError {
  const found = storeError(path, error)
  return found.code === 'store-corrupt' ? new EdgeError('kv-corrupt', found.message, { cause: error }) : found
}

function prepare(db: DatabaseSync) {
  return {
    get: db.prepare('SELECT value, expires FROM entry WHERE namespace = ? AND key = ?'),
    put: db.prepare('INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)'),
    remove: db.prepare('DELETE FROM entry WHERE namespace = ? AND key = ?'),
    namespaces: db.prepare('SELECT * FROM namespace'),
    count: db.prepare('INSERT OR REPLACE INTO namespace VALUES (?, ?, ?)'),
    forget: db.prepare('DELETE FROM namespace WHERE name = ?'),
    expired: db.prepare(
      `DELETE FROM entry WHERE rowid IN (SELECT rowid FROM entry WHERE expires > 0 AND expires <= ? LIMIT ?)
       RETURNING namespace, key, length(value) AS bytes`,
    ),
    oldest: db.prepare(
      `DELETE FROM entry WHERE rowid IN (SELECT rowid FROM entry WHERE namespace = ? AND key <> ? ORDER BY rowid LIMIT ?)
       RETURNING key, length(value) AS bytes`,
    ),
  }
}
