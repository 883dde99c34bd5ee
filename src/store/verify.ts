/** Whether a log is whole: ids without a gap, every hash right, and the state what the log adds up to. */
import type { DatabaseSync } from 'node:sqlite'
import type { LogEntry } from '../contract/store.ts'
import { entryHash } from './chain.ts'
import { basePosition } from './positions.ts'

export type Verdict =
  | { readonly ok: true; readonly entries: number }
  /** `id` is the first entry that is not right; what is before it is. */
  | { readonly ok: false; readonly id: number; readonly problem: string }

/** Checks entries from id `from` on, or all that are kept. `state` compares the state as well, which needs all. */
export function verifyLog(
  db: DatabaseSync,
  options: { readonly from: number; readonly state: boolean },
): Verdict {
  const { state } = options
  const base = basePosition(db)
  const from = Math.max(options.from, base.id + 1)
  const before = db.prepare('SELECT hash FROM log WHERE id = ?').get(from - 1)?.['hash']
  if (from > base.id + 1 && before === undefined) return { ok: false, id: from - 1, problem: 'is missing' }
  let hash = from === base.id + 1 ? base.hash : String(before)
  let id = from - 1
  const expected = new Map<string, string>()
  if (state)
    for (const row of db.prepare('SELECT key, value FROM base').iterate())
      expected.set(String(row['key']), String(row['value']))
  for (const row of db.prepare('SELECT * FROM log WHERE id >= ? ORDER BY id').iterate(from)) {
    const entry = row as unknown as LogEntry
    id++
    if (entry.id !== id) return { ok: false, id, problem: 'is missing' }
    hash = entryHash(hash, entry)
    if (entry.hash !== hash) return { ok: false, id, problem: 'does not have the hash of its content' }
    if (!state) continue
    if (entry.operation === 'SET') expected.set(entry.key, entry.value)
    else expected.delete(entry.key)
  }
  if (!state) return { ok: true, entries: id }
  for (const row of db.prepare('SELECT key, value FROM state').iterate()) {
    const key = String(row['key'])
    if (expected.get(key) !== row['value']) {
      return { ok: false, id, problem: `the state of ${key} is not what the log says` }
    }
    expected.delete(key)
  }
  for (const key of expected.keys()) return { ok: false, id, problem: `the state lacks ${key}` }
  return { ok: true, entries: id }
}
