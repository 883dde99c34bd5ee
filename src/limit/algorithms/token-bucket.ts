/**
 * Token bucket: `count` tokens come in a window, evenly, and stay while the bucket has room for them, which is for `burst`; each unit takes one. It
 * starts full.
 *
 * It lets through what was saved, all at once, and the rate from then on. What is kept is how many are missing, so that a key that was
 * never seen has them all. See RFC 2697, whose meter is two of them.
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import { Level, LEVEL_WORDS } from './level.ts'
import type { RatePlan } from './plan.ts'

export class TokenBucketAlgorithm implements Algorithm {
  readonly name = 'token-bucket'
  readonly words = LEVEL_WORDS
  readonly layout: string
  readonly costMax: number
  readonly #missing: Level

  constructor(plan: RatePlan) {
    this.costMax = plan.burst ?? plan.count
    this.#missing = new Level(plan, this.costMax)
    this.layout = `${this.name}/${this.#missing.layout}`
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const missing = this.#missing.read(state, at, now)
    const asked = cost * this.#missing.unit
    const there = this.#missing.highest - missing
    const allowed = cost === 0 || (cost <= this.costMax && asked <= there)
    const after = allowed ? missing + asked : missing
    if (cost > 0) this.#missing.write(state, at, after)
    // More than a full bucket is never there.
    const short = allowed ? 0 : cost > this.costMax ? Infinity : asked - there
    return this.#missing.decide(now, after, short)
  }

  isIdle(state: Float64Array, at: number, now: number): boolean {
    return this.#missing.read(state, at, now) === 0
  }

  used(state: Float64Array, at: number, now: number): number {
    return this.#missing.used(state, at, now)
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    this.#missing.load(state, at, used, now)
  }

  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void {
    this.#missing.merge(state, at, words, other, now)
  }
}
