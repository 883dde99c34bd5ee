/** So many in so much time: what a plan says, and its numbers looked at before anything counts by them. */
import { MOMENT_MAX } from './moment.ts'

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

/** So many in so much time, and how that is meant. */
export interface RatePlan {
  readonly algorithm: AlgorithmName
  /** Units a window, 1 to 1,000,000,000; `sliding-log`: to 4,096. */
  readonly count: number
  /** 1 ms to 30 days, whole milliseconds. */
  readonly windowMs: number
  /**
   * `token-bucket` and `leaky-bucket`: units they hold, from 1; where none is given, `count`. `gcra`: how many may come at once beside the one
   * that is due, from 0; where none is given, `count - 1`.
   */
  readonly burst?: number | undefined
  /** `leaky-queue` and `shaper`: units that may wait, 0 to 100,000; where none is given, `count`, as far as that. */
  readonly queue?: number | undefined
  /** `sliding-window`: a key that is new starts as if its window before had been full. */
  readonly startFull?: boolean | undefined
  /** `fixed-window`, `sliding-window` and `shaper`: a moment at which a window starts, and with it all others; 0 where none is given. */
  readonly startMs?: number | undefined
}

export const COUNT_MAX = 1_000_000_000
export const WINDOW_MAX_MS = 30 * 24 * 3_600_000
export const QUEUE_MAX = 100_000
/** A sliding log keeps a stamp for each unit. */
export const LOG_MAX = 4096
/** Parts of a unit are counted up to here: two such numbers added are still exact. */
const PARTS_MAX = 2 ** 52

/** @throws RangeError */
export function checkPlan(plan: RatePlan): void {
  if (!ALGORITHM_NAMES.includes(plan.algorithm))
    throw new RangeError(
      `algorithm: expected one of ${ALGORITHM_NAMES.join(', ')}, not ${told(plan.algorithm)}`,
    )
  whole('count', plan.count, 1, COUNT_MAX)
  whole('windowMs', plan.windowMs, 1, WINDOW_MAX_MS)
  if (plan.burst !== undefined) whole('burst', plan.burst, plan.algorithm === 'gcra' ? 0 : 1, COUNT_MAX)
  if (plan.queue !== undefined) whole('queue', plan.queue, 0, QUEUE_MAX)
  if (plan.startMs !== undefined) whole('startMs', plan.startMs, 0, MOMENT_MAX)
  if (plan.algorithm === 'sliding-log' && plan.count > LOG_MAX)
    throw new RangeError(
      `a sliding log keeps a stamp for each unit, so that it counts to ${LOG_MAX} in a window, not to ${plan.count}; sliding-window and gcra count further`,
    )
}

/** @throws RangeError where `value` is no whole number from `from` to `to`. */
export function whole(name: string, value: unknown, from: number, to: number): void {
  if (!Number.isInteger(value) || (value as number) < from || (value as number) > to)
    throw new RangeError(`${name}: expected a whole number from ${from} to ${to}, not ${told(value)}`)
}

export const told = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : String(value)

/** How parts of units are counted: `unit` parts make one, and `perMs` of them come or go in a millisecond. */
export interface Parts {
  readonly unit: number
  readonly perMs: number
}

/**
 * The parts for a rate, where up to `units` are counted. A unit is as many parts as the window has milliseconds, and a millisecond as many as
 * the count: so a state keeps its meaning where only the count changes. Where that is too much to be exact, both are divided by what
 * they have in common.
 * @throws RangeError where that is too much, too.
 */
export function partsOf({ count, windowMs }: RatePlan, units: number): Parts {
  if (units * windowMs <= PARTS_MAX) return { unit: windowMs, perMs: count }
  const common = commonDivisor(count, windowMs)
  const unit = windowMs / common
  if (units * unit > PARTS_MAX)
    throw new RangeError(
      `a rate of ${count} in ${windowMs} ms can be counted exactly up to ${Math.floor(PARTS_MAX / unit)} units at once, and ${units} are asked for; a rounder count, a shorter window or a smaller burst can be counted further`,
    )
  return { unit, perMs: count / common }
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))

/** How many may wait. */
export const queueOf = ({ queue, count }: RatePlan): number => queue ?? Math.min(count, QUEUE_MAX)
