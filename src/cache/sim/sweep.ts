/**
 * A trace through many caches: every policy with every admission at every size. What runs is the cache that nodes run,
 * not a model of it; keys are the numbers of objects.
 */
import type { AdmissionName, PolicyName } from '../../config/cache-schema.ts'
import { createAdmission } from '../admission/admissions.ts'
import { Cache } from '../cache.ts'
import { belady, nextUses } from './belady.ts'
import { seededRandom } from './seeded-random.ts'
import type { CacheSize } from './sizes.ts'
import { expectedRequests, type Trace } from './trace.ts'

/** Policies of the cache, and those that see the future: bounds, which nobody can choose. */
export const BOUNDS = ['min', 'min-bypass'] as const
export type BoundName = (typeof BOUNDS)[number]
export type SimPolicy = PolicyName | BoundName

export const isBound = (policy: SimPolicy): policy is BoundName =>
  (BOUNDS as readonly string[]).includes(policy)

export interface SweepPlan {
  readonly policies: readonly SimPolicy[]
  /** The bounds run without any: `all`. */
  readonly admissions: readonly AdmissionName[]
  readonly sizes: readonly CacheSize[]
  /** How often what throws dice is run, each time with other dice; the mean counts. */
  readonly seeds: number
}

export interface SimResult {
  readonly policy: SimPolicy
  readonly admission: AdmissionName
  readonly by: CacheSize['by']
  /** Entries or bytes. */
  readonly size: number
  /** `size` as a part of all objects. */
  readonly share: number
  /** Of a sample: what they would be of the whole trace. Of several seeds: their mean. */
  readonly hits: number
  readonly hitRatio: number
  /** Bytes of hits among bytes of all requests; null where the trace tells no sizes. */
  readonly byteHitRatio: number | null
  /** How often something was put into the cache: what a disk would have to write. Of bounds nobody counts it. */
  readonly stored?: number
  /** Hits of each seed, where dice are thrown. */
  readonly hitsPerSeed?: readonly number[]
}

/** How many results there will be. */
export function sweepLength({ policies, admissions, sizes }: SweepPlan): number {
  const bounds = policies.filter(isBound).length
  return sizes.length * (bounds + (policies.length - bounds) * admissions.length)
}

export function* sweep(trace: Trace, plan: SweepPlan): Generator<SimResult> {
  const keys = Array.from(trace.sizes, (_, object) => String(object))
  const ones = new Float64Array(trace.sizes.length).fill(1)
  let next: Uint32Array | undefined
  for (const policy of plan.policies) {
    if (isBound(policy)) {
      next ??= nextUses(trace)
      for (const size of plan.sizes) {
        const capacity = sampledCapacity(size, trace)
        const weights = size.by === 'bytes' ? trace.sizes : ones
        const run = belady(trace, next, { capacity, weights, bypass: policy === 'min-bypass' })
        yield resultOf(trace, { policy, admission: 'all', size }, [run])
      }
      continue
    }
    for (const admission of plan.admissions) {
      const seeds = throwsDice(policy, admission) ? plan.seeds : 1
      for (const size of plan.sizes) {
        const runs = Array.from({ length: seeds }, (_, seed) =>
          runCache(trace, keys, { policy, admission, size, seed }),
        )
        yield resultOf(trace, { policy, admission, size }, runs)
      }
    }
  }
}

const throwsDice = (policy: PolicyName, admission: AdmissionName): boolean =>
  policy === 'random' || admission === 'size-probability'

/** A sample sees a cache that is smaller by the same share. */
const sampledCapacity = ({ capacity }: CacheSize, { share }: Trace): number =>
  Math.max(1, Math.round(capacity * share))

interface Setting {
  readonly policy: SimPolicy
  readonly admission: AdmissionName
  readonly size: CacheSize
}

interface Run {
  readonly hits: number
  readonly hitBytes: number
  readonly stored?: number
}

function runCache(
  trace: Trace,
  keys: readonly string[],
  { policy, admission, size, seed }: Setting & { readonly policy: PolicyName; readonly seed: number },
): Run {
  const { requests, sizes } = trace
  const capacity = sampledCapacity(size, trace)
  const random = seededRandom(seed + 1)
  const cache = new Cache<true>({
    ...(size.by === 'bytes' ? { bareBytesMax: capacity } : { entriesMax: capacity }),
    shareMax: 1,
    policy,
    admission: createAdmission(admission, { capacity, by: size.by, random }),
    random,
  })
  let hits = 0
  let hitBytes = 0
  for (let i = 0; i < requests.length; i += 1) {
    const object = requests[i]!
    const key = keys[object]!
    if (cache.get(key) === true) {
      hits += 1
      hitBytes += sizes[object]!
    } else cache.set(key, true, sizes[object]!)
  }
  return { hits, hitBytes, stored: cache.counters.stored }
}

function resultOf(trace: Trace, { policy, admission, size }: Setting, runs: readonly Run[]): SimResult {
  const { requests, sizes, share, requestsSeen, hasSizes } = trace
  let requestBytes = 0
  for (const object of requests) requestBytes += sizes[object]!
  const mean = (of: (run: Run) => number) => runs.reduce((sum, run) => sum + of(run), 0) / runs.length
  const expected = expectedRequests(trace)
  const more = expected - requests.length
  const moreBytes = more * (requestBytes / Math.max(1, requests.length))
  const hitRatio = ratio(mean(({ hits }) => hits) + more, expected)
  const byteHitRatio = ratio(mean(({ hitBytes }) => hitBytes) + moreBytes, requestBytes + moreBytes)
  const whole = (part: number) => Math.round(part / share)
  return {
    policy,
    admission,
    by: size.by,
    size: size.capacity,
    share: size.share,
    hits: share === 1 ? Math.round(mean(({ hits }) => hits)) : Math.round(hitRatio * requestsSeen),
    hitRatio,
    byteHitRatio: hasSizes
      ? ratio(
          mean(({ hitBytes }) => hitBytes),
          requestBytes,
        )
      : null,
    ...(isBound(policy) ? {} : { stored: whole(mean(({ stored }) => stored!)) }),
    ...(runs.length > 1 ? { hitsPerSeed: runs.map(({ hits }) => whole(hits)) } : {}),
  }
}

const ratio = (part: number, whole: number): number =>
  whole === 0 ? 0 : Math.min(1, Math.max(0, part / whole))
