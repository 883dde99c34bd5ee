/** What a limiter is made with, looked at before it is: who uses it from JavaScript is told what is wrong and what would be right. */
import { nearest } from '../base/nearest.ts'
import { parseDuration } from '../base/quantity.ts'
import { KEYS_MAX, RATE_COUNT_MAX, RATE_WINDOW_MAX_MS } from '../base/rate.ts'
import type { Timers } from '../base/timers.ts'
import { type Algorithm, type AlgorithmName, createAlgorithm } from './algorithms/algorithm.ts'
import { told, whole } from './algorithms/plan.ts'
import type { Decision } from './limiter.ts'

/** What every limiter may be made with. */
export interface LimiterOptions<Item = unknown> {
  /** Units a window, 1 to 1,000,000,000; of a `SlidingLog`, to 4,096. */
  readonly limit: number
  /** Milliseconds, or a time such as `'200ms'`, `'1s'`, `'5m'`, `'30d'`: 1 ms to 30 days. */
  readonly window: number | string
  /**
   * Milliseconds from 0 on; what is behind the point is left off. Where none is given: since the process started, which nobody can set. `Date.now` where
   * windows shall begin with the minute on the wall.
   */
  readonly clock?: () => number
  /** Keys that are remembered one by one, 1 to 16,000,000. Where none is given: 100,000, of a `SlidingLog` as many as take 128 MiB. */
  readonly keysMax?: number
  /** For `handle`: is given what is allowed. */
  readonly forward?: (item: Item) => void
  /** For `handle`: is given what is refused, and why. */
  readonly drop?: (item: Item, decision: Decision) => void
  /** For `handle`: by what an item is counted. Where none is given, all are counted together. */
  readonly key?: (item: Item) => string
  /** For `handle`: what an item takes. Where none is given: 1. */
  readonly cost?: (item: Item) => number
}

/** Of limiters whose windows stand on the clock. */
export interface WindowOptions {
  /** A moment at which a window begins, and with it all others. */
  readonly startMs?: number
}

/** Of limiters that let items wait. */
export interface WaitingOptions {
  /** Units of a key that may wait, 0 to 100,000. Where none is given: `limit`, as far as that. */
  readonly queue?: number
  /** For `handle`: items that may wait, of all keys together, 1 to 16,000,000. Where none is given: 100,000. */
  readonly waitingMax?: number
  /** For `handle`: how to do something later. Where none is given: `setTimeout`. */
  readonly timers?: Timers
}

const COMMON = ['limit', 'window', 'clock', 'keysMax', 'forward', 'drop', 'key', 'cost'] as const
const FUNCTIONS = ['clock', 'forward', 'drop', 'key', 'cost'] as const

/** What some limiters may be made with beside what all may. */
const OWN: Readonly<Record<AlgorithmName, readonly string[]>> = {
  'token-bucket': ['burst'],
  'leaky-bucket': ['burst'],
  gcra: ['burst'],
  'leaky-queue': ['queue', 'waitingMax', 'timers'],
  shaper: ['queue', 'waitingMax', 'timers', 'startMs'],
  'fixed-window': ['startMs'],
  'sliding-window': ['startMs', 'startFull'],
  'sliding-log': [],
}

const KEYS_DEFAULT = 100_000
/** Words of all states where `keysMax` is not given: 128 MiB. */
const WORDS_DEFAULT = 2 ** 24

/** @throws TypeError or RangeError that names the option. */
export function algorithmOf(name: AlgorithmName, options: unknown): Algorithm {
  const example = `{ limit: 5, window: '1s' }`
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`a limiter is made with options such as ${example}, not ${told(options)}`)
  const given = options as Readonly<Record<string, unknown>>
  const known: readonly string[] = [...COMMON, ...OWN[name]]
  for (const option of Object.keys(given))
    if (!known.includes(option))
      throw new TypeError(
        `${option}: a ${name} has no such option${guess(option, known)} (known: ${known.join(', ')})`,
      )
  for (const option of ['limit', 'window'])
    if (given[option] === undefined)
      throw new TypeError(`${option} is missing: a limiter is made with options such as ${example}`)
  for (const option of FUNCTIONS)
    if (given[option] !== undefined && typeof given[option] !== 'function')
      throw new TypeError(`${option}: expected a function, not ${told(given[option])}`)
  if (given['startFull'] !== undefined && typeof given['startFull'] !== 'boolean')
    throw new TypeError(`startFull: expected true or false, not ${told(given['startFull'])}`)
  whole('limit', given['limit'], 1, RATE_COUNT_MAX)
  return createAlgorithm({
    algorithm: name,
    count: given['limit'] as number,
    windowMs: millisecondsOf(given['window']),
    burst: given['burst'] as number | undefined,
    queue: given['queue'] as number | undefined,
    startFull: given['startFull'] as boolean | undefined,
    startMs: given['startMs'] as number | undefined,
  })
}

export function keysMaxOf({ keysMax }: LimiterOptions<never>, { words }: Algorithm): number {
  if (keysMax === undefined) return Math.max(1, Math.min(KEYS_DEFAULT, Math.floor(WORDS_DEFAULT / words)))
  whole('keysMax', keysMax, 1, KEYS_MAX)
  return keysMax
}

function millisecondsOf(window: unknown): number {
  const ms = typeof window === 'string' ? parseDuration(window) : window
  if (!Number.isInteger(ms) || (ms as number) < 1 || (ms as number) > RATE_WINDOW_MAX_MS)
    throw new RangeError(
      `window: expected whole milliseconds or a time such as "200ms", "1s" or "30d", from 1 ms to 30 days, not ${told(window)}`,
    )
  return ms as number
}

function guess(word: string, known: readonly string[]): string {
  const meant = nearest(word, known)
  return meant === undefined ? '' : `; did you mean ${meant}?`
}
