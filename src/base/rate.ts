/** So many in so much time, as configurations say it and limiters count it: its bounds, the ways to count it, and the parts in which it is counted. */

export const ALGORITHM_NAMES = [
  'token-bucket',
  'leaky-bucket',
  'leaky-queue',
  'fixed-window',
  'sliding-window',
  'sliding-log',
  'gcra',
  'shaper',
] as const

export type AlgorithmName = (typeof ALGORITHM_NAMES)[number]

export interface Rate {
  /** 1 to 1,000,000,000. */
  readonly count: number
  /** 1 ms to 30 days, whole milliseconds. */
  readonly windowMs: number
}

export const RATE_COUNT_MAX = 1_000_000_000
export const RATE_WINDOW_MAX_MS = 30 * 24 * 3_600_000
/** Units that may wait. */
export const QUEUE_MAX = 100_000
/** A sliding log keeps a stamp for each unit. */
export const SLIDING_LOG_COUNT_MAX = 4096
/** Keys that have a place. */
export const KEYS_MAX = 16_000_000
/** Parts of a unit are counted up to here: two such numbers added are still exact. */
const PARTS_MAX = 2 ** 52

/** How parts of units are counted: `unit` parts make one, and `perMs` of them come or go in a millisecond. */
export interface Parts {
  readonly unit: number
  readonly perMs: number
  /** Units that can be counted exactly so. */
  readonly unitsMax: number
}

/**
 * The parts for a rate, where up to `units` are to be counted. A unit is as many parts as the window has milliseconds, and a millisecond as many as
 * the count: so a state keeps its meaning where only the count changes. Where that is too much to be exact, both are divided by what
 * they have in common; that may still be too much, as `unitsMax` says.
 */
export function partsOf({ count, windowMs }: Rate, units: number): Parts {
  const common = units * windowMs <= PARTS_MAX ? 1 : commonDivisor(count, windowMs)
  const unit = windowMs / common
  return { unit, perMs: count / common, unitsMax: Math.floor(PARTS_MAX / unit) }
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))
