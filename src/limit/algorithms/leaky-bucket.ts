/**
 * Leaky bucket as a meter: each unit pours one in, the bucket leaks `count` in a window, evenly, and what would make it run over is refused. It
 * holds `burst`.
 *
 * It decides as a token bucket of the same size does, seen from the other side: what is in the one is missing in the other. It exists for
 * who thinks in water. As a queue, where what is too early waits: `leaky-queue.ts`. See ITU-T I.371, annex A, the continuous-state leaky bucket.
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import { Level, LEVEL_WORDS } from './level.ts'
import type { RatePlan } from './plan.ts'

export class LeakyBucketAlgorithm implements Algorithm {
  readonly name = 'leaky-bucket'
  readonly words = LEVEL_WORDS
  readonly layout: string
  readonly costMax: number
  readonly #water: Level

  constructor(plan: RatePlan) {
    this.costMax = plan.burst ?? plan.count
    this.#water = new Level(plan, this.costMax)
    this.layout = `${this.name}/${this.#water.layout}`
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const water = this.#water.read(state, at, now)
    // What is larger than the bucket runs over for ever.
    const poured = cost > this.costMax ? Infinity : water + cost * this.#water.unit
    const over = cost === 0 ? 0 : Math.max(0, poured - this.#water.highest)
    const after = over === 0 ? poured : water
    if (cost > 0) this.#water.write(state, at, after)
    return this.#water.decide(now, after, over)
  }

  isIdle(state: Float64Array, at: number, now: number): boolean {
    return this.#water.read(state, at, now) === 0
  }

  used(state: Float64Array, at: number, now: number): number {
    return this.#water.used(state, at, now)
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    this.#water.load(state, at, used, now)
  }

  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void {
    this.#water.merge(state, at, words, other, now)
  }
}
