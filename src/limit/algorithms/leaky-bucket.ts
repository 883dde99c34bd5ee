/**
 * Leaky bucket as a meter: each unit pours one in, the bucket leaks `count` in a window, evenly, and what would make it run over is refused. It
 * holds `burst`.
 *
 * It decides as a token bucket of the same size does, seen from the other side: what is in the one is missing in the other. It exists for
 * who thinks in water. As a queue, where what is too early waits: `leaky-queue.ts`. See ITU-T I.371, annex A, the continuous-state leaky bucket.
 */
import type { Decision } from '../limiter.ts'
import { LevelAlgorithm } from './level-algorithm.ts'
import type { RatePlan } from './plan.ts'

export class LeakyBucketAlgorithm extends LevelAlgorithm {
  constructor(plan: RatePlan) {
    super('leaky-bucket', plan, plan.burst ?? plan.count)
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const water = this.level.read(state, at, now)
    // What is larger than the bucket runs over for ever.
    const poured = cost > this.costMax ? Infinity : water + cost * this.level.unit
    const over = cost === 0 ? 0 : Math.max(0, poured - this.level.highest)
    const after = over === 0 ? poured : water
    if (cost > 0) this.level.write(state, at, after)
    return this.level.decide(now, after, over)
  }
}
