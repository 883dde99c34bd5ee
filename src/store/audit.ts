/**
 * The audit log: who changed what, or tried to. A table of its own in the store's file, so that it is as safe as what it tells of and lies in
 * the same backup; but not in the log of the store, which edges replicate and clients read.
 *
 * Entries are chained like those of the log: each carries a hash over the one before. The database refuses to change or remove one, and a
 * hand that edits the file breaks the chain from there on, which `verify` finds.
 */
import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { GENESIS } from './chain.ts'
import { storeError } from '../base/sqlite-failure.ts'
import { inTransaction } from './transaction.ts'

export interface AuditRecord {
  /** Id and name of the token; of what the node did by itself, `node` and why. */
  readonly who: string
  readonly name: string
  /** Where it came from; empty for the node itself. */
  readonly address: string
  /** Such as `PUT /v1/units/{name}`. */
  readonly action: string
  /** What it was about: the name of a unit, site or token. */
  readonly subject: string
  /** `ok`, or the code of the error. */
  readonly result: string
  /** The last position of the store when it was done. */
  readonly position: number
}

export interface AuditEntry extends AuditRecord {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly hash: string
}

export interface AuditLog {
  /** On the disk when it returns. */
  append(record: AuditRecord): AuditEntry
  /** The newest first: those with an id below `before`, at most `limit`. */
  read(before: number, limit: number): readonly AuditEntry[]
  /** The id of the first entry that is not as it was written, or undefined. */
  verify(): number | undefined
}

const FIELDS = ['who', 'name', 'address', 'action', 'subject', 'result'] as const

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY, at REAL NOT NULL, who TEXT NOT NULL, name TEXT NOT NULL,
    address TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, result TEXT NOT NULL, position INTEGER NOT NULL,
    hash TEXT NOT NULL) STRICT;
  CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS audit_is BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
`

export function openAudit(db: DatabaseSync, path: string, now: () => number): AuditLog {
  db.exec(SCHEMA)
  const insert = db.prepare('INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const below = db.prepare('SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?')
  const all = db.prepare('SELECT * FROM audit ORDER BY id')
  const guarded = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw storeError(path, error)
    }
  }
  const last = () =>
    (below.get(Number.MAX_SAFE_INTEGER, 1) as unknown as AuditEntry | undefined) ?? { id: 0, hash: GENESIS }
  function append(record: AuditRecord): AuditEntry {
    const { id, hash: before } = last()
    const texts = Object.fromEntries(FIELDS.map((field) => [field, record[field].toWellFormed()]))
    const entry = { id: id + 1, at: now(), ...record, ...texts }
    const hash = hashOf(before, entry)
    const { who, name, address, action, subject, result } = entry
    insert.run(entry.id, entry.at, who, name, address, action, subject, result, entry.position, hash)
    return { ...entry, hash }
  }

  return {
    append: (record) =>
      guarded(() => {
        // Another process may have written since: a program that takes over tells of it while this one still does.
        return inTransaction(db, () => append(record))
      }),
    read: (before, limit) =>
      guarded(() => below.all(before, limit).map((row) => ({ ...row }) as unknown as AuditEntry)),
    verify: () =>
      guarded(() => {
        let before = GENESIS
        let expected = 1
        for (const row of all.iterate() as Iterable<unknown> as Iterable<AuditEntry>) {
          if (row.id !== expected || row.hash !== hashOf(before, row)) return expected
          before = row.hash
          expected += 1
        }
        return expected === last().id + 1 ? undefined : expected
      }),
  }
}

/** JSON keeps the parts apart: no two different entries give the same text. */
function hashOf(before: string, entry: Omit<AuditEntry, 'hash'>): string {
  const parts = [before, entry.id, entry.at, ...FIELDS.map((field) => entry[field]), entry.position]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
