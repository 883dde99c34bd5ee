/**
 * The one writer of a key/value store: works out what each change leads to, holds it against the quotas, and writes what came
 * together in one transaction.
 *
 * A change that is refused leaves the others of its transaction as they are. When the disk refuses, none of them happened,
 * and each is told why.
 */
import type { Clock } from '../base/clock.ts'
import type { KvLimits, KvOperation, KvResult } from '../contract/kv.ts'
import { execute, Refusal, type KvTerms } from './rows.ts'
import { kvError, KvTable, type KvTableOptions, type NamespaceUsage } from './table.ts'

export interface KvWriterOptions extends KvTableOptions {
  readonly clock: Clock
  readonly limits: KvLimits
}

/** Entries that expired, taken away at a time. */
const SWEPT_AT_ONCE = 500
/** Entries that a full cache lets go at a time. */
const EVICTED_AT_ONCE = 64

export class KvWriter {
  readonly table: KvTable
  readonly #clock: Clock
  /** May be replaced: what is written from then on is held to the new ones. */
  limits: KvLimits
  /** Entries that made room for others, and those whose time was over. */
  evicted = 0
  expired = 0
  writes = 0

  /** Opens the store. Throws `EdgeError`. */
  constructor({ clock, limits, ...table }: KvWriterOptions) {
    this.#clock = clock
    this.limits = limits
    this.table = new KvTable(table)
  }

  get path(): string {
    return this.table.path
  }

  get usage(): NamespaceUsage[] {
    return this.table.usages
  }

  /** How operations are judged now. */
  terms(): KvTerms {
    const makeRoom = this.table.name === 'cache' ? this.#makeRoom : undefined
    return { now: this.#clock.now(), limits: this.limits, makeRoom }
  }

  /** Results in the order of the changes. Visible to every reader when this returns. */
  apply(writes: readonly KvOperation[], durable: boolean): KvResult[] {
    const terms = this.terms()
    try {
      const results = this.table.transaction(durable, () =>
        writes.map((write) => execute(this.table, write, terms)),
      )
      this.writes += writes.length
      return results
    } catch (error) {
      const { message } = kvError(this.path, error)
      return writes.map(() => ({ code: 'kv-unavailable', message }))
    }
  }

  /** Takes away some of what has expired. True while there may be more. */
  sweep(): boolean {
    const gone = this.table.transaction(false, () =>
      this.table.removeExpired(this.#clock.now(), SWEPT_AT_ONCE),
    )
    this.expired += gone
    return gone === SWEPT_AT_ONCE
  }

  /** For the metrics. */
  counts(): Readonly<Record<string, number>> {
    const { writes, expired, evicted } = this
    return { writes, expired, ...(evicted > 0 && { evicted }) }
  }

  /** For tests of a disk that is full. */
  limitPages(pages: number): void {
    this.table.db.exec(`PRAGMA max_page_count = ${pages}`)
  }

  close(): void {
    this.table.close()
  }

  /** A full cache lets go what was written longest ago. */
  readonly #makeRoom = (namespace: string, key: string, moreKeys: number, moreBytes: number): void => {
    const { keysMax, bytesMax } = this.limits
    for (;;) {
      const { keys, bytes } = this.table.usage(namespace)
      if (keys + moreKeys <= keysMax && bytes + moreBytes <= bytesMax) return
      const gone = this.table.removeOldest(namespace, key, EVICTED_AT_ONCE)
      if (gone === 0) throw new Refusal('kv-value', `a value larger than the cache of ${bytesMax} bytes`)
      this.evicted += gone
    }
  }
}
