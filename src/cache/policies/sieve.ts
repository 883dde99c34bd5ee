/**
 * SIEVE: a bit for each entry that says that it was used, and one hand that sweeps from the oldest to the newest, takes
 * bits away and stops at the first entry without one: it leaves.
 *
 * A hit only sets a bit, and entries never move: what was used stays where it is and what is new has to prove itself
 * soon. The price: while the hand is among old entries nothing new is tested, so it resists scans less than it seems.
 * Zhang and others, "SIEVE is Simpler than LRU", NSDI 2024.
 */
import type { PolicyEntry } from '../../contract/replacement-policy.ts'
import { OneList } from './one-list.ts'

export class Sieve<E extends PolicyEntry<E>> extends OneList<E> {
  readonly usesMax = 1
  /** Where the next sweep begins; undefined: at the oldest. */
  #hand: E | undefined = undefined

  override onRemove(entry: E): void {
    if (entry === this.#hand) this.#hand = entry.newer
    super.onRemove(entry)
  }

  victim(): E | undefined {
    const { oldest } = this.list
    let hand = this.#hand ?? oldest
    // Every step takes a bit away: it ends after once around at the latest.
    while (hand !== undefined && hand.mark !== 0) {
      hand.mark = 0
      hand = hand.newer ?? oldest
    }
    this.#hand = hand
    return hand
  }
}
