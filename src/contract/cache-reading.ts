/** What the cache of a site holds and did, as one worker tells it; numbers of workers are summed by name. */
import type { HistogramCounts } from '../base/histogram.ts'

export interface CacheReading {
  /** `*`: of a store that several sites share, which then have no `counters` of their own. */
  readonly site: string
  /** Requests by the word that their look-up came to: `hit`, `uri-miss`, `collapsed`… */
  readonly results: Readonly<Record<string, number>>
  /** Answers of the origin that were not kept, by reason. */
  readonly refusals: Readonly<Record<string, number>>
  /** Sent to clients, heads included. */
  readonly bytes: { readonly cache: number; readonly origin: number }
  /** Of the store: `entries` and `bytes` now; the rest since it was made. */
  readonly counters: Readonly<Record<string, number>>
  /** How old objects were when they made room for others, in seconds. */
  readonly evictedAge?: HistogramCounts
  /** The most wanted objects. */
  readonly top: readonly TopObject[]
}

/** Of hits that were sampled, seen for all of them. */
export interface TopObject {
  readonly key: string
  readonly hits: number
  /** By so much `hits` may be too high. */
  readonly excess: number
  /** Of bodies. */
  readonly bytes: number
  /** As its last sampled hit saw it. */
  readonly ageSeconds: number
  /** Seconds that it is fresh yet; negative where it is stale. */
  readonly ttlSeconds: number
}

/** What a worker would do with a GET of a URL, before units have seen it. */
export interface CacheExplanation {
  readonly site: string
  /** Absent where the site has no cache. */
  readonly key?: string
  /** What the origin would be asked for. */
  readonly target?: string
  /** What stands in its memory under the key. */
  readonly stored: readonly StoredObject[]
}

export interface StoredObject {
  readonly status: number
  readonly ageSeconds: number
  /** Negative where it is stale. */
  readonly ttlSeconds: number
  readonly bytes: number
  readonly tags: readonly string[]
  /** The headers that chose it, as `name: value`, or the name alone where it was not there. */
  readonly vary: readonly string[]
}
