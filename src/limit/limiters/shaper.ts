import type { LimiterOptions, WaitingOptions, WindowOptions } from '../limiter-options.ts'
import { WaitingLimiter } from '../waiting-limiter.ts'

export interface ShaperOptions<Item = unknown> extends LimiterOptions<Item>, WaitingOptions, WindowOptions {}

/**
 * (r, t) shaping: time is cut into frames, of `window` each, and each sends at most `limit`; what is more waits for the next, in order, where fewer than
 * `queue` wait. For receivers that count by frames: a frame's share may leave at once. Nothing that costs more than `limit` is ever sent.
 *
 *     const packets = new Shaper({ limit: 1500, window: '10ms', queue: 15_000, cost: (packet: Buffer) => packet.length, forward: send })
 *     packets.handle(packet)
 */
export class Shaper<Item = unknown> extends WaitingLimiter<Item> {
  constructor(options: ShaperOptions<Item>) {
    super('shaper', options)
  }
}
