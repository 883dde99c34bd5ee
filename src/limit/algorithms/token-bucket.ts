/**
 * Token bucket: `count` tokens come in a window, evenly, and stay while the bucket has room for them; what is taken takes tokens. It starts full.
 *
 * It lets through what was saved, all at once, and the rate from then on. Two words: the last moment, and what is missing to a full bucket, so
 * that a key that was never seen is full. See RFC 2697 and 2698, whose meters are built of it.
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import { momentOf, passedMs } from './moment.ts'
import { partsOf, type RatePlan } from './plan.ts'

export class TokenBucketAlgorithm implements Algorithm {
  readonly name = 'token-bucket'
  readonly words = 2
  readonly layout: string
  readonly costMax: number
  readonly #unit: number
  readonly #perMs: number
  /** Parts in a full bucket. */
  readonly #full: number

  constructor(plan: RatePlan) {
    this.costMax = plan.burst ?? plan.count
    const { unit, perMs } = partsOf(plan, this.costMax)
    this.#unit = unit
    this.#perMs = perMs
    this.#full = this.costMax * unit
    this.layout = `${this.name}/${unit}`
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const moment = momentOf(state[at]!, now)
    let missing = this.#missing(state, at, now)
    // More than the bucket holds is never there.
    const short = cost > this.costMax ? Infinity : missing + cost * this.#unit - this.#full
    const allowed = short <= 0 || cost === 0
    if (allowed) missing += cost * this.#unit
    if (cost > 0) {
      // The moment first: whoever dies in between has given nothing back twice.
      state[at] = moment + 1
      state[at + 1] = missing
    }
    return {
      allowed,
      remaining: Math.floor((this.#full - missing) / this.#unit),
      retryAfterMs: allowed ? 0 : Math.ceil(short / this.#perMs) + moment - now,
      resetMs: missing === 0 ? 0 : Math.ceil(missing / this.#perMs) + moment - now,
    }
  }

  isIdle(state: Float64Array, at: number, now: number): boolean {
    return this.#missing(state, at, now) === 0
  }

  used(state: Float64Array, at: number, now: number): number {
    return Math.ceil(this.#missing(state, at, now) / this.#unit)
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    state[at] = now + 1
    state[at + 1] = Math.min(used, this.costMax) * this.#unit
  }

  /** Parts that are missing to a full bucket at `now`. */
  #missing(state: Float64Array, at: number, now: number): number {
    const before = state[at + 1]!
    const missing = before >= 0 && before <= this.#full ? before : this.#full
    // A product too large to be exact is larger than any bucket.
    return Math.max(0, missing - passedMs(state[at]!, now) * this.#perMs)
  }
}
