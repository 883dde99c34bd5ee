/**
 * The chain through the log: each entry carries a SHA-256 over the hash before and its own content.
 *
 * Two logs with the same hash at an id are the same log up to there. It is no signature: whoever can write the file
 * can make a new chain. It finds damage, and replicas that stand on another history.
 */
import { createHash } from 'node:crypto'
import { EdgeError } from '../base/errors.ts'
import type { Effect, LogEntry, Position } from '../contract/store.ts'

/** The hash of position 0, before any entry. */
export const GENESIS = '0'.repeat(64)

/** JSON keeps the parts apart: no two different entries give the same text. */
export function entryHash(before: string, entry: Omit<LogEntry, 'hash'>): string {
  const text = JSON.stringify([before, entry.id, entry.operation, entry.key, entry.value, entry.at])
  return createHash('sha256').update(text).digest('hex')
}

/** The effects as the entries that come after the position. `at` is the writer's clock, in milliseconds since 1970. */
export function chain(after: Position, effects: readonly Effect[], at: number): readonly LogEntry[] {
  let { id, hash } = after
  return effects.map((effect) => {
    const { operation } = effect
    // Engines keep UTF-8: what they could not give back the same would break the chain.
    const value = operation === 'SET' ? effect.value.toWellFormed() : ''
    const entry = { id: ++id, operation, key: effect.key.toWellFormed(), value, at }
    hash = entryHash(hash, entry)
    return { ...entry, hash }
  })
}

/**
 * Those of the entries that are surely whole appends, where more may follow them. Who applied a part of an append would show what nobody wrote.
 *
 * Entries of one append have one `at`. Appends that follow each other within a millisecond may have the same: they count as one, which is no harm.
 */
export function wholeAppends(entries: readonly LogEntry[]): readonly LogEntry[] {
  const at = entries.at(-1)?.at
  return entries.slice(0, entries.findLastIndex((entry) => entry.at !== at) + 1)
}

/** Where the log ends after these entries. Throws `store-diverged` where they do not follow the position, or are not whole. */
export function follow(after: Position, entries: readonly LogEntry[]): Position {
  let { id, hash } = after
  for (const entry of entries) {
    if (entry.id !== ++id)
      throw new EdgeError('store-diverged', `entry ${entry.id} came where ${id} comes next`)
    hash = entryHash(hash, entry)
    if (hash !== entry.hash)
      throw new EdgeError('store-diverged', `entry ${id} does not follow the one before it here`)
  }
  return { log: after.log, id, hash }
}
