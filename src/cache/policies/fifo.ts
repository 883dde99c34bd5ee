/**
 * First in, first out: the entry that was stored first leaves, used or not.
 *
 * A hit costs nothing at all. The price is the hit ratio: what everybody wants leaves as surely as what nobody wants.
 */
import type { PolicyEntry } from '../../contract/replacement-policy.ts'
import { OneList } from './one-list.ts'

export class Fifo<E extends PolicyEntry<E>> extends OneList<E> {
  victim(): E | undefined {
    return this.list.oldest
  }
}
