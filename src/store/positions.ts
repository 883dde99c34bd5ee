/** Where a store's file begins and ends. */
import type { DatabaseSync } from 'node:sqlite'
import type { Position } from '../contract/store.ts'

export const readMeta = (db: DatabaseSync, key: string): string | undefined =>
  db.prepare('SELECT value FROM meta WHERE key = ?').get(key)?.['value'] as string | undefined

/** Undefined: there is none any more. */
export function writeMeta(db: DatabaseSync, key: string, value: string | undefined): void {
  if (value === undefined) db.prepare('DELETE FROM meta WHERE key = ?').run(key)
  else db.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(key, value)
}

/** The position before the first entry that is kept. */
export function basePosition(db: DatabaseSync): Position {
  const { id, hash } = JSON.parse(readMeta(db, 'base')!) as Pick<Position, 'id' | 'hash'>
  return { log: readMeta(db, 'log')!, id, hash }
}

export function lastPosition(db: DatabaseSync): Position {
  const base = basePosition(db)
  const last = db.prepare('SELECT id, hash FROM log ORDER BY id DESC LIMIT 1').get()
  return last ? { log: base.log, id: last['id'] as number, hash: last['hash'] as string } : base
}
