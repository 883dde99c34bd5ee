/** What a limit over all nodes counts: the same on each of them, so that their keys meet in Redis. */
import { levelsOf } from '../../config/limit-levels.ts'
import type { RateLimitConfig } from '../../config/limit-schema.ts'
import { checkPlan, partsOf, type RatePlan, told } from '../algorithms/plan.ts'
import { SCRIPTS } from './scripts.ts'

export interface ClusterLevel extends Omit<RatePlan, 'algorithm'> {
  /** Of the prefix. */
  readonly length: number
}

export interface ClusterPlan {
  /** Whose limit, and which. */
  readonly id: string
  readonly mode: 'exact' | 'batched'
  /** For keys that are no address. */
  readonly rate: RatePlan
  /** For addresses, from the longest prefix to the shortest. */
  readonly v4: readonly ClusterLevel[]
  readonly v6: readonly ClusterLevel[]
}

export function clusterPlanOf(site: string, limit: RateLimitConfig): ClusterPlan {
  const { algorithm, rate, burst, startFull, prefixes, mode, name } = limit
  const more = { algorithm, ...(startFull && { startFull }) }
  return {
    id: `${site}\n${name}`,
    mode,
    rate: { ...more, ...rate, ...(burst !== undefined && { burst }) },
    v4: levelsOf(prefixes.v4, limit).map((level) => ({ ...more, ...level })),
    v6: levelsOf(prefixes.v6, limit).map((level) => ({ ...more, ...level })),
  }
}

/** One level as the scripts have it. */
export interface LevelShape {
  /** Units that are allowed at once. */
  readonly full: number
  readonly windowMs: number
  /** See `partsOf`. */
  readonly unit: number
  readonly perMs: number
  readonly startFull: boolean
  /** What the state means: one that means something else has another key. */
  readonly layout: string
}

/** In Lua a product has to be exact by itself. */
const PRODUCT_MAX = 2 ** 52

/** @throws RangeError that names what cannot be counted in Redis, and what could be. */
export function levelShape(plan: RatePlan, mode: 'exact' | 'batched'): LevelShape {
  checkPlan(plan)
  const { algorithm, count, windowMs, burst, startFull = false } = plan
  if (!SCRIPTS.has(algorithm))
    throw new RangeError(
      `algorithm: ${told(algorithm)} lets requests wait in the memory of one node; over all nodes expected one of ${[...SCRIPTS.keys()].join(', ')}`,
    )
  if (algorithm === 'sliding-log' && mode === 'batched')
    throw new RangeError(
      `mode: "sliding-log" keeps the moment of each request, which a share set aside does not have; expected mode "exact", or "sliding-window"`,
    )
  const full = algorithm === 'gcra' ? (burst ?? count - 1) + 1 : (burst ?? count)
  const isBucket = ['token-bucket', 'leaky-bucket', 'gcra'].includes(algorithm)
  if (algorithm === 'sliding-window' && count * windowMs > PRODUCT_MAX)
    throw new RangeError(
      `count: over all nodes, a sliding window of ${windowMs} ms counts to ${Math.floor(PRODUCT_MAX / windowMs)}, not to ${count}; a token bucket counts further`,
    )
  const { unit, perMs } = isBucket ? partsOf(plan, full) : { unit: 1, perMs: 1 }
  return {
    full,
    windowMs,
    unit,
    perMs,
    startFull,
    layout: isBucket ? `bucket/${unit}` : `${algorithm}/${windowMs}`,
  }
}
