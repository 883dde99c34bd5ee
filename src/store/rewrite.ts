/**
 * Values of the log written anew, as if they had been so from the start: for what must not be readable any more by whoever gets the file.
 *
 * No entry comes or goes. Every hash from the first change on becomes another one, so the log gets another name: whoever stands on the one
 * before stands on another history.
 */
import { randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { EdgeError } from '../base/errors.ts'
import type { LogEntry } from '../contract/store.ts'
import { entryHash, GENESIS } from './chain.ts'

/** The value to have in place of `value`. `isCurrent`: it is what the key holds now, not history. */
export type ChangeValue = (key: string, value: string, isCurrent: boolean) => string

/** Entries that are in memory at once: a value may have some megabytes. */
const AT_ONCE = 16

/**
 * Changes values that were set to keys with the prefix, in the log and in the state. To be called in a transaction. Throws `store-corrupt`
 * where the log is not whole: a new chain of hashes would hide that.
 */
export function rewriteLog(db: DatabaseSync, prefix: string, change: ChangeValue): void {
  const lastOf = new Map(
    db
      .prepare('SELECT key, max(id) AS id FROM log WHERE key >= ? AND key < ? GROUP BY key')
      .all(prefix, `${prefix}\u{10ffff}`)
      .map((row) => [row['key'] as string, row['id'] as number]),
  )
  const after = db.prepare('SELECT * FROM log WHERE id > ? ORDER BY id LIMIT ?')
  const update = db.prepare('UPDATE log SET value = ?, hash = ? WHERE id = ?')
  const set = db.prepare('UPDATE state SET value = ? WHERE key = ?')
  let hash = GENESIS
  let hashBefore = GENESIS
  let isChanged = false
  const rewrite = (entry: LogEntry): void => {
    const { id, operation, key } = entry
    if (entryHash(hashBefore, entry) !== entry.hash)
      throw new EdgeError('store-corrupt', `entry ${id} of the log does not have the hash of its content`)
    hashBefore = entry.hash
    const isOurs = operation === 'SET' && lastOf.has(key)
    const isCurrent = lastOf.get(key) === id
    const value = isOurs ? change(key, entry.value, isCurrent) : entry.value
    hash = entryHash(hash, { ...entry, value })
    if (hash === entry.hash) return
    isChanged = true
    update.run(value, hash, id)
    if (isOurs && isCurrent) set.run(value, key)
  }
  for (let id = 0; ;) {
    const entries = after.all(id, AT_ONCE) as unknown as LogEntry[]
    for (const entry of entries) rewrite(entry)
    if (entries.length === 0) break
    id = entries.at(-1)!.id
  }
  if (!isChanged) return
  const name = randomBytes(12).toString('hex')
  db.prepare(`UPDATE meta SET value = ? WHERE key = 'log'`).run(name)
}
