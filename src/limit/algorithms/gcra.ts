/**
 * Generic cell rate algorithm, as virtual scheduling: units are due one by one, window / `count` apart, and one may come early by as much as `burst`
 * such intervals. What comes earlier is refused. With burst 0, nothing comes early: two units are always an interval apart.
 *
 * It decides as a token bucket or a leaky bucket of burst + 1 does. The moment at which the next is due (TAT in the standard) is kept as
 * how far it lies ahead of the last moment, since an interval is seldom whole milliseconds. See ITU-T I.371, annex A, and
 * ATM Forum Traffic Management 4.1, §4.4.2.
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import { Level, LEVEL_WORDS } from './level.ts'
import type { RatePlan } from './plan.ts'

export class GcraAlgorithm implements Algorithm {
  readonly name = 'gcra'
  readonly words = LEVEL_WORDS
  readonly layout: string
  readonly costMax: number
  readonly #ahead: Level
  /** How far ahead the next may be due, for a unit to come now. */
  readonly #tolerance: number

  constructor(plan: RatePlan) {
    const burst = plan.burst ?? plan.count - 1
    this.costMax = burst + 1
    this.#ahead = new Level(plan, this.costMax)
    this.#tolerance = burst * this.#ahead.unit
    this.layout = `${this.name}/${this.#ahead.layout}`
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const ahead = this.#ahead.read(state, at, now)
    const early = this.#tooEarly(ahead, cost)
    const after = early === 0 ? ahead + cost * this.#ahead.unit : ahead
    if (cost > 0) this.#ahead.write(state, at, after)
    return this.#ahead.decide(now, after, early)
  }

  /** By how many parts the last of `cost` units, each due after the one before, comes too early. */
  #tooEarly(ahead: number, cost: number): number {
    if (cost === 0) return 0
    if (cost > this.costMax) return Infinity
    return Math.max(0, ahead + (cost - 1) * this.#ahead.unit - this.#tolerance)
  }

  isIdle(state: Float64Array, at: number, now: number): boolean {
    return this.#ahead.read(state, at, now) === 0
  }

  used(state: Float64Array, at: number, now: number): number {
    return this.#ahead.used(state, at, now)
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    this.#ahead.load(state, at, used, now)
  }

  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void {
    this.#ahead.merge(state, at, words, other, now)
  }
}
