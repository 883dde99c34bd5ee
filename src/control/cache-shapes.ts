/** What the admin API tells about caches: see `shapes.ts`. */
import * as v from 'valibot'

const text = () => v.string('expected a string')
const number = () => v.number('expected a number')
const numbers = () => v.record(text(), number())

export const CacheShape = v.strictObject({
  /** `*`: what is held for all sites that share one store (`edge.cache`), and have no `counters` of their own then. */
  site: text(),
  /** Workers that were asked, and told. */
  workers: number(),
  /** The share of requests that the cache answered, stale answers included; absent before the first. */
  hitRatio: v.optional(number()),
  /** The share of bytes sent that the cache had; absent before the first. */
  byteHitRatio: v.optional(number()),
  /** Requests by what their look-up came to: `hit`, `collapsed`, `stale`, `uri-miss`, `vary-miss`, or the reason of a bypass. */
  results: numbers(),
  /** Answers of the origin that were not kept, by reason. */
  refusals: numbers(),
  /** Sent to clients, heads included. */
  bytes: v.strictObject({ cache: number(), origin: number() }),
  /** Of the store: `entries`, `bytes` and `flights` now; the rest since it was made. */
  counters: numbers(),
  /** How old objects were when they made room for others; absent where none was evicted. */
  evictedAge: v.optional(
    v.strictObject({
      count: number(),
      meanSeconds: number(),
      /** How many were younger than so many seconds, and no younger than the bound before. The last has no bound. */
      ages: v.array(v.strictObject({ belowSeconds: v.optional(number()), count: number() })),
    }),
  ),
})
export type CacheSummary = v.InferOutput<typeof CacheShape>

export const TopObjectShape = v.strictObject({
  site: text(),
  key: text(),
  /** Estimated from a sample (`topSample`). */
  hits: number(),
  /** By so much `hits` may be too high, beside what sampling does. */
  excess: number(),
  /** Of bodies. */
  bytes: number(),
  ageSeconds: number(),
  /** Negative where it is stale. */
  ttlSeconds: number(),
})
export type TopObjectSummary = v.InferOutput<typeof TopObjectShape>

/** `top`: of all sites, the most wanted first. */
export interface CacheReport {
  readonly caches: readonly CacheSummary[]
  readonly top: readonly TopObjectSummary[]
}

export const ExplainedShape = v.strictObject({
  site: text(),
  /** Absent where the site has no cache. */
  key: v.optional(text()),
  /** What the origin would be asked for. */
  target: v.optional(text()),
  /** What stands under the key in the memory of each worker. */
  workers: v.array(
    v.array(
      v.strictObject({
        status: number(),
        ageSeconds: number(),
        ttlSeconds: number(),
        bytes: number(),
        tags: v.array(text()),
        /** The headers that chose it, as `name: value`, or the name alone where it was not there. */
        vary: v.array(text()),
      }),
    ),
  ),
})
export type CacheExplained = v.InferOutput<typeof ExplainedShape>
