/** What a site with a cache has beside it: what answers are kept under, what never reaches the origin, and what is counted. */
import type { SiteCacheConfig } from '../config/schema.ts'
import { SiteKey } from './caching/keys/site-key.ts'
import { compileUnkeyed } from './caching/keys/unkeyed.ts'
import { CacheStatistics } from './caching/statistics/cache-statistics.ts'
import type { Site } from './sites.ts'

export type SiteCacheParts = Pick<Site, 'cacheKey' | 'isUnkeyed' | 'cacheStatistics'>

/** `sharedAs`: the site's name, where its answers stand in a store that several sites share. `before`: what goes on counting. */
export function siteCacheParts(
  cache: SiteCacheConfig | undefined,
  random: () => number,
  before?: CacheStatistics,
  sharedAs?: string,
): SiteCacheParts {
  if (cache === undefined) return { cacheKey: undefined, isUnkeyed: undefined, cacheStatistics: undefined }
  return {
    cacheKey: new SiteKey(cache.key, sharedAs),
    isUnkeyed: compileUnkeyed(cache),
    cacheStatistics: before ?? new CacheStatistics(cache.topSample, random),
  }
}
