/** What the cache did with a request, as units are told it: `request.cache`. */
import { CACHE_USES, type CacheOutcome } from '../contract/cache-outcome.ts'
import type { Exchange } from './exchange.ts'

export function cacheOutcome({ cacheKey, cacheAge, cacheResult, cacheUse }: Exchange): CacheOutcome {
  const byResult = cacheResult === '' ? 'none' : (CACHE_USES[cacheResult] ?? 'bypass')
  return {
    status: cacheUse ?? byResult,
    ...(cacheAge >= 0 && { age: cacheAge }),
    ...(cacheKey !== '' && { key: cacheKey }),
  }
}
