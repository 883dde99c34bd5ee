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
import { entryHash } from './chain.ts'
import { basePosition } from './positions.ts'

/** The value to have in place of `value`. `isCurrent`: it is what the key holds now, not history. */
export type ChangeValue = (key: string, value: string, isCurrent: boolean) => string

/** Entries that are in memory at once: a value may have some megabytes. */
const AT_ONCE = 16

/**
 * Changes values that were set to keys with one of the prefixes, in the log and in the state. To be called in a transaction. Throws `store-corrupt`
 * where the log is not whole: a new chain of hashes would hide that.
 */
export function rewriteLog(db: DatabaseSync, prefixes: readonly string[], change: ChangeValue): void {
  const lasts = db.prepare('SELECT key, max(id) AS id FROM log WHERE key >= ? AND key < ? GROUP BY key')
  const lastOf = new Map(
    prefixes
      .flatMap((prefix) => lasts.all(prefix, `${prefix}\u{10ffff}`))
      .map((row) => [row['key'] as string, row['id'] as number]),
  )
  const after = db.prepare('SELECT * FROM log WHERE id > ? ORDER BY id LIMIT ?')
  const update = db.prepare('UPDATE log SET value = ?, hash = ? WHERE id = ?')
  const set = db.prepare('UPDATE state SET value = ? WHERE key = ?')
  const base = basePosition(db)
  let { hash, hash: hashBefore } = base
  let isChanged = rewriteBase(db, prefixes, change, lastOf)
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
  for (let { id } = base; ;) {
    const entries = after.all(id, AT_ONCE) as unknown as LogEntry[]
    for (const entry of entries) rewrite(entry)
    if (entries.length === 0) break
    id = entries.at(-1)!.id
  }
  if (!isChanged) return
  const name = randomBytes(12).toString('hex')
  db.prepare(`UPDATE meta SET value = ? WHERE key = 'log'`).run(name)
}

/** What stands before the first entry has no hashes. True where something changed. */
function rewriteBase(
  db: DatabaseSync,
  prefixes: readonly string[],
  change: ChangeValue,
  lastOf: ReadonlyMap<string, number>,
): boolean {
  const rows = db.prepare('SELECT key, value FROM base WHERE key >= ? AND key < ?')
  const update = db.prepare('UPDATE base SET value = ? WHERE key = ?')
  const set = db.prepare('UPDATE state SET value = ? WHERE key = ?')
  let isChanged = false
  for (const row of prefixes.flatMap((prefix) => rows.all(prefix, `${prefix}\u{10ffff}`))) {
    const key = String(row['key'])
    const isCurrent = !lastOf.has(key)
    const value = change(key, String(row['value']), isCurrent)
    if (value === row['value']) continue
    isChanged = true
    update.run(value, key)
    if (isCurrent) set.run(value, key)
  }
  return isChanged
}
