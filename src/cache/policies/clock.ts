/**
 * CLOCK, also called second chance: first in, first out, but an entry that was used since it was last looked at is put
 * back as the newest instead of leaving.
 *
 * Near to LRU at the price of one bit on a hit. Corbató, "A Paging Experiment with the Multics System", 1968.
 */
import type { PolicyEntry, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { EntryList } from './entry-list.ts'

export class Clock<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  readonly usesMax = 1
  readonly #list = new EntryList<E>()

  onStore(entry: E): void {
    this.#list.add(entry)
  }

  onRemove(entry: E): void {
    this.#list.remove(entry)
  }

  onReweigh(entry: E, weightBefore: number): void {
    this.#list.weight += entry.weight - weightBefore
  }

  victim(): E | undefined {
    const list = this.#list
    let oldest = list.oldest
    // Every round takes a bit away: it ends after once around at the latest.
    while (oldest !== undefined && oldest.mark !== 0) {
      oldest.mark = 0
      list.renew(oldest)
      oldest = list.oldest
    }
    return oldest
  }
}
