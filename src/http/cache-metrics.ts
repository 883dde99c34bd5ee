/** What the caches of this worker hold and did, by site. Read at a scrape or when it is asked for; nothing is counted twice for it. */
import type { CacheReading } from '../contract/cache-reading.ts'
import type { MetricSample } from '../contract/messages.ts'
import type { ResponseCacheCounters } from './caching/response-cache.ts'
import type { Site } from './sites.ts'

const METRICS = {
  entries: 'orla_cache_entries',
  bytes: 'orla_cache_bytes',
  flights: 'orla_cache_flights',
  stored: 'orla_cache_stored_total',
  refreshed: 'orla_cache_refreshed_total',
  evicted: 'orla_cache_evicted_total',
  invalidated: 'orla_cache_invalidated_total',
} as const satisfies Partial<Record<keyof ResponseCacheCounters, string>>

type CachingSite = Pick<Site, 'name' | 'cache' | 'cacheStatistics'>

export function readCaches(sites: readonly CachingSite[], topMax: number, nowMs: number): CacheReading[] {
  return sites.flatMap(({ name, cache, cacheStatistics }) =>
    cache === undefined || cacheStatistics === undefined
      ? []
      : [cacheStatistics.read(name, cache, topMax, nowMs)],
  )
}

export function cacheSamples(sites: readonly CachingSite[]): MetricSample[] {
  return readCaches(sites, 0, 0).flatMap(({ site, counters, results, refusals, bytes }) => [
    ...Object.entries(METRICS).map(([counter, name]) => ({
      name,
      labels: { site },
      value: counters[counter] ?? 0,
    })),
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
