import type { LimiterOptions, StoreOptions, WindowOptions } from '../limiter-options.ts'
import { MemoryLimiter } from '../memory-limiter.ts'

export interface FixedWindowOptions<Item = unknown>
  extends LimiterOptions<Item>, WindowOptions, StoreOptions {}

/**
 * `limit` units in each window; windows stand side by side on the clock, from its 0 on, or from `startMs`. For quotas that people read ("a thousand a
 * day"), where it does no harm that twice as many come around the boundary of two windows.
 *
 *     const calls = new FixedWindow({ limit: 1000, window: '1d', clock: Date.now })
 *     calls.take('ana')   // { allowed: true, remaining: 999, retryAfterMs: 0, resetMs: milliseconds until midnight UTC }
 */
export class FixedWindow<Item = unknown> extends MemoryLimiter<Item> {
  constructor(options: FixedWindowOptions<Item>) {
    super('fixed-window', options)
  }
}
