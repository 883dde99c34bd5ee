/** What the cache did with a request, in the words that units, traces and statistics share. */

export type CacheUse =
  | 'hit' // answered from the cache
  | 'stale' // answered from the cache with what is past its time; in `originResponse`: there is such an answer, and the origin was asked about it
  | 'revalidated' // answered from the cache, after the origin said that it is still good
  | 'miss' // answered by the origin
  | 'bypass' // the cache has no part in this request
  | 'none' // the site has no cache, or it was not asked

export interface CacheOutcome {
  readonly status: CacheUse
  /** Whole seconds since the origin made the answer that is sent; absent where it came from the origin just now. */
  readonly age?: number
  /** What the answer is kept under; absent where the cache was not asked. */
  readonly key?: string
}
