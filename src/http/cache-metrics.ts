/** What the caches of this worker hold and did, by site. Read at a scrape; nothing is counted twice for it. */
import type { MetricSample } from '../contract/messages.ts'
import type { DiskTierCounters } from '../contract/disk-tier.ts'
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

const DISK_METRICS = {
  hits: 'orla_cache_disk_hits_total',
  misses: 'orla_cache_disk_misses_total',
  writes: 'orla_cache_disk_writes_total',
  refused: 'orla_cache_disk_refused_total',
  errors: 'orla_cache_disk_errors_total',
} as const satisfies Partial<Record<keyof DiskTierCounters, string>>

/** Of the tiers on disk, as this worker sees them. Sites that share one are counted once, under the first of them. */
export function diskSamples(sites: readonly Pick<Site, 'name' | 'cache'>[]): MetricSample[] {
  const seen = new Set<unknown>()
  return sites.flatMap(({ name: site, cache }) => {
    const counters = cache?.diskCounters
    if (counters === undefined || seen.has(cache)) return []
    seen.add(cache)
    return Object.entries(DISK_METRICS).map(([counter, name]) => ({
      name,
      labels: { site },
      value: counters[counter as keyof typeof DISK_METRICS],
    }))
  })
}

export function cacheSamples(sites: readonly Pick<Site, 'name' | 'cache'>[]): MetricSample[] {
  return sites.flatMap(({ name: site, cache }) => {
    if (cache === undefined) return []
    const { counters } = cache
    return Object.entries(METRICS).map(([counter, name]) => ({
      name,
      labels: { site },
      value: counters[counter as keyof typeof METRICS],
    }))
  })
}
