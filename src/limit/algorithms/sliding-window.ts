/**
 * Sliding window: two counters, of this window and of the one before, which counts by the share of it that a window ending now would still see:
 *
 *     estimate = previous × (window − elapsed) / window + current
 *
 * A unit is refused where the estimate of what came before it is above `count`, or where `count` came in this window. A cost of n is decided
 * as n units at the same moment would be, all or none. A window ends at `elapsed ≥ window`. With `startFull`, a key that is new
 * starts as if its window before had been full, and gets no burst.
 *
 * Nearly as exact as a log, at three words a key: the start of the window, and both counters. What it gives up: it takes what came in the
 * window before as evenly spread. See "How we built rate limiting capable of scaling to millions of domains" (Cloudflare, 2017).
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import { counted } from './moment.ts'
import type { RatePlan } from './plan.ts'
import { productOver } from './product.ts'
import { laterStart, startAt, startOf, windowsPassed } from './window-start.ts'

export class SlidingWindowAlgorithm implements Algorithm {
  readonly name = 'sliding-window'
  readonly words = 3
  readonly layout: string
  readonly costMax: number
  readonly #windowMs: number
  readonly #startMs: number
  /** The counter before of a key that was never seen. */
  readonly #previousAtFirst: number
  // What the state says at the moment that is asked about; one question is answered at a time.
  #start = 0
  #current = 0
  #previous = 0

  constructor(plan: RatePlan) {
    this.costMax = plan.count
    this.#windowMs = plan.windowMs
    this.#startMs = plan.startMs ?? 0
    this.#previousAtFirst = plan.startFull === true ? plan.count : 0
    this.layout = `${this.name}/${plan.windowMs}`
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    this.#read(state, at, now)
    const allowed = cost <= this.#room(now) || cost === 0
    if (allowed) this.#current += cost
    if (cost > 0) {
      // The start first: whoever dies in between leaves counters that are too high, not too low.
      state[at] = this.#start + 1
      state[at + 2] = this.#previous
      state[at + 1] = this.#current
    }
    return {
      allowed,
      remaining: this.#room(now),
      retryAfterMs: allowed ? 0 : this.#untilRoomFor(cost, now),
      resetMs: this.#untilRoomFor(this.costMax, now),
    }
  }

  isIdle(state: Float64Array, at: number, now: number): boolean {
    this.#read(state, at, now)
    return state[at] === 0 || (this.#current === 0 && this.#previous === 0)
  }

  used(state: Float64Array, at: number, now: number): number {
    this.#read(state, at, now)
    return Math.min(this.costMax, this.#current + this.#shareOfPrevious(now))
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    state[at] = startOf(now, this.#windowMs, this.#startMs) + 1
    state[at + 1] = Math.min(used, this.costMax)
    state[at + 2] = this.#previousAtFirst
  }

  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void {
    this.#read(words, other, now)
    const [current, previous] = [this.#current, this.#previous]
    this.#read(state, at, now)
    state[at] = laterStart(state[at]!, words[other]!, now, this.#windowMs, this.#startMs) + 1
    state[at + 1] = Math.max(this.#current, current)
    state[at + 2] = Math.max(this.#previous, previous)
  }

  /** Moves what the state says on to the window that counts at `now`. Where the clock was set back, both counters count in that. */
  #read(state: Float64Array, at: number, now: number): void {
    const passed = windowsPassed(state[at]!, now, this.#windowMs)
    const current = counted(state[at + 1]!, this.costMax)
    const previous = state[at] === 0 ? this.#previousAtFirst : counted(state[at + 2]!, this.costMax)
    this.#start = startAt(state[at]!, now, this.#windowMs, this.#startMs)
    this.#current = passed === 0 ? current : 0
    this.#previous = passed === 0 ? previous : passed === 1 ? current : 0
  }

  /** Units that would be allowed at `now`. */
  #room(now: number): number {
    const room = Math.min(this.costMax + 1 - this.#shareOfPrevious(now), this.costMax) - this.#current
    return Math.max(0, room)
  }

  /** What the window before counts for, rounded up: a whole number is above the estimate where it is above this. */
  #shareOfPrevious(now: number): number {
    const elapsed = Math.max(0, now - this.#start)
    return this.#previous - productOver(this.#previous, elapsed, this.#windowMs)
  }

  /** Milliseconds until `cost` units would be allowed, if nobody took any. */
  #untilRoomFor(cost: number, now: number): number {
    if (cost > this.costMax) return Infinity
    const start = this.#start - now
    if (this.#current + cost <= this.costMax) {
      const elapsed = this.#elapsedAt(this.#previous, this.costMax + 1 - cost - this.#current)
      if (elapsed === 0) return 0
      if (elapsed < this.#windowMs) return Math.max(0, start + elapsed)
    }
    // In the next window, this one is the window before.
    return start + this.#windowMs + this.#elapsedAt(this.#current, this.costMax + 1 - cost)
  }

  /** How far a window has to be for `previous` to count for no more than `share`, from 1 on. */
  #elapsedAt(previous: number, share: number): number {
    return previous <= share ? 0 : this.#windowMs - productOver(share, this.#windowMs, previous)
  }
}
