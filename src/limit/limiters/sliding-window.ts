import { momentOn } from '../algorithms/moment.ts'
import type { LimiterOptions, StoreOptions, WindowOptions } from '../limiter-options.ts'
import { MemoryLimiter } from '../memory-limiter.ts'

export interface SlidingWindowOptions<Item = unknown> extends LimiterOptions<Item>, StoreOptions {
  /** A key that is new starts as if its window before had been full: no burst for keys that were never seen. */
  readonly startFull?: boolean
  /** A moment at which a window begins, and with it all others. Where none is given: when the limiter was made, by its `clock`; 0 where it has none. */
  readonly startMs?: number
}

/**
 * At most about `limit` units in any window: the window before counts by the share of it that is still in sight. Nearly as exact as a `SlidingLog`,
 * whatever the limit, and without the double share that a `FixedWindow` gives at boundaries.
 *
 *     const searches = new SlidingWindow({ limit: 50, window: '1m' })
 *     searches.take('ana')
 */
export class SlidingWindow<Item = unknown> extends MemoryLimiter<Item> {
  constructor(options: SlidingWindowOptions<Item>) {
    super('sliding-window', startingNow(options))
  }
}

/** Windows that begin with the limiter, on a clock of one's own; on that of the process it makes no difference to anybody. */
function startingNow<Item>(options: SlidingWindowOptions<Item>): LimiterOptions<Item> & WindowOptions {
  if (typeof options?.clock !== 'function' || options.startMs !== undefined) return options
  return { ...options, startMs: momentOn(options.clock) }
}
