/**
 * Generic cell rate algorithm, as virtual scheduling: units are due one by one, window / `count` apart, and one may come early by as much as `burst`
 * such intervals. What comes earlier is refused. With burst 0, nothing comes early: two units are always an interval apart.
 *
 * It decides as a token bucket or a leaky bucket of burst + 1 does. The moment at which the next is due (TAT in the standard) is kept as
 * how far it lies ahead of the last moment, since an interval is seldom whole milliseconds. See ITU-T I.371, annex A, and
 * ATM Forum Traffic Management 4.1, §4.4.2.
 */
import type { Decision } from '../limiter.ts'
import { LevelAlgorithm } from './level-algorithm.ts'
import type { RatePlan } from './plan.ts'

export class GcraAlgorithm extends LevelAlgorithm {
  /** How far ahead the next may be due, for a unit to come now. */
  readonly #tolerance: number

  constructor(plan: RatePlan) {
    const burst = plan.burst ?? plan.count - 1
    super('gcra', plan, burst + 1)
    this.#tolerance = burst * this.level.unit
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const ahead = this.level.read(state, at, now)
    const early = this.#tooEarly(ahead, cost)
    const after = early === 0 ? ahead + cost * this.level.unit : ahead
    if (cost > 0) this.level.write(state, at, after)
    return this.level.decide(now, after, early)
  }

  /** By how many parts the last of `cost` units, each due after the one before, comes too early. */
  #tooEarly(ahead: number, cost: number): number {
    if (cost === 0) return 0
    if (cost > this.costMax) return Infinity
    return Math.max(0, ahead + (cost - 1) * this.level.unit - this.#tolerance)
  }
}
