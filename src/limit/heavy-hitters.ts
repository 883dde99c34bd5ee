/**
 * Who asks most: the keys with the largest counts of the last minutes, in bounded memory, for people who look and for bans.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005): so many counters, and a
 * key without one takes over that of the key with the smallest, and its count, which is how much too high its own may be. Every key with more than
 * a share of 1/`keysMax` of all that came is among them. Two generations slide, so that what is old is forgotten.
 *
 * Each worker has its own; `mergeHitters` puts them together.
 *
 *     const hitters = new HeavyHitters()
 *     hitters.add('ana')
 *     hitters.addAddress('2001:db8::7', 48)
 *     hitters.top(10)
 */
import { createHash } from 'node:crypto'
import type { IpAddress } from '../base/ip-address.ts'
import { formatPrefix, prefixOf } from '../base/ip-prefix.ts'
import { MOMENT_MAX, momentOn, STEP_BACK_MS } from './algorithms/moment.ts'
import { told, whole } from './algorithms/plan.ts'
import { addressOf } from './given-address.ts'
import { checkHitters } from './limiter-options.ts'

export interface Hitter {
  /** A text, an address, or a prefix such as `2001:db8::/48`. */
  readonly key: string
  /** How much came of it. */
  readonly count: number
  /** By so much `count` may be too high. */
  readonly excess: number
}

export interface HeavyHittersOptions {
  /** Counters of a generation, 1 to 1,000,000. Where none is given: 1,000. */
  readonly keysMax?: number
  /** Milliseconds of a generation: what is told is of the last one to two of them. Where none is given: two minutes. */
  readonly generationMs?: number
  /** Milliseconds from 0 on. Where none is given: since the process started. */
  readonly clock?: () => number
}

const KEYS_MAX = 1000
const GENERATION_MS = 120_000
/** Longer keys are kept as how they begin, and a hash: keys may come from outside, 64 KiB each. */
const KEY_LENGTH_MAX = 256
const BEGINNING = 200

export class HeavyHitters {
  readonly #keysMax: number
  readonly #generationMs: number
  readonly #clock: () => number
  #current: SpaceSaving
  #previous: SpaceSaving
  #start = 0

  /** @throws TypeError or RangeError that names the option. */
  constructor(options: HeavyHittersOptions = {}) {
    checkHitters(options)
    const { keysMax = KEYS_MAX, generationMs = GENERATION_MS, clock = () => performance.now() } = options
    whole('keysMax', keysMax, 1, 1_000_000)
    whole('generationMs', generationMs, 1, 2 ** 31)
    this.#keysMax = keysMax
    this.#generationMs = generationMs
    this.#clock = clock
    this.#current = new SpaceSaving(keysMax)
    this.#previous = new SpaceSaving(keysMax)
  }

  /**
   * `n` more (a whole number from 0, 1 where none is given) came of `key`. Of a key longer than 256 characters the beginning and a hash are kept.
   * @throws TypeError where the key is no string, RangeError where `n` or `now` are no such numbers.
   */
  add(key: string, n = 1, now = momentOn(this.#clock)): void {
    if (typeof key !== 'string') throw new TypeError(`key: expected a string, not ${told(key)}`)
    if (!(Number.isSafeInteger(n) && n >= 0)) whole('n', n, 0, Number.MAX_SAFE_INTEGER)
    this.#moveTo(now)
    if (n > 0) this.#current.add(key.length > KEY_LENGTH_MAX ? shortened(key) : key, n)
  }

  /**
   * The same for the prefix of an address; of all its bits it is the address.
   * @throws TypeError or RangeError where the address is none, or has no prefix of that length.
   */
  addAddress(address: string | IpAddress, length: number, n = 1, now = momentOn(this.#clock)): void {
    const ip = addressOf(address)
    whole('length', length, 0, ip.family === 4 ? 32 : 128)
    this.add(formatPrefix(prefixOf(ip, length)), n, now)
  }

  /** The `most` keys (10 where nothing is said) that most came of in the last one to two generations, the largest first. @throws RangeError */
  top(most = 10, now = momentOn(this.#clock)): Hitter[] {
    whole('most', most, 0, Number.MAX_SAFE_INTEGER)
    this.#moveTo(now)
    return mergeHitters([this.#current.entries(), this.#previous.entries()], most)
  }

  #moveTo(now: number): void {
    if (!(Number.isInteger(now) && now >= 0 && now <= MOMENT_MAX)) whole('now', now, 0, MOMENT_MAX)
    const passed = now - this.#start
    // The clock was set: what was counted goes on from there.
    if (passed < -STEP_BACK_MS) this.#start = now
    if (passed < this.#generationMs) return
    const isNext = passed < 2 * this.#generationMs
    this.#previous = isNext ? this.#current : new SpaceSaving(this.#keysMax)
    this.#current = new SpaceSaving(this.#keysMax)
    this.#start = isNext ? this.#start + this.#generationMs : now
  }
}

/** What several workers, or several generations, have counted apart: the `most` largest together, the largest first, of those that are alike by name. */
export function mergeHitters(lists: readonly (readonly Hitter[])[], most: number): Hitter[] {
  const sums = new Map<string, { key: string; count: number; excess: number }>()
  for (const { key, count, excess } of lists.flat()) {
    const sum = sums.get(key)
    if (sum === undefined) sums.set(key, { key, count, excess })
    else {
      sum.count += count
      sum.excess += excess
    }
  }
  return [...sums.values()].toSorted((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1)).slice(0, most)
}

/** Copied, so that it does not hold the whole key in memory. */
function shortened(key: string): string {
  const beginning = Buffer.from(key.slice(0, BEGINNING)).toString()
  return `${beginning}… (${createHash('sha256').update(key, 'utf16le').digest('base64url')})`
}

/** Counters in a heap, the smallest on top. */
class SpaceSaving {
  readonly #size: number
  readonly #at = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #counts: number[] = []
  readonly #excesses: number[] = []

  constructor(size: number) {
    this.#size = size
  }

  add(key: string, n: number): void {
    let at = this.#at.get(key)
    if (at === undefined) {
      if (this.#keys.length < this.#size) {
        at = this.#keys.push(key) - 1
        this.#counts.push(0)
        this.#excesses.push(0)
        // A new counter is the smallest: it rises to the top, and sinks from there as any other.
        at = this.#rise(at)
      } else {
        at = 0
        this.#at.delete(this.#keys[0]!)
        this.#keys[0] = key
        this.#excesses[0] = this.#counts[0]!
      }
      this.#at.set(key, at)
    }
    this.#counts[at]! += n
    this.#sink(at)
  }

  entries(): Hitter[] {
    return this.#keys.map((key, i) => ({ key, count: this.#counts[i]!, excess: this.#excesses[i]! }))
  }

  #rise(at: number): number {
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#counts[parent]! <= this.#counts[at]!) break
      this.#swap(at, parent)
      at = parent
    }
    return at
  }

  #sink(at: number): void {
    const counts = this.#counts
    for (;;) {
      const left = 2 * at + 1
      const right = left + 1
      let least = at
      if (left < counts.length && counts[left]! < counts[least]!) least = left
      if (right < counts.length && counts[right]! < counts[least]!) least = right
      if (least === at) return
      this.#swap(at, least)
      at = least
    }
  }

  #swap(a: number, b: number): void {
    for (const list of [this.#counts, this.#excesses]) [list[a], list[b]] = [list[b]!, list[a]!]
    ;[this.#keys[a], this.#keys[b]] = [this.#keys[b]!, this.#keys[a]!]
    this.#at.set(this.#keys[a], a)
    this.#at.set(this.#keys[b], b)
  }
}
