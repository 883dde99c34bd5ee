import type { LimiterOptions, WaitingOptions } from '../limiter-options.ts'
import { WaitingLimiter } from '../waiting-limiter.ts'

export interface LeakyQueueOptions<Item = unknown> extends LimiterOptions<Item>, WaitingOptions {}

/**
 * A queue that lets one unit leave each window / `limit`, in the order in which they came; where `queue` wait, more are refused. For what may be late
 * but must not be close together: calls of an interface that counts strictly, mails, jobs.
 *
 *     const calls = new LeakyQueue({ limit: 5, window: '1s', queue: 100, forward: (call) => call(), drop: () => {} })
 *     calls.handle(() => fetch(url))   // at once, or 200 ms after the one before
 *
 * `take` tells how long to wait (`waitMs`), and whoever asked does the waiting.
 */
export class LeakyQueue<Item = unknown> extends WaitingLimiter<Item> {
  constructor(options: LeakyQueueOptions<Item>) {
    super('leaky-queue', options)
  }
}
