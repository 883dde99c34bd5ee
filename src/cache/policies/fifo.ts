/**
 * First in, first out: the entry that was stored first leaves, used or not.
 *
 * A hit costs nothing at all. The price is the hit ratio: what everybody wants leaves as surely as what nobody wants.
 */
import type { PolicyEntry, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { EntryList } from './entry-list.ts'

export class Fifo<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
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
    return this.#list.oldest
  }
}
