/** What the caches of this worker hold and did, by site. Read at a scrape or when it is asked for; nothing is counted twice for it. */
import type { CacheReading } from '../contract/cache-reading.ts'
import type { MetricSample } from '../contract/messages.ts'
import type { DiskTier, DiskTierCounters } from '../contract/disk-tier.ts'
import type { ResponseCache } from './caching/response-cache.ts'
import { readStore } from './caching/statistics/cache-statistics.ts'
import type { Site } from './sites.ts'

const METRICS = {
  entries: 'orla_cache_entries',
  bytes: 'orla_cache_bytes',
  flights: 'orla_cache_flights',
  stored: 'orla_cache_stored_total',
  refreshed: 'orla_cache_refreshed_total',
  evicted: 'orla_cache_evicted_total',
  invalidated: 'orla_cache_invalidated_total',
  'refused.size': 'orla_cache_too_large_total',
  'refused.admission': 'orla_cache_not_admitted_total',
} as const

const DISK_METRICS = {
  hits: 'orla_cache_disk_hits_total',
  misses: 'orla_cache_disk_misses_total',
  writes: 'orla_cache_disk_writes_total',
  refused: 'orla_cache_disk_refused_total',
  errors: 'orla_cache_disk_errors_total',
} as const satisfies Partial<Record<keyof DiskTierCounters, string>>

/** Of the tiers on disk, as this worker sees them. Sites that share one are counted once, under the first of them. */
export function diskSamples(sites: readonly Pick<Site, 'name' | 'cache'>[]): MetricSample[] {
  const seen = new Set<DiskTier>()
  return sites.flatMap(({ name: site, cache }) => {
    const disk = cache?.disk
    if (disk === undefined || seen.has(disk)) return []
    seen.add(disk)
    const { counters } = disk
    return Object.entries(DISK_METRICS).map(([counter, name]) => ({
      name,
      labels: { site },
      value: counters[counter as keyof typeof DISK_METRICS],
    }))
  })
}

type CachingSite = Pick<Site, 'name' | 'cache' | 'cacheKey' | 'cacheStatistics'>

/** What a store is called that several sites share: no site has that name. */
const SHARED = '*'

/** Of each site, and of each store that several share: what was done is told of the site, what is held of the store. */
export function readCaches(sites: readonly CachingSite[], topMax: number, nowMs: number): CacheReading[] {
  const shared = new Set<ResponseCache>()
  const readings = sites.flatMap(({ name: site, cache, cacheKey, cacheStatistics }): CacheReading[] => {
    if (cache === undefined || cacheStatistics === undefined) return []
    const isShared = cacheKey !== undefined && cacheKey.prefix !== ''
    if (isShared) shared.add(cache)
    return [{ site, ...cacheStatistics.read(topMax, nowMs), ...(isShared ? NO_STORE : readStore(cache)) }]
  })
  for (const cache of shared) readings.push({ site: SHARED, ...NOTHING_DONE, ...readStore(cache) })
  return readings
}

const NO_STORE = { counters: {} }
const NOTHING_DONE = { results: {}, refusals: {}, bytes: { cache: 0, origin: 0 }, top: [] }

export function cacheSamples(sites: readonly CachingSite[]): MetricSample[] {
  return readCaches(sites, 0, 0).flatMap(({ site, counters, results, refusals, bytes, evictedAge }) => [
    ...(evictedAge === undefined
      ? []
      : [{ name: 'orla_cache_evicted_age_seconds', labels: { site }, value: evictedAge }]),
    ...Object.entries(METRICS).flatMap(([counter, name]) => {
      const value = counters[counter]
      return value === undefined ? [] : [{ name, labels: { site }, value }]
    }),
    ...each('orla_cache_requests_total', site, 'result', results),
    ...each('orla_cache_refused_total', site, 'reason', refusals),
    ...each('orla_cache_sent_bytes_total', site, 'source', bytes),
  ])
}

const each = (
  name: string,
  site: string,
  label: string,
  values: Readonly<Record<string, number>>,
): MetricSample[] =>
  Object.entries(values).map(([word, value]) => ({ name, labels: { site, [label]: word }, value }))
