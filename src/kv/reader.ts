/**
 * Reads a key/value store from any process of the node, with a small memory of what was read lately.
 *
 * What is remembered is held against a shared word before it is given (see `versions.ts`), so it is never older than a change
 * that was acknowledged. Values are texts with a character a byte: that is how they cross into an isolate.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../base/clock.ts'
import { KV_LIST_MAX, type KvKey, type KvPage, type KvStoreName } from '../contract/kv.ts'
import { openForReading } from './file.ts'
import { wordOf } from './versions.ts'
import { kvError } from './table.ts'

export interface KvReaderOptions {
  readonly name: KvStoreName
  readonly path: string
  readonly clock: Clock
  readonly words: Int32Array
}

interface Remembered {
  readonly word: number
  readonly version: number
  readonly value: string | undefined
  readonly expires: number
}

const REMEMBERED_MAX = 2048
/** A longer value is read anew each time. */
const REMEMBERED_LENGTH_MAX = 4096

interface Open {
  readonly db: DatabaseSync
  readonly get: StatementSync
  readonly list: StatementSync
}

export class KvReader {
  readonly #options: KvReaderOptions
  readonly #remembered = new Map<string, Remembered>()
  #open: Open | undefined

  constructor(options: KvReaderOptions) {
    this.#options = options
  }

  /** Undefined where there is no such key, or its time is over. Throws `EdgeError`. */
  get(namespace: string, key: string): string | undefined {
    const name = `${namespace}\0${key}`
    const { words, clock } = this.#options
    const known = this.#remembered.get(name)
    if (known) {
      if (Atomics.load(words, known.word) === known.version) {
        return known.expires > 0 && known.expires <= clock.now() ? undefined : known.value
      }
      this.#remembered.delete(name)
    }
    const word = wordOf(this.#options.name, namespace, key)
    // Before the read: a change that comes meanwhile makes what is read old.
    const version = Atomics.load(words, word)
    const row = this.#guarded(({ get }) => get.get(namespace, key))
    const value = row && Buffer.from(row['value'] as Uint8Array).toString('latin1')
    const expires = row ? Number(row['expires']) : 0
    if (value === undefined || value.length <= REMEMBERED_LENGTH_MAX) {
      if (this.#remembered.size >= REMEMBERED_MAX) this.#forgetOldest()
      this.#remembered.set(name, { word, version, value, expires })
    }
    return expires > 0 && expires <= clock.now() ? undefined : value
  }

  /** Keys in the order of their UTF-8, from after `cursor`. */
  list(namespace: string, prefix: string, limit: number, cursor: string): KvPage {
    const count = Math.min(limit, KV_LIST_MAX)
    const now = this.#options.clock.now()
    const rows = this.#guarded(({ list }) =>
      list.all(namespace, prefix, `${prefix}\u{10ffff}`, cursor, now, count + 1),
    )
    const keys = rows.slice(0, count).map((row): KvKey => {
      const expires = Number(row['expires'])
      return { name: row['key'] as string, ...(expires > 0 && { expiresAt: expires }) }
    })
    return rows.length > count
      ? { keys, cursor: keys.at(-1)!.name, complete: false }
      : { keys, complete: true }
  }

  close(): void {
    this.#open?.db.close()
    this.#open = undefined
  }

  #forgetOldest(): void {
    for (const name of this.#remembered.keys()) {
      this.#remembered.delete(name)
      return
    }
  }

  /** Opened with the first read, and again after a failure: the file may have been mended. */
  #guarded<T>(read: (open: Open) => T): T {
    const { path } = this.#options
    try {
      this.#open ??= openStatements(path)
      return read(this.#open)
    } catch (error) {
      this.close()
      throw kvError(path, error)
    }
  }
}

function openStatements(path: string): Open {
  const db = openForReading(path)
  return {
    db,
    get: db.prepare('SELECT value, expires FROM entry WHERE namespace = ? AND key = ?'),
    list: db.prepare(
      `SELECT key, expires FROM entry WHERE namespace = ? AND key >= ? AND key < ? AND key > ?
       AND (expires = 0 OR expires > ?) ORDER BY key LIMIT ?`,
    ),
  }
}
