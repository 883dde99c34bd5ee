/**
 * A level that falls evenly as time goes by, and never below nothing: what all buckets keep. What it is the level of, each says: of tokens that
 * are missing, of what is in a bucket that leaks, of time that was given away ahead.
 *
 * Two words: the last moment plus one, and the level in parts of a unit. Both zero is a key that was never seen.
 */
import type { Decision } from '../limiter.ts'
import { counted, momentOf } from './moment.ts'
import { partsOf, type RatePlan } from './plan.ts'

export const LEVEL_WORDS = 2

export class Level {
  /** Parts that make a unit. */
  readonly unit: number
  /** Parts by which it falls in a millisecond. */
  readonly perMs: number
  /** How high it can be. */
  readonly highest: number
  /** What the words mean, apart from whose they are. */
  readonly layout: string
  /** What counts as now, where the clock stepped back. */
  #moment = 0

  /** @throws RangeError where so many units of this rate cannot be counted exactly */
  constructor(plan: RatePlan, units: number) {
    const { unit, perMs } = partsOf(plan, units)
    this.unit = unit
    this.perMs = perMs
    this.highest = units * unit
    this.layout = String(unit)
  }

  /** In parts, at `now`. What is written, or told, next is about the moment of this. */
  read(state: Float64Array, at: number, now: number): number {
    const word = state[at]!
    const parts = counted(state[at + 1]!, this.highest)
    const passed = now - word + 1
    const goesOn = word > 0 && passed >= 0 && Number.isInteger(passed)
    this.#moment = goesOn ? now : momentOf(word, now)
    // A product that is too large to be exact is larger than any level.
    const left = goesOn ? parts - passed * this.perMs : parts
    return left > 0 ? left : 0
  }

  write(state: Float64Array, at: number, parts: number): void {
    // The moment first: where a process dies in between, no time is counted twice.
    state[at] = this.#moment + 1
    state[at + 1] = parts
  }

  /** Whole milliseconds from `now` until it has fallen by so many parts. */
  until(now: number, parts: number): number {
    return parts <= 0 ? 0 : Math.ceil(parts / this.perMs) + this.#moment - now
  }

  /** The decision where the level is `parts`, now that it was taken or not, and `excess` would have been above the highest. */
  decide(now: number, parts: number, excess: number): Decision {
    return {
      allowed: excess <= 0,
      remaining: Math.floor((this.highest - parts) / this.unit),
      retryAfterMs: this.until(now, excess),
      resetMs: this.until(now, parts),
    }
  }

  /** Units, rounded up. */
  used(state: Float64Array, at: number, now: number): number {
    return Math.ceil(this.read(state, at, now) / this.unit)
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    state[at] = now + 1
    state[at + 1] = Math.min(used * this.unit, this.highest)
  }

  /** Makes the one level as high as the other, where that is higher. */
  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void {
    const others = this.read(words, other, now)
    const moment = this.#moment
    const parts = Math.max(this.read(state, at, now), others)
    state[at] = Math.max(this.#moment, moment) + 1
    state[at + 1] = parts
  }
}
