/**
 * Least recently used: every use makes an entry the newest, the oldest leaves.
 *
 * Everyone can predict it. The price is list surgery on a hit (skipped for the entry that is newest already, which is
 * the common case under a hot key) and no resistance to scans: whatever is asked for once pushes out what is wanted.
 */
import type { PolicyEntry, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { EntryList } from './entry-list.ts'

export class Lru<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  readonly #list = new EntryList<E>()
  readonly recency = this.#list

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
