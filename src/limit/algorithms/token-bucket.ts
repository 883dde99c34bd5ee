/**
 * Token bucket: `count` tokens come in a window, evenly, and stay while the bucket has room for them, which is for `burst`; each unit takes one. It
 * starts full.
 *
 * It lets through what was saved, all at once, and the rate from then on. What is kept is how many are missing, so that a key that was
 * never seen has them all. See RFC 2697, whose meter is two of them.
 */
import type { Decision } from '../limiter.ts'
import { LevelAlgorithm } from './level-algorithm.ts'
import type { RatePlan } from './plan.ts'

export class TokenBucketAlgorithm extends LevelAlgorithm {
  constructor(plan: RatePlan) {
    super('token-bucket', plan, plan.burst ?? plan.count)
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const missing = this.level.read(state, at, now)
    const asked = cost * this.level.unit
    const there = this.level.highest - missing
    const allowed = cost === 0 || (cost <= this.costMax && asked <= there)
    const after = allowed ? missing + asked : missing
    if (cost > 0) this.level.write(state, at, after)
    // More than a full bucket is never there.
    const short = allowed ? 0 : cost > this.costMax ? Infinity : asked - there
    return this.level.decide(now, after, short)
  }
}
