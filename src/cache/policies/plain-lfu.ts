/**
 * Least frequently used, plain: who was used least often since it was stored leaves; of several the one whose last use is
 * longest ago.
 *
 * Nothing ages: what was wanted a lot last week stays over what is wanted now. It is here for those who want it as it
 * stands in the books; `lfu` is the one that ages.
 *
 * Entries with as many uses stand in one list, and the lists in the order of their uses, so that every step is O(1).
 * Shah, Mitra, Matani, "An O(1) algorithm for implementing the LFU cache eviction scheme", 2010.
 */
import type { PolicyEntry, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { EntryList } from './entry-list.ts'

/** The entries that were used as often. */
class Rank<E extends PolicyEntry<E>> extends EntryList<E> {
  uses: number
  more: Rank<E> | undefined = undefined
  fewer: Rank<E> | undefined = undefined

  constructor(uses: number) {
    super()
    this.uses = uses
  }
}

export class PlainLfu<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  /** By the mark of its entries. */
  readonly #ranks = new Map<number, Rank<E>>()
  #fewest: Rank<E> | undefined = undefined

  onStore(entry: E): void {
    entry.mark = 1
    const fewest = this.#fewest
    const rank = fewest?.uses === 1 ? fewest : this.#insert(1, undefined, fewest)
    rank.add(entry)
  }

  onUse(entry: E): void {
    const rank = this.#rankOf(entry)
    entry.mark++
    const next = rank.more?.uses === entry.mark ? rank.more : this.#insert(entry.mark, rank, rank.more)
    rank.remove(entry)
    if (rank.oldest === undefined) this.#drop(rank)
    next.add(entry)
  }

  onRemove(entry: E): void {
    const rank = this.#rankOf(entry)
    rank.remove(entry)
    if (rank.oldest === undefined) this.#drop(rank)
  }

  onReweigh(entry: E, weightBefore: number): void {
    this.#rankOf(entry).weight += entry.weight - weightBefore
  }

  victim(): E | undefined {
    return this.#fewest?.oldest
  }

  #rankOf(entry: E): Rank<E> {
    return this.#ranks.get(entry.mark) as Rank<E>
  }

  #insert(uses: number, fewer: Rank<E> | undefined, more: Rank<E> | undefined): Rank<E> {
    const rank = new Rank<E>(uses)
    this.#ranks.set(uses, rank)
    rank.fewer = fewer
    rank.more = more
    if (fewer === undefined) this.#fewest = rank
    else fewer.more = rank
    if (more !== undefined) more.fewer = rank
    return rank
  }

  #drop(rank: Rank<E>): void {
    this.#ranks.delete(rank.uses)
    const { fewer, more } = rank
    if (fewer === undefined) this.#fewest = more
    else fewer.more = more
    if (more !== undefined) more.fewer = fewer
  }
}
