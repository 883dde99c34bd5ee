/** What somebody looks for in the log: by id, by key, by time. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { EdgeError } from '../base/errors.ts'
import type { LogEntry, LogSearch } from '../contract/store.ts'
import { basePosition, lastPosition } from './positions.ts'

/** Values that are read at once: a unit may have some megabytes. */
const READ_BYTES_MAX = 4_000_000

/** In order of their ids; fewer than asked for where they are large. Throws `log-trimmed` for those that are kept no more. */
export function searchLog(db: DatabaseSync, search: LogSearch): readonly LogEntry[] {
  const { from, prefix = '', limit } = search
  if (from !== undefined) assertKept(db, from)
  const order = from === undefined ? 'DESC' : 'ASC'
  const filter = prefix === '' ? '' : 'AND key >= ? AND key < ?'
  const bounds: SQLInputValue[] = prefix === '' ? [] : [prefix, `${prefix}\u{10ffff}`]
  const rows = db
    .prepare(`SELECT * FROM log WHERE id >= ? ${filter} ORDER BY id ${order} LIMIT ?`)
    .iterate(from ?? 0, ...bounds, limit)
  const entries: LogEntry[] = []
  let bytes = 0
  for (const row of rows) {
    const entry = { ...row } as unknown as LogEntry
    entries.push(entry)
    bytes += entry.value.length
    if (bytes > READ_BYTES_MAX) break
  }
  return from === undefined ? entries.toReversed() : entries
}

/** The id of the last entry that was written at that time or before, in milliseconds since 1970. Throws `log-trimmed` where none is kept. */
export function idAtTime(db: DatabaseSync, ms: number): number {
  // Clocks may tell parts of a millisecond, which a time in words does not.
  const { id } = db.prepare('SELECT max(id) AS id FROM log WHERE at < ?').get(ms + 1) as { id: number | null }
  if (id !== null) return id
  const first = db.prepare('SELECT id, at FROM log ORDER BY id LIMIT 1').get()
  const time = (at: unknown) => new Date(Number(at)).toISOString()
  const kept = first ? `entry ${Number(first['id'])} of ${time(first['at'])}` : 'no entry'
  throw new EdgeError('log-trimmed', `nothing is kept of ${time(ms)}: the log begins with ${kept}`)
}

function assertKept(db: DatabaseSync, from: number): void {
  const base = basePosition(db)
  if (from > base.id) return
  const kept =
    lastPosition(db).id === base.id ? 'no entry is kept' : `entries are kept from ${base.id + 1} on`
  throw new EdgeError('log-trimmed', `entry ${from} is not kept any more: ${kept}`)
}
