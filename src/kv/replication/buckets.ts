/**
 * The logs of the buckets in the file of key/value data: where each stands, its latest entries for those who follow, and the markers of edges.
 *
 * The file has these tables from when it first needs them, and another format number from then on: a program that does not know them would change
 * data behind their back.
 */
import { randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { KV_BUCKETS } from '../../contract/shared-log.ts'
import type { LogEntry, Position } from '../../contract/store.ts'
import { GENESIS } from '../../store/chain.ts'
import { inTransaction } from '../../store/transaction.ts'
import { KV_SCHEMA_REPLICATED } from '../file.ts'
import { decodeMarker, encodeMarker, type Marker } from './encoding.ts'

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS role (name TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS bucket (bucket INTEGER PRIMARY KEY, log TEXT NOT NULL, id INTEGER NOT NULL, hash TEXT NOT NULL,
    base_id INTEGER NOT NULL, base_hash TEXT NOT NULL, bytes INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS log_entry (bucket INTEGER NOT NULL, id INTEGER NOT NULL, operation TEXT NOT NULL, key TEXT NOT NULL,
    value TEXT NOT NULL, at INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (bucket, id)) STRICT;
  CREATE TABLE IF NOT EXISTS marker (bucket INTEGER NOT NULL, instance TEXT NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (bucket, instance)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY, instance TEXT NOT NULL, bucket INTEGER NOT NULL, namespace TEXT NOT NULL,
    key TEXT NOT NULL, op TEXT NOT NULL, value BLOB NOT NULL, step INTEGER NOT NULL, ttl INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS outbox_bucket ON outbox (bucket, seq);
  CREATE INDEX IF NOT EXISTS outbox_key ON outbox (namespace, key);
  CREATE TABLE IF NOT EXISTS ordered (namespace TEXT NOT NULL, key TEXT NOT NULL, value BLOB, expires INTEGER NOT NULL,
    PRIMARY KEY (namespace, key)) STRICT;
  PRAGMA user_version = ${KV_SCHEMA_REPLICATED};
`

/** Whose logs these are: this node's own, or those of others that it follows. */
export type BucketsRole = 'authority' | 'replica'

export interface BucketsOptions {
  readonly role: BucketsRole
  /** Where the file has data and no other role yet than to be its own, it keeps that until `takeRole`. */
  readonly isRoleTakenLater?: boolean
  /** Entries of each bucket that are kept for those who lag; 0: none are kept. */
  readonly keepEntries: number
  /** And bytes of their values. */
  readonly keepBytes: number
}

/** Characters of values in one answer of `entriesAfter`, but for one entry, which may be larger. */
const ANSWER_CHARACTERS_MAX = 1024 * 1024

export function hasBuckets(db: DatabaseSync): boolean {
  return db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'bucket'`).get() !== undefined
}

export class Buckets {
  readonly #options: BucketsOptions
  readonly #db: DatabaseSync
  readonly #statements: ReturnType<typeof prepare>
  /** As in the file. */
  readonly #rows = new Map<number, BucketRow>()

  #role: BucketsRole

  /** Within a transaction of its own. A file that had another role before begins new logs; what waited to be sent is let go then. */
  constructor(db: DatabaseSync, options: BucketsOptions) {
    this.#options = options
    this.#db = db
    this.#role = options.role
    this.#statements = inTransaction(db, () => {
      db.exec(SCHEMA)
      return prepare(db)
    })
    const before = db.prepare('SELECT name FROM role').get()?.['name']
    this.#role = options.isRoleTakenLater === true && before !== options.role ? 'authority' : options.role
    if (before !== this.#role) inTransaction(db, () => this.#begin(db, this.#role))
  }

  /** Whether the logs here are those of the role that was asked for. */
  get hasRole(): boolean {
    return this.#role === this.#options.role
  }

  /** Its data stays, and is in no log yet. */
  takeRole(): void {
    if (this.hasRole) return
    inTransaction(this.#db, () => this.#begin(this.#db, this.#options.role))
    this.#role = this.#options.role
  }

  #begin(db: DatabaseSync, role: BucketsRole): void {
    db.exec('DELETE FROM role; DELETE FROM bucket; DELETE FROM log_entry; DELETE FROM marker')
    db.exec('DELETE FROM outbox; DELETE FROM ordered')
    db.prepare('INSERT INTO role VALUES (?)').run(role)
    for (let bucket = 0; bucket < KV_BUCKETS; bucket++) {
      const log = role === 'authority' ? randomBytes(8).toString('hex') : ''
      this.setPosition(bucket, { log, id: 0, hash: GENESIS })
    }
  }

  position(bucket: number): Position {
    const { log, id, hash } = this.#row(bucket)
    return { log, id, hash }
  }

  positions(): Position[] {
    return Array.from({ length: KV_BUCKETS }, (_, bucket) => this.position(bucket))
  }

  /** The log begins there: no entry before it is kept. */
  setPosition(bucket: number, { log, id, hash }: Position): void {
    this.#statements.clear.run(bucket)
    this.#set(bucket, { log, id, hash, base_id: id, base_hash: hash, bytes: 0 })
  }

  /** Entries that come next; `position` is where they end. */
  append(bucket: number, entries: readonly LogEntry[], { id, hash }: Position): void {
    const { keepEntries, keepBytes } = this.#options
    const before = this.#row(bucket)
    if (keepEntries === 0) {
      this.#set(bucket, { ...before, id, hash, base_id: id, base_hash: hash })
      return
    }
    let { bytes } = before
    for (const entry of entries) {
      const { operation, key, value, at } = entry
      this.#statements.insert.run(bucket, entry.id, operation, key, value, at, entry.hash)
      bytes += Buffer.byteLength(value)
    }
    this.#set(bucket, { ...before, id, hash, bytes })
    // A quarter at a time, so that it is done rarely.
    if (id - before.base_id > keepEntries) this.#trim(bucket, id - Math.floor(keepEntries * 0.75))
    else if (bytes > keepBytes) this.#trim(bucket, before.base_id + Math.ceil((id - before.base_id) / 2))
  }

  #trim(bucket: number, through: number): void {
    const base = this.#statements.one.get(bucket, through) as { hash: string } | undefined
    if (!base) return
    let gone = 0
    for (const row of this.#statements.cut.all(bucket, through)) gone += Number(row['length'])
    const before = this.#row(bucket)
    this.#set(bucket, { ...before, base_id: through, base_hash: base.hash, bytes: before.bytes - gone })
  }

  entriesAfter(bucket: number, position: Position, limit: number): readonly LogEntry[] | 'reset' {
    const here = this.#row(bucket)
    if (position.log !== here.log || position.id > here.id || position.id < here.base_id) return 'reset'
    const hash = position.id === here.base_id ? here.base_hash : this.#hashAt(bucket, position.id)
    if (hash !== position.hash) return 'reset'
    const entries: LogEntry[] = []
    let characters = 0
    for (const row of this.#statements.after.iterate(bucket, position.id, limit)) {
      const entry = { ...row } as unknown as LogEntry
      characters += entry.value.length
      if (entries.length > 0 && characters > ANSWER_CHARACTERS_MAX) break
      entries.push(entry)
    }
    return entries
  }

  #hashAt(bucket: number, id: number): string | undefined {
    return this.#statements.one.get(bucket, id)?.['hash'] as string | undefined
  }

  #row(bucket: number): BucketRow {
    let row = this.#rows.get(bucket)
    if (!row) {
      row = this.#statements.bucket.get(bucket) as unknown as BucketRow
      this.#rows.set(bucket, row)
    }
    return row
  }

  #set(bucket: number, row: BucketRow): void {
    const { log, id, hash, base_id: baseId, base_hash: baseHash, bytes } = row
    this.#statements.set.run(bucket, log, id, hash, baseId, baseHash, bytes)
    this.#rows.set(bucket, row)
  }

  /** After a transaction that was undone. */
  reload(): void {
    this.#rows.clear()
  }

  // ── markers ───────────────────────────────────────────────────────────────────────────────────────────────────

  marker(bucket: number, instance: string): Marker | undefined {
    const row = this.#statements.marker.get(bucket, instance)
    return row && decodeMarker(row['value'] as string)
  }

  markers(bucket: number): ReadonlyMap<string, string> {
    return new Map(
      this.#statements.markers.all(bucket).map((row) => [row['instance'] as string, row['value'] as string]),
    )
  }

  /** Instances of one, but for so many that sent something last. */
  instancesBeyond(bucket: number, from: string | undefined, count: number): string[] {
    const rows = this.#statements.beyond.all(bucket, from ?? null, count)
    return rows.map((row) => row['instance'] as string)
  }

  setMarker(bucket: number, instance: string, marker: Marker | undefined): void {
    if (marker) this.#statements.setMarker.run(bucket, instance, marker.at, encodeMarker(marker))
    else this.#statements.removeMarker.run(bucket, instance)
  }

  /** These, and no others. */
  setMarkers(bucket: number, markers: ReadonlyMap<string, Marker>): void {
    this.#statements.removeMarkers.run(bucket)
    for (const [instance, marker] of markers) this.setMarker(bucket, instance, marker)
  }

  /** Instances that have sent nothing since then. */
  markersBefore(
    at: number,
    limit: number,
  ): readonly { readonly bucket: number; readonly instance: string }[] {
    return this.#statements.stale
      .all(at, limit)
      .map((row) => ({ bucket: Number(row['bucket']), instance: row['instance'] as string }))
  }
}

interface BucketRow {
  readonly log: string
  readonly id: number
  readonly hash: string
  readonly base_id: number
  readonly base_hash: string
  readonly bytes: number
}

function prepare(db: DatabaseSync) {
  return {
    bucket: db.prepare('SELECT * FROM bucket WHERE bucket = ?'),
    set: db.prepare('INSERT OR REPLACE INTO bucket VALUES (?, ?, ?, ?, ?, ?, ?)'),
    insert: db.prepare('INSERT INTO log_entry VALUES (?, ?, ?, ?, ?, ?, ?)'),
    one: db.prepare('SELECT hash FROM log_entry WHERE bucket = ? AND id = ?'),
    after: db.prepare(
      `SELECT id, operation, key, value, at, hash FROM log_entry WHERE bucket = ? AND id > ? ORDER BY id LIMIT ?`,
    ),
    cut: db.prepare(
      'DELETE FROM log_entry WHERE bucket = ? AND id <= ? RETURNING octet_length(value) AS length',
    ),
    clear: db.prepare('DELETE FROM log_entry WHERE bucket = ?'),
    marker: db.prepare('SELECT value FROM marker WHERE bucket = ? AND instance = ?'),
    markers: db.prepare('SELECT instance, value FROM marker WHERE bucket = ?'),
    beyond: db.prepare(
      `SELECT instance FROM marker WHERE bucket = ? AND json_extract(value, '$.from') IS ? ORDER BY at DESC LIMIT -1 OFFSET ?`,
    ),
    setMarker: db.prepare('INSERT OR REPLACE INTO marker VALUES (?, ?, ?, ?)'),
    removeMarker: db.prepare('DELETE FROM marker WHERE bucket = ? AND instance = ?'),
    removeMarkers: db.prepare('DELETE FROM marker WHERE bucket = ?'),
    stale: db.prepare('SELECT bucket, instance FROM marker WHERE at < ? LIMIT ?'),
  }
}
