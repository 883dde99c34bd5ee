/**
 * The index of a tier: SQLite with a write-ahead log, written by the keeper and read by all workers.
 *
 * `object` is in the order in which things came (`seq`), which is the order that FIFO and SIEVE want. Each row carries a checksum over all
 * that is served of it: SQLite itself has none, and a bit that flips in a page would otherwise be served. Commits are not synced; what a
 * machine loses that crashes is a few objects.
 *
 * What is purged is found by nobody at once, and removed later where it is much: `purged` holds the objects that are gone, or stale, and
 * `total.floor` the last one that went when everything did.
 */
import { existsSync, rmSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { DatabaseSync } from 'node:sqlite'
import { indexPath } from './layout.ts'

const SCHEMA_VERSION = 1
/** "OrlD". */
const APPLICATION_ID = 0x4f726c44
/** Pages of the index that the keeper holds, and each worker, in KiB. */
const WRITER_CACHE_KIB = 16 * 1024
const READER_CACHE_KIB = 2 * 1024
export const PAGE_BYTES = 4096

const SCHEMA = `
  CREATE TABLE object (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL, meta BLOB NOT NULL, size INTEGER NOT NULL, file INTEGER NOT NULL,
    sums BLOB NOT NULL, tags TEXT NOT NULL, sum INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
  CREATE UNIQUE INDEX object_key ON object (key);
  CREATE UNIQUE INDEX object_file ON object (file, size) WHERE file > 0;
  CREATE TABLE tag (tag TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (tag, seq)) STRICT, WITHOUT ROWID;
  CREATE TABLE purged (seq INTEGER PRIMARY KEY, gone INTEGER NOT NULL) STRICT;
  CREATE TABLE recency (seq INTEGER PRIMARY KEY, used INTEGER NOT NULL) STRICT;
  CREATE INDEX recency_used ON recency (used);
  CREATE TABLE total (id INTEGER PRIMARY KEY, entries INTEGER NOT NULL, fileBytes INTEGER NOT NULL, hand INTEGER NOT NULL,
                      purge INTEGER NOT NULL, floor INTEGER NOT NULL) STRICT;
  INSERT INTO total VALUES (1, 0, 0, 0, 0, 0);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/** Pages in the write-ahead log before it is merged: 4 MiB, less in a small tier. */
export const walPagesOf = (bytesMax: number): number =>
  Math.max(8, Math.min(1000, Math.floor(bytesMax / 64 / PAGE_BYTES)))

/** What an index that cannot be used throws: it is to be thrown away. */
export class UnusableIndex extends Error {}

/** The keeper's connection; makes the file where there is none. `walPages`: what waits in the log until it is merged, about. */
export function openIndexForWriting(folder: string, walPages: number): DatabaseSync {
  const path = indexPath(folder)
  const isNew = !existsSync(path)
  // What is left of an index that somebody deleted belongs to no other.
  if (isNew) for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true })
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    if (isNew) db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL`)
    db.exec('PRAGMA journal_mode = WAL')
    db.exec(
      `PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${WRITER_CACHE_KIB}; PRAGMA temp_store = MEMORY;
       PRAGMA wal_autocheckpoint = ${walPages}; PRAGMA journal_size_limit = ${walPages * PAGE_BYTES}`,
    )
    if (isNew) db.exec(`BEGIN; ${SCHEMA} COMMIT`)
    check(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** A worker's connection. */
export function openIndexForReading(folder: string): DatabaseSync {
  const db = new DatabaseSync(indexPath(folder), { readOnly: true, timeout: 50 })
  try {
    db.exec(`PRAGMA cache_size = -${READER_CACHE_KIB}`)
    check(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

export function removeIndex(folder: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(indexPath(folder) + end, { force: true })
}

function check(db: DatabaseSync): void {
  if (pragma(db, 'application_id') !== APPLICATION_ID || pragma(db, 'user_version') !== SCHEMA_VERSION)
    throw new UnusableIndex('it is the index of another program, or of another version of this one')
}

export const pragma = (db: DatabaseSync, name: string): unknown =>
  Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]

/** Whether SQLite says that the file itself is beyond use: CORRUPT or NOTADB. */
export function isUnusable(error: unknown): boolean {
  if (error instanceof UnusableIndex) return true
  const code = (error as { errcode?: unknown }).errcode
  if (typeof code === 'number') return (code & 0xff) === 11 || (code & 0xff) === 26
  // A table that is not there, or a column: the schema is not the one we made.
  return /no such (table|column)|malformed/.test((error as Error).message)
}

/** Over all that is served of a row. */
export function rowSum(
  key: string,
  meta: Uint8Array,
  size: number,
  file: number,
  sums: Uint8Array,
  body: Uint8Array,
): number {
  return crc32(body, crc32(sums, crc32(meta, crc32(`${file}:${size}:${meta.length}:${sums.length}\n${key}`))))
}
