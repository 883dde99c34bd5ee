/**
 * Lets go of entries: what they add up to goes into the state first, then the base moves beyond them and they are gone.
 *
 * One folds at a time. Whoever begins writes its name into the base, and each of its transactions compares that: one that stood still
 * and wakes up later, when another has gone on, changes nothing.
 */
import type { Effect, LogEntry } from '../../../contract/store.ts'
import { PAGE_RECORDS, readBatches } from './batches.ts'
import { get, type Operation, put, range, remove, transact, valueIs } from './kv.ts'
import { damaged, type LogPlace, lookAt, newName } from './place.ts'
import { type Base, baseText, type Keys } from './records.ts'
import { applyGroups, isOfParts, stateGroups } from './state.ts'

/** Entries that are folded in one go: what is kept in memory. */
const FOLD_ENTRIES = 1000
/** How often it is begun again where another folds, too. */
const STARTS_MAX = 10

export async function letGo(place: LogPlace, generation: string | undefined, upTo: number): Promise<void> {
  for (let start = 0; start < STARTS_MAX; start += 1) {
    const look = await lookAt(place, generation)
    if (look === undefined) return
    const { head, keys, base } = look
    const end = Math.min(upTo, head.position.id)
    if (base === undefined) throw damaged(place, end)
    if (base.id >= end || (await fold(place, keys, base, end))) return
  }
}

/** False where another has taken over, or the log was replaced. */
async function fold(place: LogPlace, keys: Keys, base: Base, end: number): Promise<boolean> {
  const { gateway } = place
  const folder = newName()
  let at: Pick<LogEntry, 'id' | 'hash'> = base
  let { text, hasParts } = base

  /** The base moves on; said again where the answer was lost. */
  async function move(next: Pick<LogEntry, 'id' | 'hash'>, more: readonly Operation[]): Promise<boolean> {
    const nextText = baseText({ id: next.id, hash: next.hash, folder, hasParts })
    const { succeeded, ranges } = await transact(gateway, {
      compare: [valueIs(keys.base, text)],
      success: [put(keys.base, nextText), ...more],
      failure: [get(keys.base)],
    })
    if (!succeeded && ranges[0]?.[0]?.value.toString() !== nextText) return false
    at = next
    text = nextText
    return true
  }
  const whileMine = (success: readonly Operation[]) =>
    transact(gateway, { compare: [valueIs(keys.base, text)], success })

  if (!(await move(base, []))) return false
  while (at.id < end) {
    const { succeeded, ranges } = await whileMine([
      range(keys.batch(at.id + 1), keys.batchesEnd, PAGE_RECORDS),
    ])
    if (!succeeded) return false
    const entries = await readBatches(gateway, ranges[0]!, at, { limit: Math.min(FOLD_ENTRIES, end - at.id) })
    if (entries.length === 0) {
      // Where another has folded them meanwhile, they are gone as they should be.
      if (!(await whileMine([])).succeeded) return false
      throw damaged(place, at.id + 1)
    }
    const effects = lastOfEachKey(entries)
    if (!hasParts && effects.some(isOfParts)) {
      hasParts = true
      if (!(await move(at, []))) return false
    }
    const groups = stateGroups(keys, effects, hasParts)
    if (!(await applyGroups(groups, async (group) => (await whileMine(group)).succeeded))) return false
    const last = entries.at(-1)!
    const gone = [remove(keys.batches, keys.batch(last.id + 1)), remove(keys.blobs, keys.blobsAfter(last.id))]
    if (!(await move(last, gone))) return false
  }
  return true
}

const lastOfEachKey = (entries: readonly LogEntry[]): readonly Effect[] => [
  ...new Map(entries.map((entry) => [entry.key, entry])).values(),
]
