/** What a rate limit of a configuration asks of a limiter, with everything filled in that was left open. */
import { levelsOf } from '../config/limit-levels.ts'
import type { RateLimitConfig } from '../config/schema.ts'
import type { LimiterPlan } from './region.ts'

export function limiterPlanOf(config: RateLimitConfig): LimiterPlan {
  const { algorithm, rate, burst, queue, startFull, store, replacement, sketch } = config
  const prefixes = {
    v4: levelsOf(config.prefixes.v4, config),
    v6: levelsOf(config.prefixes.v6, config),
  }
  const counts = [rate, ...prefixes.v4, ...prefixes.v6].map(({ count }) => count)
  return {
    algorithm,
    ...rate,
    ...(burst !== undefined && { burst }),
    ...(queue !== undefined && { queue }),
    startFull,
    store,
    keysMax: config.keysMax ?? keysFor(algorithm, Math.max(...counts)),
    replacement,
    sketch,
    prefixes,
  }
}

const KEYS_DEFAULT = 100_000
const KEYS_LEAST = 64
const BYTES_DEFAULT = 2 ** 27
/** What one unit of a log takes for each key: eight bytes in each of the two places that a key has. */
const BYTES_FOR_EACH = 8 * 2

/** Keys that have a place where nobody said how many. All places are as large as the shortest prefix needs, which is allowed the most. */
function keysFor(algorithm: RateLimitConfig['algorithm'], countMax: number): number {
  if (algorithm !== 'sliding-log') return KEYS_DEFAULT
  const keys = Math.floor(BYTES_DEFAULT / BYTES_FOR_EACH / countMax)
  return Math.min(KEYS_DEFAULT, Math.max(KEYS_LEAST, keys))
}
