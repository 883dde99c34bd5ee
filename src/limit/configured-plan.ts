/** What a rate limit of a configuration asks of a limiter, with everything filled in that was left open. */
import { levelsOf } from '../config/limit-levels.ts'
import type { RateLimitConfig } from '../config/schema.ts'
import type { LimiterPlan } from './region.ts'

export function limiterPlanOf(config: RateLimitConfig): LimiterPlan {
  const { algorithm, rate, burst, queue, startFull, store, keysMax, replacement, sketch, prefixes } = config
  return {
    algorithm,
    ...rate,
    ...(burst !== undefined && { burst }),
    ...(queue !== undefined && { queue }),
    startFull,
    store,
    keysMax,
    replacement,
    sketch,
    prefixes: { v4: levelsOf(prefixes.v4, config), v6: levelsOf(prefixes.v6, config) },
  }
}
