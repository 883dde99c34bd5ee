/**
 * The chain through the log: each entry carries a SHA-256 over the hash before and its own content.
 *
 * Two logs with the same hash at an id are the same log up to there. It is no signature: whoever can write the file
 * can make a new chain. It finds damage, and replicas that stand on another history.
 */
import { createHash } from 'node:crypto'
import type { LogEntry } from '../contract/store.ts'

/** The hash of position 0, before any entry. */
export const GENESIS = '0'.repeat(64)

/** JSON keeps the parts apart: no two different entries give the same text. */
export function entryHash(before: string, entry: Omit<LogEntry, 'hash'>): string {
  const text = JSON.stringify([before, entry.id, entry.operation, entry.key, entry.value, entry.at])
  return createHash('sha256').update(text).digest('hex')
}
