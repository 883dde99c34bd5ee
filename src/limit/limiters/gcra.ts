import type { LimiterOptions } from '../limiter-options.ts'
import { MemoryLimiter } from '../memory-limiter.ts'

export interface GcraOptions<Item = unknown> extends LimiterOptions<Item> {
  /** Units that may come early, beside the one that is due: 0 to 1,000,000,000. Where none is given: `limit - 1`. */
  readonly burst?: number
}

/**
 * Generic cell rate algorithm: units are due window / `limit` apart, and `burst` of them may come early. With `burst: 0` two are never closer together. Decides as a
 * `TokenBucket` of `burst + 1` does.
 *
 *     const cells = new Gcra({ limit: 10, window: '1s', burst: 0 })
 *     cells.take('ana').retryAfterMs   // 0, and up to 100 for the next
 */
export class Gcra<Item = unknown> extends MemoryLimiter<Item> {
  constructor(options: GcraOptions<Item>) {
    super('gcra', options)
  }
}
