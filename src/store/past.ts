/**
 * The store as it was: what stood before the first entry that is kept, and the entries up to one of them. It is worked out in memory, for
 * a look at the past and for going back to it.
 */
import type { DatabaseSync } from 'node:sqlite'
import { EdgeError } from '../base/errors.ts'
import type { LogEntry, Position, StoreView } from '../contract/store.ts'
import { basePosition } from './positions.ts'

/** Throws `store-diverged` where the id is not among what is kept. */
export function readPast(db: DatabaseSync, id: number): StoreView {
  const base = basePosition(db)
  let position: Position = base
  const state = new Map<string, string>()
  for (const row of db.prepare('SELECT key, value FROM base').iterate())
    state.set(String(row['key']), String(row['value']))
  const entries = db.prepare('SELECT * FROM log WHERE id <= ? ORDER BY id').iterate(id)
  for (const row of entries) {
    const entry = row as unknown as LogEntry
    if (entry.operation === 'SET') state.set(entry.key, entry.value)
    else state.delete(entry.key)
    position = { log: base.log, id: entry.id, hash: entry.hash }
  }
  if (position.id !== id)
    throw new EdgeError(
      'store-diverged',
      `there is no position ${id} here: what is kept begins at ${base.id}`,
    )
  return viewOf(position, state)
}

export function viewOf(position: Position, state: ReadonlyMap<string, string>): StoreView {
  return {
    position: () => position,
    get: (key) => state.get(key),
    list: (prefix) =>
      [...state].filter(([key]) => key.startsWith(prefix)).toSorted(([a], [b]) => compareKeys(a, b)),
  }
}

/** As SQLite orders text: by the bytes of its UTF-8. */
const compareKeys = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
