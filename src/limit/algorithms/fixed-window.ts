/**
 * Fixed window: time is cut into windows that stand side by side on the clock, and each allows `count`.
 *
 * The cheapest to explain: "ten a minute, from the full minute on". The price: around the boundary of two windows twice as much comes through.
 * Two words: the start of the window, and what it has given.
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import { counted } from './moment.ts'
import type { RatePlan } from './plan.ts'
import { laterStart, startAt, startOf, windowsPassed } from './window-start.ts'

export class FixedWindowAlgorithm implements Algorithm {
  readonly name = 'fixed-window'
  readonly words = 2
  readonly layout: string
  readonly costMax: number
  readonly #windowMs: number
  readonly #startMs: number

  constructor(plan: RatePlan) {
    this.costMax = plan.count
    this.#windowMs = plan.windowMs
    this.#startMs = plan.startMs ?? 0
    this.layout = `${this.name}/${plan.windowMs}`
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const start = startAt(state[at]!, now, this.#windowMs, this.#startMs)
    let given = this.#given(state, at, now)
    const allowed = given + cost <= this.costMax || cost === 0
    if (allowed) given += cost
    if (cost > 0) {
      state[at] = start + 1
      state[at + 1] = given
    }
    const untilNext = start + this.#windowMs - now
    return {
      allowed,
      remaining: this.costMax - given,
      retryAfterMs: allowed ? 0 : cost > this.costMax ? Infinity : untilNext,
      resetMs: given === 0 ? 0 : untilNext,
    }
  }

  isIdle(state: Float64Array, at: number, now: number): boolean {
    return this.#given(state, at, now) === 0
  }

  used(state: Float64Array, at: number, now: number): number {
    return this.#given(state, at, now)
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    state[at] = startOf(now, this.#windowMs, this.#startMs) + 1
    state[at + 1] = Math.min(used, this.costMax)
  }

  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void {
    const given = Math.max(this.#given(state, at, now), this.#given(words, other, now))
    state[at] = laterStart(state[at]!, words[other]!, now, this.#windowMs, this.#startMs) + 1
    state[at + 1] = given
  }

  /** What the window that counts at `now` has given. Where the clock was set back, what a later one gave counts in it. */
  #given(state: Float64Array, at: number, now: number): number {
    const isOver = windowsPassed(state[at]!, now, this.#windowMs) > 0
    return isOver ? 0 : counted(state[at + 1]!, this.costMax)
  }
}
