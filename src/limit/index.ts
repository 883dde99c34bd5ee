/**
 * Rate limiters for one process, exact to the millisecond and bounded in memory, for use on their own. They know nothing of HTTP.
 *
 *     import { TokenBucket } from 'orla/limit'
 *
 *     const logins = new TokenBucket({ limit: 5, window: '1s', burst: 10 })
 *     const { allowed, retryAfterMs } = logins.take('ana')            // one unit of what ana may take
 *     logins.take('ana', 3)                                           // three, all or none
 *
 *     const packets = new TokenBucket<Buffer>({ limit: 5, window: '1s', forward: (packet) => { … }, drop: (packet) => { … } })
 *     packets.handle(packet)                                          // to one of the two
 *
 * | to take | where |
 * |---|---|
 * | `TokenBucket` | nothing speaks for another: bursts after pauses, the rate from then on |
 * | `LeakyBucket`, `Gcra` | the same in other words: water that leaks, cells that are due |
 * | `LeakyQueue` | the excess shall wait, and leave one by one |
 * | `Shaper` | the excess shall wait, and leave a share at a time |
 * | `FixedWindow` | people read the quota: a thousand a day |
 * | `SlidingWindow` | no more than that in any window, whatever the limit |
 * | `SlidingLog` | exactly no more than that in any window, and the limit is small |
 * | `AddressLimiter` | clients are addresses, and each may have 2^64 of them |
 *
 * `FixedWindow` and `SlidingWindow` stand on a sketch with `store: 'sketch'`: constant memory, however many keys come. `CountMinSketch` counts keys in the same
 * way, and `HeavyHitters` tells which of them come most.
 *
 * All of them are a `Limiter`; `take(key, cost, now)` gives a `Decision`. Times are whole milliseconds; the clock may be one's own. A wrong option throws, and
 * says what would be right. How they differ, and what memory they take: `docs/guides/limits.md`.
 */
export { formatIp, type IpAddress, parseIp } from '../base/ip-address.ts'
export { covers, formatPrefix, type IpPrefix, prefixOf, readIp, readPrefix } from '../base/ip-prefix.ts'
export type { Timers } from '../base/timers.ts'
export { AddressLimiter, type AddressLimiterOptions, type PrefixLimit } from './address-limiter.ts'
export {
  type CellBits,
  CountMinSketch,
  type CountMinSketchError,
  type CountMinSketchSize,
} from './count-min-sketch.ts'
export { HeavyHitters, type HeavyHittersOptions, type Hitter, mergeHitters } from './heavy-hitters.ts'
export type {
  LimiterOptions,
  SketchOptions,
  StoreOptions,
  WaitingOptions,
  WindowOptions,
} from './limiter-options.ts'
export type { Decision, Limiter } from './limiter.ts'
export { FixedWindow, type FixedWindowOptions } from './limiters/fixed-window.ts'
export { Gcra, type GcraOptions } from './limiters/gcra.ts'
export { LeakyBucket, type LeakyBucketOptions } from './limiters/leaky-bucket.ts'
export { LeakyQueue, type LeakyQueueOptions } from './limiters/leaky-queue.ts'
export { Shaper, type ShaperOptions } from './limiters/shaper.ts'
export { SlidingLog } from './limiters/sliding-log.ts'
export { SlidingWindow, type SlidingWindowOptions } from './limiters/sliding-window.ts'
export { TokenBucket, type TokenBucketOptions } from './limiters/token-bucket.ts'
export type { LevelDecision } from './shared-limiter.ts'
export { offendersAt, wrongRefusals } from './sketch-error.ts'
