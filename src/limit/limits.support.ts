/** Limiters in memory of their own, for tests. */
import { layRegion, type LimiterPlan, regionWords } from './region.ts'
import { SharedLimiter } from './shared-limiter.ts'

export const PLAN: LimiterPlan = {
  algorithm: 'token-bucket',
  count: 10,
  windowMs: 1000,
  store: 'exact',
  keysMax: 1000,
  replacement: 's3-fifo',
  sketch: { width: 1024, depth: 4, cellBits: 16 },
}

export interface Laid {
  readonly plan: LimiterPlan
  readonly words: Int32Array
  readonly limiter: SharedLimiter
}

/** `seed` makes the secrets, so that a failure can be repeated. */
export function laid(changes: Partial<LimiterPlan> = {}, seed = 1): Laid {
  const plan = { ...PLAN, ...changes }
  const words = new Int32Array(regionWords(plan))
  layRegion(words, plan, Buffer.alloc(16, `seed ${seed} `))
  return { plan, words, limiter: new SharedLimiter(plan, words, { worker: 0 }) }
}

/** Small and seeded, so that a failure can be repeated. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
