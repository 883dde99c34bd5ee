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

/** What the words mean that look-ups are counted under; of all others (`method`, `range`, `no-store`…) the cache has no part. */
export const CACHE_USES: Readonly<Record<string, CacheUse>> = {
  hit: 'hit',
  collapsed: 'hit',
  disk: 'hit',
  sibling: 'hit',
  'stale-while-revalidate': 'stale',
  'stale-if-error': 'stale',
  stale: 'stale',
  request: 'stale',
  'uri-miss': 'miss',
  'vary-miss': 'miss',
  miss: 'miss',
  partial: 'miss',
  unsatisfiable: 'miss',
}

/** Of these, the ones where no origin was waited for. */
export const CACHE_HITS = [
  'hit',
  'collapsed',
  'disk',
  'sibling',
  'stale-while-revalidate',
  'stale-if-error',
] as const
