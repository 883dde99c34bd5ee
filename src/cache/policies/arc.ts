/**
 * ARC: two lists, what was used once and what was used more than once, and for each the ghosts of what left it. A ghost
 * that comes back says which of the two lists should have been longer, and the share between them follows.
 *
 * Adapts itself between recency and frequency and has nothing to set. The price is list surgery on a hit, and ghosts
 * for as much as is stored. Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003; the
 * names are the paper's, lengths are weights.
 */
import type { PolicyEntry, PolicyOptions, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { hashOf } from '../key-hash.ts'
import { EntryList } from './entry-list.ts'
import { GhostQueue } from './ghost-queue.ts'

/** Marks of an entry that is on its way in: not known, or found among the ghosts of one of the lists. */
const NEW = 0
const WAS_IN_B1 = 1
const WAS_IN_B2 = 2
/** Marks of a stored entry; one that leaves as the last of a full T1 leaves no ghost. */
const IN_T1 = 3
const IN_T1_LEAVING = 4
const IN_T2 = 5

export class Arc<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  readonly #t1 = new EntryList<E>()
  readonly #t2 = new EntryList<E>()
  readonly #b1 = new GhostQueue()
  readonly #b2 = new GhostQueue()
  readonly #capacity: number
  /** The weight that T1 should have. */
  #p = 0

  constructor(options: PolicyOptions) {
    this.#capacity = options.capacity
  }

  onArrive(entry: E): void {
    // A cache that is not full yet has no ghosts, and need not know any hash.
    if (this.#b1.size + this.#b2.size === 0) return
    const hash = hashOf(entry)
    const b1 = this.#b1
    const b2 = this.#b2
    if (b1.has(hash)) {
      this.#p = Math.min(this.#capacity, this.#p + entry.weight * Math.max(b2.weight / b1.weight, 1))
      b1.take(hash)
      entry.mark = WAS_IN_B1
    } else if (b2.has(hash)) {
      this.#p = Math.max(0, this.#p - entry.weight * Math.max(b1.weight / b2.weight, 1))
      b2.take(hash)
      entry.mark = WAS_IN_B2
    }
  }

  onStore(entry: E): void {
    const isNew = entry.mark === NEW
    entry.mark = isNew ? IN_T1 : IN_T2
    const list = isNew ? this.#t1 : this.#t2
    list.add(entry)
  }

  onUse(entry: E): void {
    if (entry.mark === IN_T2) {
      this.#t2.renew(entry)
      return
    }
    this.#t1.remove(entry)
    entry.mark = IN_T2
    this.#t2.add(entry)
  }

  onRemove(entry: E, isEvicted: boolean): void {
    const { mark } = entry
    const list = mark === IN_T2 ? this.#t2 : this.#t1
    list.remove(entry)
    if (!isEvicted || mark === IN_T1_LEAVING) return
    const ghosts = mark === IN_T2 ? this.#b2 : this.#b1
    ghosts.add(hashOf(entry), entry.weight)
  }

  onReweigh(entry: E, weightBefore: number): void {
    const list = entry.mark === IN_T2 ? this.#t2 : this.#t1
    list.weight += entry.weight - weightBefore
  }

  victim(incoming: E | undefined): E | undefined {
    const t1 = this.#t1
    const t2 = this.#t2
    const b1 = this.#b1
    const capacity = this.#capacity
    if (incoming === undefined || incoming.mark === NEW) {
      // Case IV of the paper: T1 with its ghosts may be as long as the cache, all lists together twice as long.
      const weight = incoming?.weight ?? 0
      if (t1.weight + b1.weight + weight > capacity) {
        b1.shrinkTo(Math.max(0, capacity - t1.weight - weight))
        if (b1.size === 0 && t1.oldest !== undefined && t1.weight + weight > capacity) {
          t1.oldest.mark = IN_T1_LEAVING
          return t1.oldest
        }
      } else this.#b2.shrinkTo(Math.max(0, 2 * capacity - t1.weight - t2.weight - b1.weight - weight))
    }
    // REPLACE of the paper.
    const { oldest } = t1
    const isT1 = t1.weight > this.#p || (incoming?.mark === WAS_IN_B2 && t1.weight === this.#p)
    if (oldest === undefined || (!isT1 && t2.oldest !== undefined)) return t2.oldest
    oldest.mark = IN_T1
    return oldest
  }
}
