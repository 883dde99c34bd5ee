/**
 * Least recently used: a doubly linked list through the entries themselves, newest at one end, victim at the other.
 *
 * Chosen for the first version because everyone can predict it. The price is list surgery on a hit (skipped for the
 * entry that is newest already, which is the common case under a hot key) and no resistance to scans.
 */
import type { ReplacementPolicy } from '../contract/replacement-policy.ts'

/** What an entry carries for the list. Both undefined: alone in the list, or not in it. */
export interface LruLinks<E> {
  newer: E | undefined
  older: E | undefined
}

export class Lru<E extends LruLinks<E>> implements ReplacementPolicy<E> {
  #newest: E | undefined
  #oldest: E | undefined

  onStore(entry: E): void {
    entry.older = this.#newest
    if (this.#newest === undefined) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
  }

  onUse(entry: E): void {
    if (entry === this.#newest) return
    this.onRemove(entry)
    this.onStore(entry)
  }

  onRemove(entry: E): void {
    const { newer, older } = entry
    if (newer === undefined) this.#newest = older
    else newer.older = older
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    entry.newer = undefined
    entry.older = undefined
  }

  victim(): E | undefined {
    return this.#oldest
  }
}
