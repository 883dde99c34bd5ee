/** The log lets go of its oldest entries: what they add up to moves into `base`. */
import type { DatabaseSync } from 'node:sqlite'
import { basePosition, writeMeta } from './positions.ts'

/** Up to this id, included. To be called in a transaction. */
export function rotateLog(db: DatabaseSync, id: number): void {
  if (id <= basePosition(db).id) return
  const last = db.prepare('SELECT hash FROM log WHERE id = ?').get(id)
  if (last === undefined) return
  db.prepare('DELETE FROM base WHERE key IN (SELECT key FROM log WHERE id <= ?)').run(id)
  db.prepare(
    `INSERT INTO base SELECT key, value FROM log WHERE operation = 'SET' AND id IN
       (SELECT max(id) FROM log WHERE id <= ? GROUP BY key)`,
  ).run(id)
  db.prepare('DELETE FROM log WHERE id <= ?').run(id)
  writeMeta(db, 'base', JSON.stringify({ id, hash: last['hash'] }))
}
