/**
 * A snapshot of another log on its way into the file: it is gathered in a table aside, by as many transactions as it has parts, and takes
 * the place of everything in one. A process that is killed meanwhile leaves what was there before.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Position, SnapshotLoad } from '../contract/store.ts'
import { writeMeta } from './positions.ts'

export interface LoadHooks {
  /** Runs the work as one durable transaction. */
  transaction(work: () => Position): Position
}

export function loadSnapshot(
  db: DatabaseSync,
  position: Position,
  keeper: string | undefined,
  { transaction }: LoadHooks,
  current: () => Position,
): SnapshotLoad {
  const aside = (work: () => void) => void transaction(() => (work(), current()))
  aside(() => {
    db.exec('CREATE TABLE IF NOT EXISTS incoming (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT')
    db.exec('DELETE FROM incoming')
  })
  const insert = db.prepare('INSERT OR REPLACE INTO incoming VALUES (?, ?)')
  return {
    add(pairs) {
      aside(() => {
        for (const [key, value] of pairs) insert.run(key, value)
      })
    },
    commit() {
      transaction(() => {
        db.exec('DELETE FROM log; DELETE FROM base; DELETE FROM state')
        db.exec('INSERT INTO base SELECT * FROM incoming; INSERT INTO state SELECT * FROM incoming')
        db.exec('DROP TABLE incoming')
        writeMeta(db, 'log', position.log)
        writeMeta(db, 'base', JSON.stringify({ id: position.id, hash: position.hash }))
        writeMeta(db, 'keeper', keeper)
        return position
      })
    },
    abort() {
      aside(() => db.exec('DROP TABLE IF EXISTS incoming'))
    },
  }
}
