/**
 * GDSF, greedy dual size frequency: like LFU with ageing, but a use counts for as much as the entry is small: for one
 * large thing a hundred small ones leave only if it is wanted more than all of them.
 *
 * The most hits where sizes differ, at the price of fewer bytes from the cache. Bound by entries all weigh the same, and it
 * is LFU with ageing. Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", 1998.
 */
import type { PolicyEntry, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { AgedHeap } from './aged-heap.ts'

export class Gdsf<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  readonly #heap = new AgedHeap<E>()

  onStore(entry: E): void {
    this.#heap.add(entry, priceOf(entry))
  }

  onUse(entry: E): void {
    this.#heap.use(entry, priceOf(entry))
  }

  onRemove(entry: E, isEvicted: boolean): void {
    this.#heap.remove(entry, isEvicted)
  }

  onReweigh(entry: E): void {
    this.#heap.reprice(entry, priceOf(entry))
  }

  victim(): E | undefined {
    return this.#heap.least()
  }
}

/** What one use is worth. */
function priceOf<E extends PolicyEntry<E>>(entry: E): number {
  return 1 / Math.max(1, entry.weight)
}
