/** What the cache did with a request, as units are told it: `request.cache`. */
import type { CacheOutcome, CacheUse } from '../contract/cache-outcome.ts'
import type { Exchange } from './exchange.ts'

/** By the words that look-ups are counted under. Of others the cache has no part. */
const USES: Readonly<Record<string, CacheUse>> = {
  '': 'none',
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

export function cacheOutcome(exchange: Exchange): CacheOutcome {
  const { cacheKey, cacheAge, cacheResult, cacheUse } = exchange
  return {
    status: cacheUse ?? USES[cacheResult] ?? 'bypass',
    ...(cacheAge >= 0 && { age: cacheAge }),
    ...(cacheKey !== '' && { key: cacheKey }),
  }
}
