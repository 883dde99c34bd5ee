/** So many in so much time: what a plan says, and its numbers looked at before anything counts by them. */
import {
  ALGORITHM_NAMES,
  type AlgorithmName,
  type Parts,
  partsOf as partsFor,
  QUEUE_MAX,
  RATE_COUNT_MAX,
  RATE_WINDOW_MAX_MS,
  SLIDING_LOG_COUNT_MAX,
} from '../../base/rate.ts'
import { MOMENT_MAX } from './moment.ts'

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

/** @throws RangeError */
export function checkPlan(plan: RatePlan): void {
  if (!ALGORITHM_NAMES.includes(plan.algorithm))
    throw new RangeError(
      `algorithm: expected one of ${ALGORITHM_NAMES.join(', ')}, not ${told(plan.algorithm)}`,
    )
  whole('count', plan.count, 1, RATE_COUNT_MAX)
  whole('windowMs', plan.windowMs, 1, RATE_WINDOW_MAX_MS)
  if (plan.burst !== undefined) whole('burst', plan.burst, plan.algorithm === 'gcra' ? 0 : 1, RATE_COUNT_MAX)
  if (plan.queue !== undefined) whole('queue', plan.queue, 0, QUEUE_MAX)
  if (plan.startMs !== undefined) whole('startMs', plan.startMs, 0, MOMENT_MAX)
  if (plan.algorithm === 'sliding-log' && plan.count > SLIDING_LOG_COUNT_MAX)
    throw new RangeError(
      `a sliding log keeps a stamp for each unit, so that it counts to ${SLIDING_LOG_COUNT_MAX} in a window, not to ${plan.count}; sliding-window and gcra count further`,
    )
}

/** @throws RangeError where `value` is no whole number from `from` to `to`. */
export function whole(name: string, value: unknown, from: number, to: number): void {
  if (!Number.isInteger(value) || (value as number) < from || (value as number) > to)
    throw new RangeError(`${name}: expected a whole number from ${from} to ${to}, not ${told(value)}`)
}

export const told = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : String(value)

/** The parts for a rate, where up to `units` are counted. @throws RangeError where that is too much to be exact. */
export function partsOf({ count, windowMs }: RatePlan, units: number): Parts {
  const parts = partsFor({ count, windowMs }, units)
  if (units > parts.unitsMax)
    throw new RangeError(
      `a rate of ${count} in ${windowMs} ms can be counted exactly up to ${parts.unitsMax} units at once, and ${units} are asked for; a rounder count, a shorter window or a smaller burst can be counted further`,
    )
  return parts
}

/** How many may wait. */
export const queueOf = ({ queue, count }: RatePlan): number => queue ?? Math.min(count, QUEUE_MAX)
