import type { LimiterOptions } from '../limiter-options.ts'
import { MemoryLimiter } from '../memory-limiter.ts'

/**
 * Never more than `limit` units in any window, to the millisecond: it keeps the moment of each. For small limits that must be exact, such as attempts to
 * log in; a key takes 8 bytes a unit, so `limit` is 4,096 at most.
 *
 *     const logins = new SlidingLog({ limit: 5, window: '15m' })
 *     logins.take(`${user} ${address}`)
 */
export class SlidingLog<Item = unknown> extends MemoryLimiter<Item> {
  constructor(options: LimiterOptions<Item>) {
    super('sliding-log', options)
  }
}
