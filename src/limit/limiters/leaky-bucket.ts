import type { LimiterOptions } from '../limiter-options.ts'
import { MemoryLimiter } from '../memory-limiter.ts'

export interface LeakyBucketOptions<Item = unknown> extends LimiterOptions<Item> {
  /** Units that the bucket holds, 1 to 1,000,000,000. Where none is given: `limit`. */
  readonly burst?: number
}

/**
 * A bucket that leaks `limit` units in a window, evenly; what would make it run over is refused. Decides as a `TokenBucket` of the same size does. Where
 * the excess shall wait instead: `LeakyQueue`.
 *
 *     const mails = new LeakyBucket({ limit: 100, window: '1h', burst: 20 })
 *     mails.take('ana', 3)   // three mails at once, all or none
 */
export class LeakyBucket<Item = unknown> extends MemoryLimiter<Item> {
  constructor(options: LeakyBucketOptions<Item>) {
    super('leaky-bucket', options)
  }
}
