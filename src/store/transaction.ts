import type { DatabaseSync } from 'node:sqlite'

/** What `work` writes, all of it or nothing. Nobody else writes meanwhile. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    // Where SQLite gave up the transaction itself, there is nothing to roll back.
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}
