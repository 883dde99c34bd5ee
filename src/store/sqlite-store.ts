/**
 * The store of a node: the log and the state it adds up to, in one SQLite file, `DIRECTORY/orla.db`. It is the log itself, or a replica of
 * one that is kept elsewhere.
 *
 * An append is one transaction over both tables, on the disk when it returns (0.2 to 0.6 ms). What the log lets go of moves into `base`, so
 * base + log is always the state. No entry is ever changed, but by `rewrite.ts`.
 */
import { join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import type { Effect, LocalStore, LogEntry, Position, Snapshot } from '../contract/store.ts'
import { chain, follow } from './chain.ts'
import { randomBytes } from 'node:crypto'
import { storeError } from '../base/sqlite-failure.ts'
import { lockDirectory, type DirectoryLock } from './lock.ts'
import { openFile } from './schema.ts'
import { readPast } from './past.ts'
import { basePosition, lastPosition, readMeta, writeMeta } from './positions.ts'
import { rotateLog } from './rotation.ts'
import { idAtTime, searchLog } from './log-search.ts'
import { loadSnapshot } from './snapshot-load.ts'
import { inTransaction } from './transaction.ts'
import { watchFile } from './watch-file.ts'
import { openAudit, type AuditLog } from './audit.ts'
import { type ChangeValue, rewriteLog } from './rewrite.ts'
import { type Verdict, verifyGently, verifyLog } from './verify.ts'

/** Entries at the end of the log whose hashes are checked at every start; `verify` checks all. */
const CHECKED_AT_START = 256
/** Values that are read for somebody at once: a unit may have some megabytes. */
const READ_BYTES_MAX = 4_000_000

export interface SqliteStore extends LocalStore {
  /** The file, for messages. */
  readonly path: string
  /** Who changed what. */
  readonly audit: AuditLog
  /**
   * Changes values that were set to keys with one of the prefixes, all of the log's or none, as `rewrite.ts` says. Durable on return. Throws what
   * `change` throws, with nothing written.
   */
  rewrite(prefixes: readonly string[], change: ChangeValue): void
  /** Lets the lock go: another program writes from here on. Reading goes on, writing is refused with `upgrading`. */
  suspend(): void
  /** Takes the lock again. Throws `data-in-use` while another has it. */
  resume(): void
  /** Reads the whole log: every hash, every id, and that the state is what the log adds up to. */
  verify(): Verdict
  /** How many keys the state has. */
  size(): number
  /** The same in small steps, between which other work is done. */
  verifyGently(): Promise<Verdict>
}

/** Opens the store in `directory`, making both where they are missing, and locks it for this process. */
export function openStore(directory: string, options: { readonly clock: Clock }): SqliteStore {
  const path = resolve(join(directory, 'orla.db'))
  const lock = lockDirectory(directory)
  let db: DatabaseSync | undefined
  try {
    db = openFile(path)
    return sqliteStore(db, path, { directory, lock }, options.clock)
  } catch (error) {
    db?.close()
    lock.release()
    throw storeError(path, error)
  }
}

interface Locked {
  readonly directory: string
  lock: DirectoryLock | undefined
}

function sqliteStore(db: DatabaseSync, path: string, locked: Locked, clock: Clock): SqliteStore {
  const insert = db.prepare('INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)')
  const set = db.prepare(
    'INSERT INTO state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  )
  const remove = db.prepare('DELETE FROM state WHERE key = ?')
  const one = db.prepare('SELECT value FROM state WHERE key = ?')
  const range = db.prepare('SELECT key, value FROM state WHERE key >= ? AND key < ? ORDER BY key')
  const after = db.prepare('SELECT * FROM log WHERE id > ? ORDER BY id LIMIT ?')
  const all = db.prepare('SELECT key, value FROM state ORDER BY key')
  const hashOf = db.prepare('SELECT hash FROM log WHERE id = ?')

  let position = lastPosition(db)
  const verdict = verifyLog(db, { from: Math.max(1, position.id - CHECKED_AT_START + 1), state: false })
  if (!verdict.ok) throw new EdgeError('store-corrupt', `${path}: entry ${verdict.id}: ${verdict.problem}`)
  const inPlace = watchFile(path)

  function write(entries: readonly LogEntry[]): Position {
    for (const { id, operation, key, value, at, hash } of entries) {
      insert.run(id, operation, key, value, at, hash)
      if (operation === 'SET') set.run(key, value)
      else remove.run(key)
    }
    const { id, hash } = entries.at(-1) ?? position
    return { log: position.log, id, hash }
  }

  function apply(entries: readonly LogEntry[]): Position {
    if (entries.length === 0) return position
    follow(position, entries)
    return transaction(() => write(entries))
  }

  function read(id: number, limit: number): readonly LogEntry[] {
    let bytes = 0
    const entries: LogEntry[] = []
    for (const row of after.iterate(id, limit)) {
      const entry = { ...row } as unknown as LogEntry
      entries.push(entry)
      bytes += entry.value.length
      if (bytes > READ_BYTES_MAX) break
    }
    return entries
  }

  /** As `read`, but to the end of an append: see `wholeAppends`. */
  function readWhole(id: number, limit: number): readonly LogEntry[] {
    const entries = read(id, limit)
    const last = entries.at(-1)
    if (last === undefined) return entries
    const rest: LogEntry[] = []
    for (const row of after.iterate(last.id, -1)) {
      const entry = { ...row } as unknown as LogEntry
      if (entry.at !== last.at) break
      rest.push(entry)
    }
    return rest.length === 0 ? entries : [...entries, ...rest]
  }

  function entriesAfter(at: Position, limit: number): readonly LogEntry[] | 'reset' {
    const base = basePosition(db)
    if (at.log !== base.log || at.id < base.id || at.id > position.id) return 'reset'
    const hash = at.id === base.id ? base.hash : hashOf.get(at.id)?.['hash']
    return hash === at.hash ? readWhole(at.id, limit) : 'reset'
  }

  /** What `work` writes, all of it or nothing. On the disk when it returns. */
  function transaction(work: () => Position): Position {
    if (locked.lock === undefined) throw new EdgeError('upgrading', `another program takes over ${path}`)
    try {
      inPlace.assert()
      const next = inTransaction(db, work)
      inPlace.assert()
      return (position = next)
    } catch (error) {
      throw storeError(path, error)
    }
  }

  /** What was overwritten stands in the write-ahead log, too. While somebody reads there, as a backup does, it stays until the next time. */
  function emptyJournal(): void {
    try {
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      inPlace.allowShorter()
    } catch {
      // What was committed is in force, and the next append tells what is wrong with the file.
    }
  }

  return {
    path,
    audit: openAudit(db, path, () => clock.now()),
    append: (effects: readonly Effect[]) => apply(chain(position, effects, clock.now())),
    apply,
    rewrite(prefixes, change) {
      transaction(() => {
        rewriteLog(db, prefixes, change)
        return lastPosition(db)
      })
      emptyJournal()
    },
    position: () => position,
    get: (key) => guarded(path, () => one.get(key)?.['value'] as string | undefined),
    list: (prefix) => guarded(path, () => range.all(prefix, `${prefix}\u{10ffff}`).map((row) => pairOf(row))),
    read: (id, limit) => guarded(path, () => read(id, limit)),
    entriesAfter: (at, limit) => guarded(path, () => entriesAfter(at, limit)),
    base: () => guarded(path, () => basePosition(db)),
    keeper: () => guarded(path, () => readMeta(db, 'keeper')),
    keepFor(keeper) {
      transaction(() => (writeMeta(db, 'keeper', keeper), position))
    },
    at: (id) => guarded(path, () => readPast(db, id)),
    load: (next, keeper) => loadSnapshot(db, next, keeper, { transaction }, () => position),
    rotate(id) {
      transaction(() => (rotateLog(db, Math.min(id, position.id)), position))
    },
    snapshot: (): Snapshot =>
      guarded(path, () => ({ position, entries: new Map(all.all().map((row) => pairOf(row))) })),
    size: () => guarded(path, () => Number(db.prepare('SELECT count(*) AS n FROM state').get()!['n'])),
    search: (search) => guarded(path, () => searchLog(db, search)),
    idAt: (ms) => guarded(path, () => idAtTime(db, ms)),
    standAlone: () =>
      transaction(() => {
        writeMeta(db, 'log', randomBytes(12).toString('hex'))
        writeMeta(db, 'keeper', undefined)
        return lastPosition(db)
      }),
    verify: () => guarded(path, () => verifyLog(db, { from: 1, state: true })),
    verifyGently: () =>
      verifyGently(db).catch((error: unknown) => {
        throw storeError(path, error)
      }),
    suspend() {
      locked.lock?.release()
      locked.lock = undefined
    },
    resume() {
      locked.lock ??= lockDirectory(locked.directory)
      inPlace.allowShorter()
      position = lastPosition(db)
    },
    close() {
      if (!db.isOpen) return
      db.close()
      locked.lock?.release()
    },
  }
}

function guarded<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw storeError(path, error)
  }
}

const pairOf = (row: Record<string, unknown>): readonly [string, string] => [
  row['key'] as string,
  row['value'] as string,
]
