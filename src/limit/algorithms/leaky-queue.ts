/**
 * Leaky bucket as a queue: what comes leaves one by one, window / `count` apart, in the order in which it came. What comes while nothing waits and
 * the last left long enough ago leaves at once; else it waits, where fewer than `queue` do; else it is refused.
 *
 * It smooths: no two leave closer than an interval, whatever comes. A cost of n leaves at one moment and keeps the next n intervals away. What
 * is kept is how long the queue is, in time; who asks is told how long to wait (`waitMs`), and does the waiting. See Turner, "New directions
 * in communications" (IEEE Communications Magazine, 1986).
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import { Level, LEVEL_WORDS } from './level.ts'
import { queueOf, type RatePlan } from './plan.ts'

export class LeakyQueueAlgorithm implements Algorithm {
  readonly name = 'leaky-queue'
  readonly words = LEVEL_WORDS
  readonly layout: string
  readonly costMax: number
  readonly #ahead: Level

  constructor(plan: RatePlan) {
    // Beside those that wait there is one that leaves at once.
    this.costMax = queueOf(plan) + 1
    this.#ahead = new Level(plan, this.costMax)
    this.layout = `${this.name}/${this.#ahead.layout}`
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const ahead = this.#ahead.read(state, at, now)
    const after = cost > this.costMax ? Infinity : ahead + cost * this.#ahead.unit
    const over = cost === 0 ? 0 : Math.max(0, after - this.#ahead.highest)
    const level = over === 0 ? after : ahead
    if (cost > 0) this.#ahead.write(state, at, level)
    const decision = this.#ahead.decide(now, level, over)
    const waitMs = this.#ahead.until(now, ahead)
    return over === 0 && cost > 0 && waitMs > 0 ? { ...decision, waitMs } : decision
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
