/**
 * Least recently used: every use makes an entry the newest, the oldest leaves.
 *
 * Everyone can predict it. The price is list surgery on a hit (skipped for the entry that is newest already, which is
 * the common case under a hot key) and no resistance to scans: whatever is asked for once pushes out what is wanted.
 */
import type { PolicyEntry } from '../../contract/replacement-policy.ts'
import { OneList } from './one-list.ts'

export class Lru<E extends PolicyEntry<E>> extends OneList<E> {
  readonly recency = this.list

  victim(): E | undefined {
    return this.list.oldest
  }
}
