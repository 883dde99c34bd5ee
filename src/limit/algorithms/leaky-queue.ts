/**
 * Leaky bucket as a queue: what comes leaves one by one, window / `count` apart, in the order in which it came. What comes while nothing waits and
 * the last left long enough ago leaves at once; else it waits, where fewer than `queue` do; else it is refused.
 *
 * It smooths: no two leave closer than an interval, whatever comes. A cost of n leaves at one moment and keeps the next n intervals away. What
 * is kept is how long the queue is, in time; who asks is told how long to wait (`waitMs`), and does the waiting. See Turner, "New directions
 * in communications" (IEEE Communications Magazine, 1986).
 */
import type { Decision } from '../limiter.ts'
import { LevelAlgorithm } from './level-algorithm.ts'
import { queueOf, type RatePlan } from './plan.ts'

export class LeakyQueueAlgorithm extends LevelAlgorithm {
  constructor(plan: RatePlan) {
    // Beside those that wait there is one that leaves at once.
    super('leaky-queue', plan, queueOf(plan) + 1)
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const ahead = this.level.read(state, at, now)
    const after = cost > this.costMax ? Infinity : ahead + cost * this.level.unit
    const over = cost === 0 ? 0 : Math.max(0, after - this.level.highest)
    const level = over === 0 ? after : ahead
    if (cost > 0) this.level.write(state, at, level)
    const decision = this.level.decide(now, level, over)
    const waitMs = this.level.until(now, ahead)
    return over === 0 && cost > 0 && waitMs > 0 ? { ...decision, waitMs } : decision
  }
}
