/**
 * How often limits have refused each client lately, over all workers of the node: by this it comes to automatic bans.
 *
 * Counted in sixteenths of `within`: a client is banned when as many refusals as `after` says lie within that time, or fifteen sixteenths of it. It is
 * bounded; who was refused longest ago makes room.
 */
import type { CountedRefusals } from '../../contract/messages.ts'

interface Count {
  readonly slices: Uint32Array
  /** The slice of the last refusal, counted from the start of the clock. */
  last: number
  sum: number
}

const SLICES = 16
/** Clients that are counted at once. */
const CLIENTS_MAX = 100_000

export class RefusalCounts {
  /** The one that was refused last at the end. */
  readonly #counts = new Map<string, Count>()

  get size(): number {
    return this.#counts.size
  }

  /** Whether this client is to be banned now; then it begins anew. `nowMs` is on a monotonic clock. */
  add({ prefix, limit, count, after, withinMs }: CountedRefusals, nowMs: number): boolean {
    // With the time: slices of another one are none of these.
    const key = `${prefix} ${limit} ${withinMs}`
    const now = Math.floor((nowMs * SLICES) / withinMs)
    const counted = this.#counts.get(key) ?? { slices: new Uint32Array(SLICES), last: now, sum: 0 }
    this.#counts.delete(key)
    for (let slice = Math.max(counted.last + 1, now - SLICES + 1); slice <= now; slice++) {
      const place = slice % SLICES
      counted.sum -= counted.slices[place]!
      counted.slices[place] = 0
    }
    counted.last = Math.max(counted.last, now)
    counted.slices[counted.last % SLICES]! += count
    counted.sum += count
    if (counted.sum >= after) return true
    this.#counts.set(key, counted)
    if (this.#counts.size > CLIENTS_MAX) this.#counts.delete(this.#counts.keys().next().value!)
    return false
  }
}
