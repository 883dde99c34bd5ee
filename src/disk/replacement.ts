/**
 * Who leaves a tier that is full, asked of the index in its order.
 *
 * SIEVE (Zhang et al., NSDI 2024): a hand goes from the oldest to the newest; what was used since it last passed stays, the rest leaves.
 * FIFO: the oldest. LRU: what was used longest ago. What was used is told by workers now and then; for SIEVE it is one bit, in a table
 * in memory of a fixed size: two objects may share a bit, and one of them then stays a round longer. After a restart nobody was used.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'

export interface Replacement {
  onStore(seq: number): void
  onUse(seq: number): void
  onRemove(seq: number): void
  /** The one to part with next, which then is removed; undefined only where there is none. */
  victim(): number | undefined
  /** Where its hand is. */
  readonly hand: number
}

/** 2 MiB. */
const USED_BITS = 2 ** 24
/** How many rows the hand asks for at a time. */
const STRIDE = 256

export function createReplacement(
  policy: 'sieve' | 'fifo' | 'lru',
  db: DatabaseSync,
  hand: number,
): Replacement {
  if (policy === 'sieve') return new Sieve(db, hand)
  return policy === 'lru' ? new Lru(db) : new Fifo(db)
}

class Fifo implements Replacement {
  readonly hand = 0
  readonly #oldest: StatementSync

  constructor(db: DatabaseSync) {
    this.#oldest = db.prepare('SELECT seq FROM object ORDER BY seq LIMIT 1')
  }

  onStore(): void {}
  onUse(): void {}
  onRemove(): void {}

  victim(): number | undefined {
    return (this.#oldest.get() as { seq: number } | undefined)?.seq
  }
}

class Sieve implements Replacement {
  hand: number
  readonly #used = new Uint32Array(USED_BITS / 32)
  readonly #next: StatementSync
  /** What the hand comes to next, last first. Some may be gone by then. */
  #ahead: number[] = []

  constructor(db: DatabaseSync, hand: number) {
    this.hand = hand
    this.#next = db.prepare('SELECT seq FROM object WHERE seq > ? ORDER BY seq LIMIT ?')
  }

  onStore(seq: number): void {
    this.#used[(seq % USED_BITS) >>> 5]! &= ~(1 << (seq & 31))
  }

  onUse(seq: number): void {
    this.#used[(seq % USED_BITS) >>> 5]! |= 1 << (seq & 31)
  }

  onRemove(): void {}

  victim(): number | undefined {
    // Twice around at most: the first time takes all marks away.
    for (let wraps = 0; wraps < 3;) {
      const seq = this.#ahead.pop()
      if (seq !== undefined) {
        this.hand = seq
        const word = (seq % USED_BITS) >>> 5
        const bit = 1 << (seq & 31)
        if ((this.#used[word]! & bit) === 0) return seq
        this.#used[word]! &= ~bit
        continue
      }
      const rows = this.#next.all(this.hand, STRIDE) as unknown as { seq: number }[]
      this.#ahead = rows.map((row) => row.seq).toReversed()
      if (rows.length > 0) continue
      this.hand = 0
      wraps += 1
    }
    return undefined
  }
}

class Lru implements Replacement {
  readonly hand = 0
  readonly #oldest: StatementSync
  readonly #use: StatementSync
  readonly #store: StatementSync
  readonly #remove: StatementSync
  #now: number

  constructor(db: DatabaseSync) {
    // What came under another policy has been used when it came.
    db.exec(
      'INSERT OR IGNORE INTO recency SELECT seq, seq FROM object; DELETE FROM recency WHERE seq NOT IN (SELECT seq FROM object)',
    )
    const { now } = db.prepare('SELECT coalesce(max(used), 0) AS now FROM recency').get() as { now: number }
    this.#now = now
    this.#oldest = db.prepare('SELECT seq FROM recency ORDER BY used LIMIT 1')
    this.#use = db.prepare('UPDATE recency SET used = ? WHERE seq = ?')
    this.#store = db.prepare('INSERT OR REPLACE INTO recency VALUES (?, ?)')
    this.#remove = db.prepare('DELETE FROM recency WHERE seq = ?')
  }

  onStore(seq: number): void {
    this.#store.run(seq, ++this.#now)
  }

  onUse(seq: number): void {
    this.#use.run(++this.#now, seq)
  }

  onRemove(seq: number): void {
    this.#remove.run(seq)
  }

  victim(): number | undefined {
    return (this.#oldest.get() as { seq: number } | undefined)?.seq
  }
}
