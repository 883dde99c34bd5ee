/**
 * A rate limiter for addresses that does not fall for those who have many of them, in bounded memory, for one process.
 *
 *     const limiter = new AddressLimiter({ limit: 100, window: '1m' })
 *     limiter.take('2001:db8::7')      // counts for its /64, its /56 and its /48, each with a limit of its own
 */
import { randomBytes } from 'node:crypto'
import { type IpAddress, parseIp } from '../base/ip-address.ts'
import { parseDuration } from '../base/quantity.ts'
import type { AlgorithmName } from './algorithms/algorithm.ts'
import { momentOn } from './algorithms/moment.ts'
import { told, whole } from './algorithms/plan.ts'
import type { Limiter } from './limiter.ts'
import type { Replacement } from './places.ts'
import { levelPlans, type LevelSpec } from './prefix-levels.ts'
import { layRegion, type LimiterPlan, regionWords } from './region.ts'
import { type LevelDecision, SharedLimiter } from './shared-limiter.ts'

export interface AddressLimiterOptions {
  /** Units a window for the longest prefix of each family, 1 to 1,000,000,000. */
  readonly limit: number
  /** Milliseconds, or a time such as `'1s'`: 1 ms to 30 days; of a sketch, from 100 ms. */
  readonly window: number | string
  /** Where none is given: `sliding-window`. On a sketch, that or `fixed-window`. */
  readonly algorithm?: AlgorithmName
  /** Of bucket algorithms, for the longest prefix. */
  readonly burst?: number
  /**
   * Prefix lengths of IPv4 (where nothing is said: 32) and IPv6 (64, 56 and 48), as numbers, or with a rate of their own. Without one, each
   * shorter prefix is allowed four times as much as the next longer one.
   */
  readonly prefixes?: {
    readonly v4?: readonly (number | LevelSpec)[]
    readonly v6?: readonly (number | LevelSpec)[]
  }
  /** `sketch`: constant memory, and rarely too strict (`wrongRefusals`). `exact`: a place for each of `keysMax` prefixes. Where none is given: `sketch`. */
  readonly store?: 'exact' | 'sketch'
  /** Where none is given: 100,000. */
  readonly keysMax?: number
  readonly replacement?: Replacement
  /** Where none is given: 524,288 × 3 cells of 16 bits (32 where the limits need them); behind a table, an eighth of `keysMax` × 3 states. */
  readonly sketch?: { readonly width?: number; readonly depth?: number; readonly cellBits?: 8 | 16 | 32 }
  /** Milliseconds from 0 on. Where none is given: since the process started. */
  readonly clock?: () => number
}

const KEYS_MAX = 100_000

export class AddressLimiter implements Limiter<string | IpAddress> {
  readonly #limiter: SharedLimiter
  readonly #clock: () => number

  /** @throws RangeError that names what is out of its range. */
  constructor(options: AddressLimiterOptions) {
    const plan = planOf(options)
    const words = new Int32Array(regionWords(plan))
    layRegion(words, plan, randomBytes(16))
    this.#limiter = new SharedLimiter(plan, words, { worker: 0 })
    this.#clock = options.clock ?? (() => performance.now())
  }

  /**
   * As `Limiter` says; `level` of the decision is the prefix length that refused, or the one with the least left.
   * @throws RangeError where the text is no address, or cost or time are no whole numbers in their range.
   */
  take(address: string | IpAddress, cost = 1, now = momentOn(this.#clock)): LevelDecision {
    const ip = typeof address === 'string' ? parseIp(address) : address
    if (ip === undefined)
      throw new RangeError(
        `address: expected an IPv4 or IPv6 address without port and zone, not ${told(address)}`,
      )
    return this.#limiter.take(ip, cost, now)
  }
}

function planOf(options: AddressLimiterOptions): LimiterPlan {
  const { limit: count, store = 'sketch', keysMax = KEYS_MAX, burst } = options
  const { v4 = [32], v6 = [64, 56, 48] } = options.prefixes ?? {}
  const windowMs = typeof options.window === 'string' ? parseDuration(options.window) : options.window
  if (windowMs === undefined)
    throw new RangeError(
      `window: expected milliseconds or a time such as "200ms", "1s" or "30d", not ${told(options.window)}`,
    )
  whole('limit', count, 1, 1_000_000_000)
  const rate = { count, windowMs, burst }
  const specs = (lengths: readonly (number | LevelSpec)[]) =>
    lengths.map((length) => (typeof length === 'number' ? { length } : length))
  const prefixes = { v4: levelPlans(rate, specs(v4)), v6: levelPlans(rate, specs(v6)) }
  const largest = Math.max(count, ...[...prefixes.v4, ...prefixes.v6].map((level) => level.count))
  return {
    algorithm: options.algorithm ?? 'sliding-window',
    ...rate,
    store,
    keysMax,
    replacement: options.replacement ?? 's3-fifo',
    sketch: {
      width: options.sketch?.width,
      depth: options.sketch?.depth ?? 3,
      cellBits: options.sketch?.cellBits ?? (store === 'sketch' && largest > 65_535 ? 32 : 16),
    },
    prefixes,
  }
}
