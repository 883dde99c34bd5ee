/** A doubly linked list through the entries themselves, from oldest to newest, with the weight of all. An entry is in one list at most. */
import type { PolicyEntry } from '../../contract/replacement-policy.ts'

export class EntryList<E extends PolicyEntry<E>> {
  newest: E | undefined = undefined
  oldest: E | undefined = undefined
  /** Of all entries. Whoever holds the list adds the difference when an entry is reweighed. */
  weight = 0

  add(entry: E): void {
    this.#link(entry)
    this.weight += entry.weight
  }

  remove(entry: E): void {
    this.#unlink(entry)
    entry.newer = undefined
    entry.older = undefined
    this.weight -= entry.weight
  }

  /** The entry, which is in the list, becomes the newest. */
  renew(entry: E): void {
    if (entry === this.newest) return
    this.#unlink(entry)
    this.#link(entry)
  }

  #link(entry: E): void {
    const { newest } = this
    entry.older = newest
    entry.newer = undefined
    if (newest === undefined) this.oldest = entry
    else newest.newer = entry
    this.newest = entry
  }

  #unlink(entry: E): void {
    const { newer, older } = entry
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (older === undefined) this.oldest = newer
    else older.newer = newer
  }
}
