/**
 * A trace through many caches: every policy with every admission at every size. What runs is the cache that nodes run,
 * not a model of it; keys are the numbers of objects.
 */
import type { AdmissionName, PolicyName } from '../../config/cache-schema.ts'
import { createAdmission, sizeAdmittedBytes } from '../admission/admissions.ts'
import { Cache } from '../cache.ts'
import { belady, nextUses } from './belady.ts'
import { seededRandom } from '../seeded-random.ts'
import type { CacheSize } from './sizes.ts'
import type { Trace } from './trace.ts'

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

/** One run of a sweep: what there will be a result of. */
export interface Setting {
  readonly policy: SimPolicy
  readonly admission: AdmissionName
  readonly size: CacheSize
}

/** In the order of the results. */
export function settingsOf({ policies, admissions, sizes }: SweepPlan): readonly Setting[] {
  return policies.flatMap((policy) =>
    (isBound(policy) ? (['all'] as const) : admissions).flatMap((admission) =>
      sizes.map((size) => ({ policy, admission, size })),
    ),
  )
}

/** All results of a plan, one after the other, as they are found out. */
export function* sweep(trace: Trace, plan: SweepPlan): Generator<SimResult> {
  const simulator = new Simulator(trace, plan.seeds)
  for (const setting of settingsOf(plan)) yield simulator.run(setting)
}

/** Runs settings on one trace. */
export class Simulator {
  readonly #trace: Trace
  readonly #seeds: number
  readonly #keys: readonly string[]
  readonly #ones: Float64Array
  #next: Uint32Array | undefined

  constructor(trace: Trace, seeds: number) {
    this.#trace = trace
    this.#seeds = seeds
    this.#keys = Array.from(trace.sizes, (_, object) => String(object))
    this.#ones = new Float64Array(trace.sizes.length).fill(1)
  }

  run(setting: Setting): SimResult {
    const { policy, admission } = setting
    if (isBound(policy)) return resultOf(this.#trace, setting, [this.#runBound(policy, setting)])
    const seeds = throwsDice(policy, admission) ? this.#seeds : 1
    const runs = Array.from({ length: seeds }, (_, seed) => this.#runCache(policy, setting, seed))
    return resultOf(this.#trace, setting, runs)
  }

  #runBound(policy: BoundName, { size }: Setting): Run {
    this.#next ??= nextUses(this.#trace)
    return belady(this.#trace, this.#next, {
      capacity: sampledCapacity(size, this.#trace),
      weights: size.by === 'bytes' ? this.#trace.sizes : this.#ones,
      bypass: policy === 'min-bypass',
    })
  }

  /** A cache makes its own by name. But what goes by sizes has to know the whole cache in a sample: it is smaller, and its objects are not. */
  #admissionOf(name: AdmissionName, { by, capacity }: CacheSize, random: () => number) {
    if (name !== 'size-probability' || by === 'entries') return name
    return createAdmission(name, { keys: 0, bytes: sizeAdmittedBytes(capacity), random })!
  }

  #runCache(policy: PolicyName, { admission, size }: Setting, seed: number): Run {
    const { requests, sizes } = this.#trace
    const keys = this.#keys
    const capacity = sampledCapacity(size, this.#trace)
    const random = seededRandom(seed + 1)
    const cache = new Cache<true>({
      ...(size.by === 'bytes' ? { bareBytesMax: capacity } : { entriesMax: capacity }),
      shareMax: 1,
      policy,
      admission: this.#admissionOf(admission, size, random),
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
}

const throwsDice = (policy: PolicyName, admission: AdmissionName): boolean =>
  policy === 'random' || admission === 'size-probability'

/** A sample sees a cache that is smaller by the same share. */
const sampledCapacity = ({ capacity }: CacheSize, { share }: Trace): number =>
  Math.max(1, Math.round(capacity * share))

interface Run {
  readonly hits: number
  readonly hitBytes: number
  readonly stored?: number
}

function resultOf(trace: Trace, { policy, admission, size }: Setting, runs: readonly Run[]): SimResult {
  const { requests, sizes, share, requestsSeen, hasSizes, missing } = trace
  let requestBytes = 0
  for (const object of requests) requestBytes += sizes[object]!
  const mean = (of: (run: Run) => number) => runs.reduce((sum, run) => sum + of(run), 0) / runs.length
  const hits = mean((run) => run.hits)
  const hitRatio = ratio(hits + missing.requests, requests.length + missing.requests)
  const hitBytes = mean((run) => run.hitBytes) + missing.bytes
  const whole = (part: number) => Math.round(part / share)
  return {
    policy,
    admission,
    by: size.by,
    size: size.capacity,
    share: size.share,
    hits: Math.round(share === 1 ? hits : hitRatio * requestsSeen),
    hitRatio,
    byteHitRatio: hasSizes ? ratio(hitBytes, requestBytes + missing.bytes) : null,
    ...(isBound(policy) ? {} : { stored: whole(mean(({ stored }) => stored!)) }),
    ...(runs.length > 1 ? { hitsPerSeed: runs.map(({ hits }) => whole(hits)) } : {}),
  }
}

const ratio = (part: number, whole: number): number =>
  whole === 0 ? 0 : Math.min(1, Math.max(0, part / whole))
