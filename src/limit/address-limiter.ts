/**
 * A rate limiter for addresses that does not fall for those who have many of them, in bounded memory, for one process.
 *
 *     const limiter = new AddressLimiter({ limit: 100, window: '1m' })
 *     limiter.take('2001:db8::7')      // counts for its /64, its /56 and its /48, each with a limit of its own
 */
import type { IpAddress } from '../base/ip-address.ts'
import type { AlgorithmName } from './algorithms/algorithm.ts'
import { momentOn } from './algorithms/moment.ts'
import { told, whole } from './algorithms/plan.ts'
import { addressOf } from './given-address.ts'
import {
  checkKnown,
  checkLimiter,
  checkSketch,
  isGiven,
  millisecondsOf,
  type SketchOptions,
} from './limiter-options.ts'
import type { Limiter } from './limiter.ts'
import { limiterAlone, sketchFor } from './limiter-alone.ts'
import type { Replacement } from './places.ts'
import { levelPlans, type LevelSpec } from './prefix-levels.ts'
import type { LimiterPlan } from './region.ts'
import type { LevelDecision, SharedLimiter } from './shared-limiter.ts'

/** What the addresses that share their first `length` bits may take together. */
export interface PrefixLimit {
  /** 1 to 32 for IPv4, to 128 for IPv6. */
  readonly length: number
  /** Units a window. Where none is given: four times as much as the next longer prefix, the longest one having the limiter's own. */
  readonly limit?: number
  /** Where none is given, that of the limiter. */
  readonly window?: number | string
  /** Of bucket algorithms. */
  readonly burst?: number
}

export interface AddressLimiterOptions {
  /** Units a window for the longest prefix of each family, 1 to 1,000,000,000. */
  readonly limit: number
  /** Milliseconds, or a time such as `'1s'`: 1 ms to 30 days; of a sketch, from 100 ms. */
  readonly window: number | string
  /** Where none is given: `sliding-window`. On a sketch, that or `fixed-window`. */
  readonly algorithm?: AlgorithmName
  /** Of bucket algorithms, for the longest prefix: as that of `TokenBucket` or `Gcra`. */
  readonly burst?: number
  /** Of `sliding-window`: no burst for prefixes that were never seen. */
  readonly startFull?: boolean
  /**
   * Prefix lengths of IPv4 (where nothing is said: 32) and IPv6 (64, 56 and 48), as numbers, or with a limit of their own. Without one, each
   * shorter prefix is allowed four times as much as the next longer one. An empty list: each address by itself.
   */
  readonly prefixes?: {
    readonly v4?: readonly (number | PrefixLimit)[]
    readonly v6?: readonly (number | PrefixLimit)[]
  }
  /** `sketch`: constant memory, and rarely too strict (`wrongRefusals`). `exact`: a place for each of `keysMax` prefixes. Where none is given: `sketch`. */
  readonly store?: 'exact' | 'sketch'
  /** Where none is given: 100,000. */
  readonly keysMax?: number
  readonly replacement?: Replacement
  readonly sketch?: SketchOptions
  /** Milliseconds from 0 on. Where none is given: since the process started. */
  readonly clock?: () => number
}

const KEYS_MAX = 100_000
const KNOWN = [
  'limit',
  'window',
  'algorithm',
  'burst',
  'startFull',
  'prefixes',
  'store',
  'keysMax',
  'replacement',
  'sketch',
  'clock',
]

export class AddressLimiter implements Limiter<string | IpAddress> {
  readonly #limiter: SharedLimiter
  readonly #clock: () => number

  /** @throws TypeError or RangeError that names the option. */
  constructor(options: AddressLimiterOptions) {
    this.#limiter = limiterAlone(planOf(options))
    this.#clock = options.clock ?? (() => performance.now())
  }

  /**
   * As `Limiter` says; `level` of the decision is the prefix length that refused, or the one with the least left. The address is a text, or was read
   * by `parseIp` before.
   * @throws TypeError where it is neither, RangeError where the text is no address, or cost or time are no whole numbers in their range.
   */
  take(address: string | IpAddress, cost = 1, now = momentOn(this.#clock)): LevelDecision {
    return this.#limiter.take(addressOf(address), cost, now)
  }
}

function planOf(options: AddressLimiterOptions): LimiterPlan {
  checkLimiter('an AddressLimiter', options, KNOWN)
  const { limit: count, store = 'sketch', algorithm = 'sliding-window' } = options
  const { burst, startFull, sketch = {}, prefixes = {} } = options
  if (burst !== undefined && !['token-bucket', 'leaky-bucket', 'gcra'].includes(algorithm))
    throw new TypeError(`burst: expected with token-bucket, leaky-bucket or gcra, not with ${algorithm}`)
  if (startFull !== undefined && algorithm !== 'sliding-window')
    throw new TypeError(`startFull: expected with sliding-window, not with ${algorithm}`)
  if (!isGiven(prefixes)) throw new TypeError(`prefixes: expected an object, not ${told(prefixes)}`)
  checkKnown('an object of prefixes', prefixes, ['v4', 'v6'])
  checkSketch(sketch)
  const rate = { count, windowMs: millisecondsOf(options.window), burst }
  const levels = {
    v4: levelPlans(rate, specsOf('prefixes.v4', prefixes.v4 ?? [32], options)),
    v6: levelPlans(rate, specsOf('prefixes.v6', prefixes.v6 ?? [64, 56, 48], options)),
  }
  const largest = Math.max(count, ...[...levels.v4, ...levels.v6].map((level) => level.count))
  return {
    algorithm,
    ...rate,
    ...(startFull === undefined ? {} : { startFull }),
    store,
    keysMax: options.keysMax ?? KEYS_MAX,
    replacement: options.replacement ?? 's3-fifo',
    sketch: sketchFor(sketch, store === 'sketch' ? largest : 0),
    prefixes: levels,
  }
}

function specsOf(
  name: string,
  given: readonly (number | PrefixLimit)[],
  { window }: AddressLimiterOptions,
): LevelSpec[] {
  if (!Array.isArray(given))
    throw new TypeError(`${name}: expected a list of prefix lengths, not ${told(given)}`)
  return given.map((level: unknown, i) => {
    const at = `${name}[${i}]`
    if (typeof level === 'number') return { length: level }
    if (!isGiven(level))
      throw new TypeError(
        `${at}: expected a length such as 48, or { length: 48, limit: 500, window: '1h' }, not ${told(level)}`,
      )
    checkKnown(at, level, ['length', 'limit', 'window', 'burst'])
    const { length, limit, burst } = level as unknown as PrefixLimit
    if (limit === undefined && level['window'] !== undefined)
      throw new TypeError(`${at}.limit is missing: a window of its own has a limit of its own`)
    if (limit === undefined) return { length, burst }
    whole(`${at}.limit`, limit, 1, 1_000_000_000)
    const windowMs = millisecondsOf(level['window'] ?? window, `${at}.window`)
    return { length, rate: { count: limit, windowMs }, burst }
  })
}
