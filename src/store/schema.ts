/**
 * The store's file: how it is made, and what is checked before it is trusted.
 *
 * A new file is made whole under another name and then renamed, so a crash leaves either no store or a good one. That
 * is what lets an empty or half file be called damage, instead of being taken for a new store and served with no units.
 */
import { DatabaseSync } from 'node:sqlite'
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { EdgeError } from '../base/errors.ts'
import { GENESIS } from './chain.ts'
import { inTransaction } from './transaction.ts'

/** Grows when an older program could no longer read the file. */
export const SCHEMA_VERSION = 2

/** "Orla", so that `file` and this program know one of ours from any other SQLite database. */
const APPLICATION_ID = 0x4f726c61

/** `base` is the state before the first entry of `log`, which has let go of what was before. */
const BASE = `
  CREATE TABLE base  (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  INSERT INTO meta VALUES ('base', '${JSON.stringify({ id: 0, hash: GENESIS })}');
  PRAGMA user_version = ${SCHEMA_VERSION};
`

const SCHEMA = `
  CREATE TABLE meta  (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE log   (id INTEGER PRIMARY KEY, operation TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
                      at REAL NOT NULL, hash TEXT NOT NULL) STRICT;
  CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  ${BASE}
`

/** Opens the file, or makes it where there is none. Throws what SQLite throws, and `EdgeError` for what is not ours. */
export function openFile(path: string): DatabaseSync {
  if (!fs.existsSync(path)) create(path)
  if (fs.statSync(path).size === 0) throw new EdgeError('store-corrupt', `${path} is empty`)
  // SQLite would open what it may only read, and tell at the first append.
  fs.accessSync(path, fs.constants.W_OK)
  // Asked before SQLite makes one. While a write-ahead log waits, the file may lag behind.
  const isWhole = !fs.existsSync(`${path}-wal`)
  // One node a folder is what `lock.ts` sees to. The file itself stays open for readers, such as a backup of a running node:
  // one that begins or ends may hold a lock for a moment.
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    check(db, path, isWhole)
    if (pragma(db, 'user_version') === 1) inTransaction(db, () => db.exec(BASE))
    // FULL: the write-ahead log is on the disk before a commit returns. What is deleted or changed is overwritten, not only let go.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function create(path: string): void {
  // A write-ahead log without its file holds entries that were acknowledged: a new file would swallow or destroy them.
  if (fs.existsSync(`${path}-wal`)) {
    throw new EdgeError('store-missing', `${path} is gone, but ${path}-wal is there`, {
      hint: 'restore the file from a backup, or move the other away to start empty',
    })
  }
  const fresh = `${path}.new`
  fs.rmSync(fresh, { force: true })
  const db = new DatabaseSync(fresh)
  try {
    db.exec(`PRAGMA synchronous = FULL; BEGIN; ${SCHEMA}`)
    db.prepare(`INSERT INTO meta VALUES ('log', ?)`).run(randomBytes(12).toString('hex'))
    db.exec('COMMIT')
  } finally {
    db.close()
  }
  fs.renameSync(fresh, path)
  syncDirectory(dirname(path))
}

function check(db: DatabaseSync, path: string, isWhole: boolean): void {
  const application = pragma(db, 'application_id')
  const version = pragma(db, 'user_version')
  if (application !== APPLICATION_ID) {
    throw new EdgeError('store-corrupt', `${path} is a database, but not a store of orla`)
  }
  if (typeof version === 'number' && version > SCHEMA_VERSION) {
    throw new EdgeError(
      'store-newer',
      `${path} has format ${version}; this program knows up to ${SCHEMA_VERSION}`,
    )
  }
  // SQLite does not miss the end of the last page.
  const bytes = Number(pragma(db, 'page_count')) * Number(pragma(db, 'page_size'))
  const { size } = fs.statSync(path)
  if (isWhole && size < bytes) {
    throw new EdgeError('store-corrupt', `${path} was cut: it has ${size} of ${bytes} bytes`)
  }
  const health = pragma(db, 'quick_check')
  if (health !== 'ok') throw new EdgeError('store-corrupt', `${path}: ${health}`)
}

function pragma(db: DatabaseSync, name: string): unknown {
  const row = db.prepare(`PRAGMA ${name}`).get()
  return row === undefined ? undefined : Object.values(row)[0]
}

/** What was renamed in it outlives the machine. */
export function syncDirectory(path: string): void {
  const handle = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(handle)
  } finally {
    fs.closeSync(handle)
  }
}
