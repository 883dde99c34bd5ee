/**
 * The rows of a key/value store in its file, and what each namespace uses: what writes them in transactions, and tells readers of every
 * process what has changed.
 */
import type { DatabaseSync } from 'node:sqlite'
import { EdgeError } from '../base/errors.ts'
import { storeError } from '../base/sqlite-failure.ts'
import type { KvStoreName } from '../contract/kv.ts'
import { openForWriting } from './file.ts'
import type { KvRow, KvRows, KvUsage } from './rows.ts'
import { wordOf } from './versions.ts'

export interface NamespaceUsage {
  readonly namespace: string
  readonly keys: number
  readonly bytes: number
}

export interface KvTableOptions {
  readonly name: KvStoreName
  readonly path: string
  /** The shared words: see `versions.ts`. */
  readonly words: Int32Array
  /** A cache goes on with what is there, where it does not start empty: other processes still use it. */
  readonly keepsCache?: boolean | undefined
}

/** Whoever keeps a log of the changes. Called within the transaction; what it throws undoes all of it. */
export interface KvJournal {
  changed(namespace: string, key: string, row: KvRow | undefined): void
  committing(): void
  /** `isDone` false: it was undone. */
  ended(isDone: boolean): void
}

export class KvTable implements KvRows {
  readonly name: KvStoreName
  readonly path: string
  readonly db: DatabaseSync
  journal: KvJournal | undefined
  readonly #words: Int32Array
  readonly #statements: ReturnType<typeof prepare>
  /** What is committed; a transaction works on copies in `#changed`. */
  readonly #usage = new Map<string, KvUsage>()
  readonly #changed = new Map<string, KvUsage>()
  readonly #touched = new Set<number>()
  #isDurable = false

  /** Opens the file. Throws `EdgeError`. */
  constructor({ name, path, words, keepsCache = false }: KvTableOptions) {
    this.name = name
    this.path = path
    this.#words = words
    try {
      this.db = openForWriting(path, { isCache: name === 'cache', isFresh: name === 'cache' && !keepsCache })
      this.#statements = prepare(this.db)
      for (const row of this.#statements.namespaces.all()) {
        this.#usage.set(row['name'] as string, { keys: Number(row['keys']), bytes: Number(row['bytes']) })
      }
    } catch (error) {
      throw kvError(path, error)
    }
  }

  /** Of all namespaces, as it is committed. */
  get usages(): NamespaceUsage[] {
    return [...this.#usage].map(([namespace, { keys, bytes }]) => ({ namespace, keys, bytes }))
  }

  /** All that `work` writes, or nothing. Visible to every reader when this returns. */
  transaction<T>(durable: boolean, work: () => T): T {
    this.#setDurable(durable)
    this.#changed.clear()
    this.#touched.clear()
    this.db.exec('BEGIN IMMEDIATE')
    let isDone = false
    try {
      const result = work()
      this.journal?.committing()
      for (const [name, { keys, bytes }] of this.#changed) {
        if (keys === 0) this.#statements.forget.run(name)
        else this.#statements.count.run(name, keys, bytes)
      }
      this.db.exec('COMMIT')
      for (const [name, usage] of this.#changed) {
        if (usage.keys === 0) this.#usage.delete(name)
        else this.#usage.set(name, usage)
      }
      for (const word of this.#touched) Atomics.add(this.#words, word, 1)
      isDone = true
      return result
    } catch (error) {
      // Where SQLite gave up the transaction itself, there is nothing to roll back.
      if (this.db.isTransaction) this.db.exec('ROLLBACK')
      throw error
    } finally {
      this.journal?.ended(isDone)
    }
  }

  #setDurable(durable: boolean): void {
    if (durable === this.#isDurable || this.name === 'cache') return
    this.db.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
    this.#isDurable = durable
  }

  held(namespace: string, key: string): KvRow | undefined {
    const row = this.#statements.get.get(namespace, key)
    return row && { value: row['value'] as Uint8Array, expires: Number(row['expires']) }
  }

  usage(namespace: string): Readonly<KvUsage> {
    return this.#changed.get(namespace) ?? this.#usage.get(namespace) ?? { keys: 0, bytes: 0 }
  }

  // ── within a transaction ──────────────────────────────────────────────────────────────────────────────────────

  put(namespace: string, key: string, row: KvRow, held: KvRow | undefined): void {
    this.#statements.put.run(namespace, key, row.value, row.expires)
    if (held) this.#count(namespace, 0, row.value.length - held.value.length)
    else this.#count(namespace, 1, row.value.length + Buffer.byteLength(key))
    this.#touch(namespace, key, row)
  }

  remove(namespace: string, key: string, held: KvRow): void {
    this.#statements.remove.run(namespace, key)
    this.#count(namespace, -1, -(held.value.length + Buffer.byteLength(key)))
    this.#touch(namespace, key, undefined)
  }

  /** Takes away what has expired, so many at most, and says how many it were. */
  removeExpired(now: number, limit: number): number {
    const gone = this.#statements.expired.all(now, limit)
    for (const row of gone) this.#gone(row['namespace'] as string, row)
    return gone.length
  }

  /** Takes away what was written longest ago, but for `key`, and says how many it were. */
  removeOldest(namespace: string, key: string, limit: number): number {
    const gone = this.#statements.oldest.all(namespace, key, limit)
    for (const row of gone) this.#gone(namespace, row)
    return gone.length
  }

  close(): void {
    if (this.db.isOpen) this.db.close()
  }

  #gone(namespace: string, row: Readonly<Record<string, unknown>>): void {
    const key = row['key'] as string
    this.#count(namespace, -1, -(Buffer.byteLength(key) + Number(row['bytes'])))
    this.#touch(namespace, key, undefined)
  }

  #touch(namespace: string, key: string, row: KvRow | undefined): void {
    this.#touched.add(wordOf(this.name, namespace, key))
    this.journal?.changed(namespace, key, row)
  }

  #count(namespace: string, keys: number, bytes: number): void {
    let usage = this.#changed.get(namespace)
    if (!usage) {
      usage = { ...(this.#usage.get(namespace) ?? { keys: 0, bytes: 0 }) }
      this.#changed.set(namespace, usage)
    }
    usage.keys += keys
    usage.bytes += bytes
  }
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
