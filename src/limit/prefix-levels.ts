/**
 * The prefixes that an address is limited by, each with a rate of its own: one client of an IPv6 network has 2^64 addresses, and often 2^16 such networks.
 *
 * They are asked from the shortest to the longest; the first one that is used up refuses, and nothing is counted at the longer ones.
 */
import type { Rate } from '../base/rate.ts'
import { told, whole } from './algorithms/plan.ts'

/** What the addresses that share their first `length` bits may take together. */
export interface LevelPlan {
  readonly length: number
  readonly count: number
  readonly windowMs: number
  readonly burst?: number | undefined
}

export interface PrefixPlan {
  readonly v4: readonly LevelPlan[]
  readonly v6: readonly LevelPlan[]
}

/** A shorter prefix allows so many times what the next longer one does. */
const GROWTH = 4

/** A prefix length as it is written in a configuration: what it does not say follows from the limit's own rate. */
export interface LevelSpec {
  readonly length: number
  readonly rate?: Rate | undefined
  readonly burst?: number | undefined
}

/**
 * The levels of one family, the shortest first. Without a rate of its own, the longest prefix has that of the limit, and each shorter one four times as much
 * as the next longer one; a burst grows with it.
 */
export function levelPlans(
  { count, windowMs, burst }: { count: number; windowMs: number; burst?: number | undefined },
  specs: readonly LevelSpec[],
): LevelPlan[] {
  const levels: LevelPlan[] = []
  let times = 1
  for (const spec of specs.toSorted((a, b) => b.length - a.length)) {
    const rate = spec.rate ?? { count: count * times, windowMs }
    const ownBurst =
      spec.burst ?? (spec.rate === undefined && burst !== undefined ? burst * times : undefined)
    levels.unshift({ length: spec.length, ...rate, ...(ownBurst === undefined ? {} : { burst: ownBurst }) })
    times *= GROWTH
  }
  return levels
}

/** @throws RangeError where a length is none of the family, or stands there twice. */
export function checkLevels(name: 'v4' | 'v6', levels: readonly LevelPlan[]): void {
  const bits = name === 'v4' ? 32 : 128
  for (const [i, { length }] of levels.entries()) {
    whole(`prefixes.${name}[${i}].length`, length, 1, bits)
    if (levels.findIndex((level) => level.length === length) !== i)
      throw new RangeError(`prefixes.${name}: /${told(length)} stands there twice; expected each length once`)
  }
}
