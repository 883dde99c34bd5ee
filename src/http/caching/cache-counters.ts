/** What a cache has done, and holds now. */
import type { EvictedAges } from '../../cache/index.ts'

export interface ResponseCacheCounters {
  /** Lookups by result, since the start. */
  readonly hit: number
  readonly stale: number
  readonly miss: number
  readonly bypass: number
  /** Requests that waited for another's answer, or came while it arrived. */
  readonly joined: number
  /** Requests that were given another's answer while it arrived. */
  readonly followed: number
  /** Answers that came from another worker of the node. */
  readonly fromSibling: number
  /** Stale answers that went out: while they are refreshed, or since the origin failed. */
  readonly staleServed: number
  readonly stored: number
  /** Kept on, after the origin said that they are still good. */
  readonly refreshed: number
  readonly evicted: number
  readonly invalidated: number
  /** What did not come into memory: larger than one object may be there, or not admitted. */
  readonly refused: { readonly size: number; readonly admission: number }
  /** How old stored responses were when they made room for others. */
  readonly evictedAges: EvictedAges
  /** Objects that purges took away, or made stale. */
  readonly purged: number
  /** Now. */
  readonly entries: number
  readonly bytes: number
  readonly flights: number
}

/** What the cache itself counts. */
export const countFromZero = () => ({
  hit: 0,
  stale: 0,
  miss: 0,
  bypass: 0,
  joined: 0,
  followed: 0,
  fromSibling: 0,
  staleServed: 0,
  stored: 0,
  refreshed: 0,
  invalidated: 0,
  purged: 0,
})
