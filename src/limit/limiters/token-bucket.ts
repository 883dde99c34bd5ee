import type { LimiterOptions } from '../limiter-options.ts'
import { MemoryLimiter } from '../memory-limiter.ts'

export interface TokenBucketOptions<Item = unknown> extends LimiterOptions<Item> {
  /** Tokens that the bucket holds, 1 to 1,000,000,000: what may come at once after a pause. Where none is given: `limit`. */
  readonly burst?: number
}

/**
 * `limit` tokens come in a window, evenly; what is taken takes tokens; the bucket starts full. The one to take where nothing speaks for another:
 * it lets a client that paused catch up, and holds it to the rate from then on.
 *
 *     const uploads = new TokenBucket({ limit: 5, window: '1s', burst: 10 })
 *     uploads.take('ana')   // { allowed: true, remaining: 9, retryAfterMs: 0, resetMs: 200 }
 */
export class TokenBucket<Item = unknown> extends MemoryLimiter<Item> {
  constructor(options: TokenBucketOptions<Item>) {
    super('token-bucket', options)
  }
}
