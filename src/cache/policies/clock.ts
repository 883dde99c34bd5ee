/**
 * CLOCK, also called second chance: first in, first out, but an entry that was used since it was last looked at is put
 * back as the newest instead of leaving.
 *
 * Near to LRU at the price of one bit on a hit. Corbató, "A Paging Experiment with the Multics System", 1968.
 */
import type { PolicyEntry } from '../../contract/replacement-policy.ts'
import { OneList } from './one-list.ts'

export class Clock<E extends PolicyEntry<E>> extends OneList<E> {
  readonly usesMax = 1

  victim(): E | undefined {
    const list = this.list
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
