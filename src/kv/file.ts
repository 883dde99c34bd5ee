/**
 * The file of a key/value store: SQLite with a write-ahead log, written by one process and read by many.
 *
 * `entry` holds the data, `namespace` what each namespace uses, kept up with every change so that quotas cost no count.
 * Values are bytes; text is its UTF-8. An expiry is milliseconds since 1970, 0 for none.
 */
import { accessSync, constants, existsSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { EdgeError } from '../base/errors.ts'

/** What this program knows. */
export const KV_SCHEMA_VERSION = 2
/** Of a file that no other node has to do with. */
const KV_SCHEMA_ALONE = 1
/** Of one with logs of its buckets: see `replication/buckets.ts`. */
export const KV_SCHEMA_REPLICATED = 2
/** "OrlK". */
const APPLICATION_ID = 0x4f726c4b

const SCHEMA = `
  CREATE TABLE entry (namespace TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, expires INTEGER NOT NULL,
                      UNIQUE (namespace, key)) STRICT;
  CREATE INDEX entry_expires ON entry (expires) WHERE expires > 0;
  CREATE TABLE namespace (name TEXT PRIMARY KEY, keys INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${KV_SCHEMA_ALONE};
`

export interface WriterConnection {
  /** Of a cache nothing has to outlive the machine. */
  readonly isCache: boolean
  /** Whatever was there is thrown away. */
  readonly isFresh: boolean
}

/** The writer's connection; makes the file where there is none. */
export function openForWriting(path: string, { isCache, isFresh }: WriterConnection): DatabaseSync {
  if (isFresh) for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true })
  const isNew = !existsSync(path)
  if (!isNew) {
    if (statSync(path).size === 0 && !existsSync(`${path}-wal`)) {
      throw new EdgeError('kv-corrupt', `${path} is empty`)
    }
    // SQLite would open what it may only read, and tell at the first write.
    accessSync(path, constants.W_OK)
  }
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    db.exec('PRAGMA journal_mode = WAL')
    if (isNew) db.exec(`BEGIN; ${SCHEMA} COMMIT`)
    check(db, path)
    const [health] = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})
    if (health !== 'ok') throw new EdgeError('kv-corrupt', `${path}: ${String(health)}`)
    // What a commit wrote outlives the process at once, and the machine from the next durable write or checkpoint on.
    db.exec(`PRAGMA synchronous = ${isCache ? 'OFF' : 'NORMAL'}; PRAGMA temp_store = MEMORY`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** A reader's connection, in any process. The writer has opened the file before. */
export function openForReading(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
  try {
    check(db, path)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function check(db: DatabaseSync, path: string): void {
  const pragma = (name: string): unknown => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]
  if (pragma('application_id') !== APPLICATION_ID) {
    throw new EdgeError('kv-corrupt', `${path} is a database, but not one of key/value data`)
  }
  const version = pragma('user_version')
  if (typeof version === 'number' && version > KV_SCHEMA_VERSION) {
    throw new EdgeError(
      'store-newer',
      `${path} has format ${version}; this program knows up to ${KV_SCHEMA_VERSION}`,
    )
  }
}
