/** What a limiter is made with, looked at before it is: who uses it from JavaScript is told what is wrong and what would be right. */
import { nearest } from '../base/nearest.ts'
import { parseDuration } from '../base/quantity.ts'
import { KEYS_MAX, RATE_COUNT_MAX, RATE_WINDOW_MAX_MS } from '../base/rate.ts'
import type { Timers } from '../base/timers.ts'
import type { Algorithm, AlgorithmName, RatePlan } from './algorithms/algorithm.ts'
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

export interface SketchOptions {
  /** Cells of a row, 1 to 16,777,216, rounded up to a power of two. Where none is given: 524,288; behind a table, an eighth of `keysMax`. */
  readonly width?: number
  /** Rows, 1 to 8. Where none is given: 3. */
  readonly depth?: number
  /** Where none is given: 16, or 32 where the limits need them. */
  readonly cellBits?: 8 | 16 | 32
}

/** Of limiters whose windows are counters. */
export interface StoreOptions {
  /**
   * `exact` (where nothing is said): keys are remembered one by one. `sketch`: memory is the same however many keys come, and a key is refused too early where it
   * shares all of its cells with keys over the limit, with a probability that `wrongRefusals` tells. Windows are of 100 ms or more then.
   */
  readonly store?: 'exact' | 'sketch'
  readonly sketch?: SketchOptions
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
  'fixed-window': ['startMs', 'store', 'sketch'],
  'sliding-window': ['startMs', 'startFull', 'store', 'sketch'],
  'sliding-log': [],
}

const KEYS_DEFAULT = 100_000
/** Words of all states where `keysMax` is not given: 128 MiB. */
const WORDS_DEFAULT = 2 ** 24

/** @throws TypeError or RangeError that names the option. */
export function planOf(name: AlgorithmName, options: unknown): RatePlan {
  const given = checkLimiter(`a ${name}`, options, [...COMMON, ...OWN[name]])
  return {
    algorithm: name,
    count: given['limit'] as number,
    windowMs: millisecondsOf(given['window']),
    burst: given['burst'] as number | undefined,
    queue: given['queue'] as number | undefined,
    startFull: given['startFull'] as boolean | undefined,
    startMs: given['startMs'] as number | undefined,
  }
}

/** What all limiters say, and nothing that they do not know. @throws TypeError or RangeError */
export function checkLimiter(what: string, options: unknown, known: readonly string[]): Given {
  const example = `{ limit: 5, window: '1s' }`
  if (!isGiven(options))
    throw new TypeError(`a limiter is made with options such as ${example}, not ${told(options)}`)
  checkKnown(what, options, known)
  for (const option of ['limit', 'window'])
    if (options[option] === undefined)
      throw new TypeError(`${option} is missing: a limiter is made with options such as ${example}`)
  checkFunctions(options)
  if (options['startFull'] !== undefined && typeof options['startFull'] !== 'boolean')
    throw new TypeError(`startFull: expected true or false, not ${told(options['startFull'])}`)
  whole('limit', options['limit'], 1, RATE_COUNT_MAX)
  return options
}

function checkFunctions(given: Given): void {
  for (const option of FUNCTIONS)
    if (given[option] !== undefined && typeof given[option] !== 'function')
      throw new TypeError(`${option}: expected a function, not ${told(given[option])}`)
}

export type Given = Readonly<Record<string, unknown>>

export const isGiven = (options: unknown): options is Given =>
  typeof options === 'object' && options !== null && !Array.isArray(options)

/** @throws TypeError that names an option which `what` has not. */
export function checkKnown(what: string, given: object, known: readonly string[]): void {
  for (const option of Object.keys(given))
    if (!known.includes(option))
      throw new TypeError(
        `${option}: ${what} has no such option${guess(option, known)} (known: ${known.join(', ')})`,
      )
}

/** @throws TypeError that names the option. */
export function checkSketch(sketch: unknown): void {
  if (!isGiven(sketch)) throw new TypeError(`sketch: expected an object, not ${told(sketch)}`)
  checkKnown('a sketch', sketch, ['width', 'depth', 'cellBits'])
}

/** @throws TypeError that names the option. */
export function checkHitters(options: unknown): void {
  if (!isGiven(options))
    throw new TypeError(`expected options such as { keysMax: 1000 }, or none, not ${told(options)}`)
  checkKnown('a HeavyHitters', options, ['keysMax', 'generationMs', 'clock'])
  checkFunctions(options)
}

export function keysMaxOf({ keysMax }: LimiterOptions<never>, { words }: Algorithm): number {
  if (keysMax === undefined) return Math.max(1, Math.min(KEYS_DEFAULT, Math.floor(WORDS_DEFAULT / words)))
  whole('keysMax', keysMax, 1, KEYS_MAX)
  return keysMax
}

/** A window, in milliseconds. @throws RangeError */
export function millisecondsOf(window: unknown, name = 'window'): number {
  const ms = typeof window === 'string' ? parseDuration(window) : window
  if (!Number.isInteger(ms) || (ms as number) < 1 || (ms as number) > RATE_WINDOW_MAX_MS)
    throw new RangeError(
      `${name}: expected whole milliseconds or a time such as "200ms", "1s" or "30d", from 1 ms to 30 days, not ${told(window)}`,
    )
  return ms as number
}

function guess(word: string, known: readonly string[]): string {
  const meant = nearest(word, known)
  return meant === undefined ? '' : `; did you mean ${meant}?`
}
