/** Whether a log is whole: ids without a gap, every hash right, and the state what the log adds up to. */
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LogEntry } from '../contract/store.ts'
import { entryHash } from './chain.ts'
import { basePosition, readMeta } from './positions.ts'

export type Verdict =
  | { readonly ok: true; readonly entries: number }
  /** `id` is the first entry that is not right; what is before it is. */
  | { readonly ok: false; readonly id: number; readonly problem: string }

interface VerifyOptions {
  readonly from: number
  readonly state: boolean
}

/** What is checked before other work gets its turn. */
const BYTES_A_STEP = 2_000_000

/** Checks entries from id `from` on, or all that are kept. `state` compares the state as well, which needs all. */
export function verifyLog(db: DatabaseSync, options: VerifyOptions): Verdict {
  const steps = verifySteps(db, options)
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/** Checks all that is kept, while others go on writing: what comes meanwhile is checked, too. */
export async function verifyGently(db: DatabaseSync): Promise<Verdict> {
  for (;;) {
    const [log, base] = [readMeta(db, 'log'), readMeta(db, 'base')]
    const steps = verifySteps(db, { from: 1, state: true })
    for (;;) {
      const step = steps.next()
      // What was rotated away or replaced meanwhile is no damage: it is looked at anew.
      const isSame = readMeta(db, 'log') === log && readMeta(db, 'base') === base
      if (!isSame) break
      if (step.done) return step.value
      await nextTurn()
    }
  }
}

/** Reads a few entries at a time; from the last of them on all is done in one step, so that log and state are of one moment. */
function* verifySteps(
  db: DatabaseSync,
  { from: asked, state }: VerifyOptions,
): Generator<undefined, Verdict> {
  const base = basePosition(db)
  const from = Math.max(asked, base.id + 1)
  const before = db.prepare('SELECT hash FROM log WHERE id = ?').get(from - 1)?.['hash']
  if (from > base.id + 1 && before === undefined) return { ok: false, id: from - 1, problem: 'is missing' }
  let hash = from === base.id + 1 ? base.hash : String(before)
  let id = from - 1
  const expected = new Map<string, string>()
  if (state)
    for (const row of db.prepare('SELECT key, value FROM base').iterate())
      expected.set(String(row['key']), String(row['value']))
  const after = db.prepare('SELECT * FROM log WHERE id > ? ORDER BY id')
  for (let isEnd = false; !isEnd;) {
    isEnd = true
    let bytes = 0
    for (const row of after.iterate(id)) {
      const entry = row as unknown as LogEntry
      id++
      if (entry.id !== id) return { ok: false, id, problem: 'is missing' }
      hash = entryHash(hash, entry)
      if (entry.hash !== hash) return { ok: false, id, problem: 'does not have the hash of its content' }
      if (state && entry.operation === 'SET') expected.set(entry.key, entry.value)
      else if (state) expected.delete(entry.key)
      bytes += entry.value.length + 200
      if (bytes < BYTES_A_STEP) continue
      isEnd = false
      break
    }
    if (!isEnd) yield
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
