/**
 * What decides, apart from where it remembers: an algorithm reads and writes a few float64 words that somebody else keeps, in a table, a
 * file that several processes share, or an array of one's own.
 *
 * All of it is whole numbers below 2^53, which a float64 holds exactly: the usual cases fall on the very boundary between two decisions, and
 * a fraction that was rounded flips them. Parts of a unit are counted in units × window instead.
 */
import { ALGORITHM_NAMES, type AlgorithmName } from '../../base/rate.ts'
import type { Decision } from '../limiter.ts'
import { FixedWindowAlgorithm } from './fixed-window.ts'
import { GcraAlgorithm } from './gcra.ts'
import { LeakyBucketAlgorithm } from './leaky-bucket.ts'
import { LeakyQueueAlgorithm } from './leaky-queue.ts'
import { checkPlan, type RatePlan } from './plan.ts'
import { ShaperAlgorithm } from './shaper.ts'
import { SlidingLogAlgorithm } from './sliding-log.ts'
import { SlidingWindowAlgorithm } from './sliding-window.ts'
import { TokenBucketAlgorithm } from './token-bucket.ts'

export { ALGORITHM_NAMES, type AlgorithmName, type RatePlan }

export interface Algorithm {
  readonly name: AlgorithmName
  /** Float64 words of state for one key. All of them zero is a key that was never seen. */
  readonly words: number
  /** What the words mean. A state may be kept for another plan where this is the same, whatever its count and burst are. */
  readonly layout: string
  /** The largest cost that is ever allowed. */
  readonly costMax: number
  /**
   * Decides, and reads and writes `state[at]` to `state[at + words - 1]`. `cost` is a whole number from 0, `now` one from 0 to `MOMENT_MAX`: who calls has
   * looked. A cost of 0 is allowed and writes nothing. A state that cannot be (a process died while it wrote) is mended to the stricter side.
   */
  take(state: Float64Array, at: number, cost: number, now: number): Decision
  /** Whether the key has at `now` all that a key has that was never seen: its state may be dropped. */
  isIdle(state: Float64Array, at: number, now: number): boolean
  /** Units that the key has used up at `now`, rounded up: what is remembered of it where its state has to go. */
  used(state: Float64Array, at: number, now: number): number
  /** Writes a state in which `used` units are used up: never less strict than the state that `used` was read from. */
  load(state: Float64Array, at: number, used: number, now: number): void
  /** Makes the state from `at` on as strict as that from `other` on in `words` is, where that is stricter. */
  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void
}

/** @throws RangeError that names what of the plan is out of its range, and what would be right. */
export function createAlgorithm(plan: RatePlan): Algorithm {
  checkPlan(plan)
  return new ALGORITHMS[plan.algorithm](plan)
}

const ALGORITHMS: Readonly<Record<AlgorithmName, new (plan: RatePlan) => Algorithm>> = {
  'token-bucket': TokenBucketAlgorithm,
  'leaky-bucket': LeakyBucketAlgorithm,
  'leaky-queue': LeakyQueueAlgorithm,
  'fixed-window': FixedWindowAlgorithm,
  'sliding-window': SlidingWindowAlgorithm,
  'sliding-log': SlidingLogAlgorithm,
  gcra: GcraAlgorithm,
  shaper: ShaperAlgorithm,
}
