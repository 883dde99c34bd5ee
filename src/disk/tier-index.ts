/**
 * The index of a tier as its one writer has it: what comes in, what leaves, and how many bytes there are.
 *
 * All of it happens between `begin` and `commit`. Files of what left are named by `takeRemoved` and removed after the commit: a file
 * without a row is an orphan, which is found again; a row without its file is a miss.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { DiskPurge, DiskTierPlan } from '../contract/disk-tier.ts'
import type { PutRow } from './frames.ts'
import { PAGE_BYTES, pragma } from './index-file.ts'
import { diskBytes } from './layout.ts'
import { createReplacement, type Replacement } from './replacement.ts'

interface Removed {
  readonly seq: number
  readonly file: number
  readonly size: number
  readonly tags: string
}

/** What one commit removes, at most, of what is purged. */
const REMOVED_AT_ONCE = 500
/** Free pages are given back in steps of this many. */
const VACUUM_PAGES = 512
/** Beyond any character: the end of what begins with something. */
const LAST = '\u{10ffff}'

/** None of them walks through all objects: there may be millions. The index of files has those that have one, and is only used by who says so. */
export const STATEMENTS = {
  insert: 'INSERT INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  byKey: 'DELETE FROM object WHERE key = ? RETURNING seq, file, size, tags',
  bySeq: 'DELETE FROM object WHERE seq = ? RETURNING seq, file, size, tags',
  byFile: 'SELECT key FROM object WHERE file > 0 AND file = ?',
  range: 'SELECT seq FROM object WHERE key >= ? AND key < ?',
  tagged: 'SELECT seq FROM tag WHERE tag = ?',
  taggedWithin:
    'SELECT tag.seq FROM tag JOIN object ON object.seq = tag.seq WHERE tag = ? AND key >= ? AND key < ?',
  tag: 'INSERT OR IGNORE INTO tag VALUES (?, ?)',
  untag: 'DELETE FROM tag WHERE tag = ? AND seq = ?',
  mark: 'INSERT INTO purged VALUES (?, ?) ON CONFLICT DO UPDATE SET gone = max(gone, excluded.gone)',
  unmark: 'DELETE FROM purged WHERE seq = ?',
  gone: 'SELECT seq FROM purged WHERE gone = 1 LIMIT ?',
  below: 'SELECT seq FROM object WHERE seq <= ? ORDER BY seq LIMIT ?',
  total: 'UPDATE total SET entries = ?, fileBytes = ?, hand = ?, purge = ?, floor = ?',
  pages: 'PRAGMA page_count',
  free: 'PRAGMA freelist_count',
  files: 'SELECT file, size FROM object WHERE file > 0 AND file >= ? AND file < ? ORDER BY file',
}

export class TierIndex {
  entries: number
  /** What files take on the disk. */
  fileBytes: number
  /** The number of the last purge. */
  purgeNumber: number
  evicted = 0
  readonly #db: DatabaseSync
  readonly #replacement: Replacement
  #nextSeq: number
  /** Up to here everything is gone. */
  #floor: number
  /** Rows in `purged`. */
  #marked: number
  /** There may be rows that nobody finds any more. */
  hasLeftovers: boolean
  #removed: number[] = []
  readonly #statements: Record<keyof typeof STATEMENTS, StatementSync>

  constructor(db: DatabaseSync, policy: DiskTierPlan['policy']) {
    this.#db = db
    const total = db.prepare('SELECT entries, fileBytes, hand, purge, floor FROM total').get() as
      | { entries: number; fileBytes: number; hand: number; purge: number; floor: number }
      | undefined
    if (total === undefined) throw new Error('database disk image is malformed: no totals')
    this.entries = total.entries
    this.fileBytes = total.fileBytes
    this.purgeNumber = total.purge
    this.#floor = total.floor
    const { seq } = db.prepare('SELECT coalesce(max(seq), 0) AS seq FROM object').get() as { seq: number }
    this.#nextSeq = seq + 1
    this.#marked = Number(Object.values(db.prepare('SELECT count(*) FROM purged').get() ?? {})[0])
    this.hasLeftovers = true
    this.#replacement = createReplacement(policy, db, total.hand)
    this.#statements = Object.fromEntries(
      Object.entries(STATEMENTS).map(([name, sql]) => [name, db.prepare(sql)]),
    ) as Record<keyof typeof STATEMENTS, StatementSync>
  }

  begin(): void {
    this.#db.exec('BEGIN IMMEDIATE')
  }

  commit(): void {
    const { entries, fileBytes, purgeNumber } = this
    this.#statements.total.run(entries, fileBytes, this.#replacement.hand, purgeNumber, this.#floor)
    this.#db.exec('COMMIT')
  }

  /** Stores the object in place of what the key held. False: it renews a file that is not there any more. */
  put(row: PutRow): boolean {
    const { key, meta, size, file, sums, tags, sum, body } = row
    if (row.isRenewal && (this.#statements.byFile.get(file) as { key: string } | undefined)?.key !== key)
      return false
    const before = this.#statements.byKey.get(key) as Removed | undefined
    if (before !== undefined) this.#left(before, file)
    const seq = this.#nextSeq++
    this.#statements.insert.run(seq, key, meta, size, file, sums, tags.join('\0'), sum, body)
    for (const tag of tags) this.#statements.tag.run(tag, seq)
    this.#replacement.onStore(seq)
    this.entries += 1
    if (file !== 0) this.fileBytes += diskBytes(size)
    return true
  }

  /** The object of exactly this key. */
  drop(key: string): void {
    const row = this.#statements.byKey.get(key) as Removed | undefined
    if (row !== undefined) this.#left(row)
  }

  /** The object of the key and all that belong to it. Returns how many. */
  remove(key: string): number {
    return this.#removeAll(this.#familyOf(key))
  }

  use(seqs: readonly number[]): void {
    for (const seq of seqs) this.#replacement.onUse(seq)
  }

  purge({ kind, value, soft, within = '', number }: DiskPurge): number {
    this.purgeNumber = Math.max(this.purgeNumber, number)
    if (kind === 'all' && value === '' && !soft) {
      this.#floor = this.#nextSeq - 1
      this.hasLeftovers = true
      return this.entries
    }
    const seqs =
      kind === 'key'
        ? this.#familyOf(value)
        : kind === 'tag'
          ? this.#seqs(
              within === ''
                ? this.#statements.tagged.all(value)
                : this.#statements.taggedWithin.all(value, within, within + LAST),
            )
          : this.#startingWith(value)
    if (!soft && seqs.length <= REMOVED_AT_ONCE) return this.#removeAll(seqs)
    for (const seq of seqs) this.#mark(seq, soft)
    return seqs.length
  }

  /** Makes what was just stored stale: it was purged softly while it was on its way. */
  soften(key: string): void {
    for (const seq of this.#seqs(this.#statements.range.all(key, `${key}\0`))) this.#mark(seq, true)
  }

  #mark(seq: number, soft: boolean): void {
    this.#marked += 1
    this.#statements.mark.run(seq, soft ? 0 : 1)
    if (!soft) this.hasLeftovers = true
  }

  /** Removes some of what nobody finds any more. */
  removeLeftovers(): void {
    if (!this.hasLeftovers) return
    const below = this.#seqs(this.#statements.below.all(this.#floor, REMOVED_AT_ONCE))
    const gone = below.length > 0 ? [] : this.#seqs(this.#statements.gone.all(REMOVED_AT_ONCE))
    this.#removeAll(below)
    this.#removeAll(gone)
    // Whatever became of their rows.
    for (const seq of gone) this.#statements.unmark.run(seq)
    this.hasLeftovers = below.length + gone.length > 0
  }

  /** Lets objects go until what is used is `bytesMax` at most. `other`: bytes that are none of the index's doing. */
  evictTo(bytesMax: number, other: number): void {
    while (this.entries > 0 && this.liveBytes + other > bytesMax) {
      const victim = this.#replacement.victim()
      if (victim === undefined) return
      this.evicted += this.#removeAll([victim])
    }
  }

  /** Files and the pages of the index that hold something. */
  get liveBytes(): number {
    return this.fileBytes + (this.#pages - this.#free) * PAGE_BYTES
  }

  /** Files and the index, as they lie there. */
  get bytes(): number {
    return this.fileBytes + this.#pages * PAGE_BYTES
  }

  /** Gives back free pages. Outside of a transaction. */
  shrink(bytes: number): void {
    const pages = Math.min(Math.ceil(bytes / PAGE_BYTES), this.#free, VACUUM_PAGES)
    if (pages > 0) this.#db.exec(`PRAGMA incremental_vacuum(${pages})`)
  }

  /** Files whose rows have left since this was last asked. */
  takeRemoved(): readonly number[] {
    const removed = this.#removed
    this.#removed = []
    return removed
  }

  /** The files that the index knows, from one id to before another. */
  filesOf(from: number, to: number): readonly { readonly file: number; readonly size: number }[] {
    return this.#statements.files.all(from, to) as unknown as { file: number; size: number }[]
  }

  /** What is on the disk outlives the machine with the next commit. */
  syncNext(): void {
    this.#db.exec('PRAGMA synchronous = FULL')
  }

  syncNoMore(): void {
    this.#db.exec('PRAGMA synchronous = NORMAL')
  }

  get version(): unknown {
    return pragma(this.#db, 'schema_version')
  }

  #seqs(rows: readonly unknown[]): number[] {
    return rows.map((row) => (row as { seq: number }).seq)
  }

  #startingWith(prefix: string): number[] {
    return this.#seqs(this.#statements.range.all(prefix, prefix + LAST))
  }

  #familyOf(key: string): number[] {
    return [
      ...this.#seqs(this.#statements.range.all(key, `${key}\0`)),
      ...this.#startingWith(`${key}\n`),
      ...this.#startingWith(`${key} `),
    ]
  }

  #removeAll(seqs: readonly number[]): number {
    let count = 0
    for (const seq of seqs) {
      const row = this.#statements.bySeq.get(seq) as Removed | undefined
      if (row === undefined) {
        // Another row of the same kind would be found for ever.
        this.#replacement.onRemove(seq)
        continue
      }
      this.#left(row)
      count += 1
    }
    return count
  }

  /** Its row is gone. `file` is needed on. */
  #left({ seq, file, size, tags }: Removed, kept = 0): void {
    if (tags !== '') for (const tag of tags.split('\0')) this.#statements.untag.run(tag, seq)
    if (this.#marked > 0) this.#statements.unmark.run(seq)
    this.#replacement.onRemove(seq)
    this.entries -= 1
    if (file === 0) return
    this.fileBytes -= diskBytes(size)
    if (file !== kept) this.#removed.push(file)
  }

  get #pages(): number {
    return (this.#statements.pages.get() as { page_count: number }).page_count
  }

  get #free(): number {
    return (this.#statements.free.get() as { freelist_count: number }).freelist_count
  }
}
