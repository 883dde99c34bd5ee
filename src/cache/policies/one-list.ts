/** What policies share that keep all entries in one list, from oldest to newest. They differ in who leaves it. */
import type { PolicyEntry, ReplacementPolicy } from '../../contract/replacement-policy.ts'
import { EntryList } from './entry-list.ts'

export abstract class OneList<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  protected readonly list = new EntryList<E>()

  onStore(entry: E): void {
    this.list.add(entry)
  }

  onRemove(entry: E): void {
    this.list.remove(entry)
  }

  onReweigh(entry: E, weightBefore: number): void {
    this.list.weight += entry.weight - weightBefore
  }

  abstract victim(): E | undefined
}
