/**
 * Sliding log: the moments of the last `count` units, and a unit is allowed where the oldest of them is out of the window. Exact: in no half-open
 * interval (now − window, now] is there more than `count`.
 *
 * The price is a word for each unit, so that a count is 4,096 at most: `sliding-window` and `gcra` need three words and two. The stamps are a
 * ring in the order of time, so that a decision looks at one of them. Words: the last moment, where in the ring the oldest is, and the ring.
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import { counted, MOMENT_MAX, momentOf } from './moment.ts'
import type { RatePlan } from './plan.ts'

const OLDEST = 1
const RING = 2

export class SlidingLogAlgorithm implements Algorithm {
  readonly name = 'sliding-log'
  readonly words: number
  readonly layout: string
  readonly costMax: number
  readonly #windowMs: number

  constructor(plan: RatePlan) {
    this.costMax = plan.count
    this.words = RING + plan.count
    this.#windowMs = plan.windowMs
    this.layout = `${this.name}/${plan.windowMs}/${plan.count}`
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const moment = this.#look(state, at, now)
    // Of the stamps that have to be out of the window, the youngest is the last to be.
    const wait = cost === 0 ? 0 : cost > this.costMax ? Infinity : this.#untilOut(state, at, cost - 1, now)
    if (cost > 0) this.#setBack(state, at, moment)
    if (wait === 0 && cost > 0) {
      for (let place = 0; place < cost; place += 1) state[this.#index(state, at, place)] = moment + 1
      state[at + OLDEST] = (state[at + OLDEST]! + cost) % this.costMax
    }
    return {
      allowed: wait === 0,
      remaining: this.#placesOut(state, at, now),
      retryAfterMs: wait,
      resetMs: this.#untilOut(state, at, this.costMax - 1, now),
    }
  }

  isIdle(state: Float64Array, at: number, now: number): boolean {
    this.#look(state, at, now)
    return this.#untilOut(state, at, this.costMax - 1, now) === 0
  }

  used(state: Float64Array, at: number, now: number): number {
    this.#look(state, at, now)
    return this.costMax - this.#placesOut(state, at, now)
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    state[at] = now + 1
    state[at + OLDEST] = 0
    const first = this.costMax - Math.min(used, this.costMax)
    for (let place = 0; place < this.costMax; place += 1)
      state[at + RING + place] = place < first ? 0 : now + 1
  }

  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void {
    const moment = Math.max(this.#look(state, at, now), this.#look(words, other, now))
    const by = this.#aheadBy(words, other, momentOf(words[other]!, now))
    this.#setBack(state, at, momentOf(state[at]!, now))
    state[at] = moment + 1
    // Place by place, the younger of both: of the one log or the other, no more are out of the window.
    for (let place = 0; place < this.costMax; place += 1) {
      const stamp = words[this.#index(words, other, place)]!
      const index = this.#index(state, at, place)
      if (stamp !== 0) state[index] = Math.max(state[index]!, Math.max(1, stamp - by))
    }
  }

  /** The moment that counts. A state that cannot be is filled: it is free again after a window. */
  #look(state: Float64Array, at: number, now: number): number {
    const [last, oldest] = [state[at]!, state[at + OLDEST]!]
    const isWhole = Number.isInteger(last) && Number.isInteger(oldest)
    if (!isWhole || last < 0 || last > MOMENT_MAX + 1 || oldest < 0 || oldest >= this.costMax)
      this.load(state, at, this.costMax, now)
    return momentOf(state[at]!, now)
  }

  /** Where the clock was set back, stamps stay as old as they were, and the state goes on from `moment`. */
  #setBack(state: Float64Array, at: number, moment: number): void {
    const by = this.#aheadBy(state, at, moment)
    if (by > 0)
      for (let place = at + RING; place < at + this.words; place += 1)
        if (state[place] !== 0) state[place] = Math.max(1, state[place]! - by)
    state[at] = moment + 1
  }

  #aheadBy(state: Float64Array, at: number, moment: number): number {
    return Math.max(0, state[at]! - 1 - moment)
  }

  /** Milliseconds until the stamp at this place, counted from the oldest, is out of the window. */
  #untilOut(state: Float64Array, at: number, place: number, now: number): number {
    const index = this.#index(state, at, place)
    const stamp = state[index]!
    if (stamp === 0) return 0
    const moment = momentOf(state[at]!, now)
    // No stamp is later than the last moment.
    state[index] = counted(stamp, state[at] === 0 ? moment + 1 : state[at]!)
    const out = state[index]! - 1 - this.#aheadBy(state, at, moment) + this.#windowMs
    return out <= moment ? 0 : out - now
  }

  /** How many of the stamps are out of the window; they lie before all others. */
  #placesOut(state: Float64Array, at: number, now: number): number {
    let [low, high] = [0, this.costMax]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#untilOut(state, at, middle, now) === 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #index(state: Float64Array, at: number, place: number): number {
    return at + RING + ((state[at + OLDEST]! + place) % this.costMax)
  }
}
