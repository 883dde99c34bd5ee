/**
 * Fixed window: time is cut into windows that stand side by side on the clock, and each allows `count`.
 *
 * The cheapest to explain: "ten a minute, from the full minute on". The price: around the boundary of two windows twice as much comes through.
 * Two words: the start of the window, and what it has given.
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import type { RatePlan } from './plan.ts'
import { isLeft, startOf } from './window-start.ts'

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
    const start = this.#start(state, at, now)
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

  /** The start of the window that counts at `now`. */
  #start(state: Float64Array, at: number, now: number): number {
    const start = state[at]! - 1
    return start < 0 || isLeft(start, this.#windowMs, now)
      ? startOf(now, this.#windowMs, this.#startMs)
      : start
  }

  /** What that window has given. Where the clock was set back, what a later one gave counts in it. */
  #given(state: Float64Array, at: number, now: number): number {
    if (state[at]! > 0 && now >= state[at]! - 1 + this.#windowMs) return 0
    const given = state[at + 1]!
    return given >= 0 && given <= this.costMax ? given : this.costMax
  }
}
