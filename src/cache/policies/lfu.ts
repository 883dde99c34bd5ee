/**
 * Least frequently used, with ageing: who was used least often leaves, but uses count from the worth of those who left
 * last, so that what was wanted a lot long ago does not stay for ever (LFU with dynamic ageing: Arlitt and others,
 * "Evaluating Content Management Techniques for Web Proxy Caches", 1999).
 */
import type { PolicyEntry, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { AgedHeap } from './aged-heap.ts'

export class Lfu<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  readonly #heap = new AgedHeap<E>()

  onStore(entry: E): void {
    this.#heap.add(entry, 1)
  }

  onUse(entry: E): void {
    this.#heap.use(entry, 1)
  }

  onRemove(entry: E, isEvicted: boolean): void {
    this.#heap.remove(entry, isEvicted)
  }

  onReweigh(): void {}

  victim(): E | undefined {
    return this.#heap.least()
  }
}
