/** What edges are told of the log that a store keeps, or is a replica of. */
import type { FeedSource } from '../contract/replication.ts'
import { UNITS_LOG } from '../contract/shared-log.ts'
import type { LocalStore } from '../contract/store.ts'

/** `mayBeBehind`: whether the log may have that id, and this store has not read it yet. */
export function storeFeed(store: LocalStore, mayBeBehind: (id: number) => boolean): FeedSource {
  return {
    log: UNITS_LOG,
    position: () => store.position(),
    entriesAfter(position, limit) {
      const { log, id } = store.position()
      // An edge that was at another control plane may be ahead of this one: it is not sent back.
      if (position.log === log && position.id > id && mayBeBehind(position.id)) return []
      return store.entriesAfter(position, limit)
    },
    snapshot: () => store.snapshot(),
  }
}
