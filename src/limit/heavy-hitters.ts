/**
 * Who asks most: the keys with the largest counts of the last minutes, in bounded memory, for people who look and for bans.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005): so many counters, and a
 * key without one takes over that of the key with the smallest, and its count, which is how much too high its own may be. Every key with more than
 * a share of 1/`keysMax` of all that came is among them. Two generations slide, so that what is old is forgotten.
 *
 * Each worker has its own; `mergeHitters` puts them together.
 */
import { formatIp, type IpAddress } from '../base/ip-address.ts'
import { whole } from './algorithms/plan.ts'
import { prefixText } from './prefix-levels.ts'

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
}

const KEYS_MAX = 1000
const GENERATION_MS = 120_000

export class HeavyHitters {
  readonly #keysMax: number
  readonly #generationMs: number
  #current: SpaceSaving
  #previous: SpaceSaving
  #start = 0

  /** @throws RangeError */
  constructor({ keysMax = KEYS_MAX, generationMs = GENERATION_MS }: HeavyHittersOptions = {}) {
    whole('keysMax', keysMax, 1, 1_000_000)
    whole('generationMs', generationMs, 1, 2 ** 31)
    this.#keysMax = keysMax
    this.#generationMs = generationMs
    this.#current = new SpaceSaving(keysMax)
    this.#previous = new SpaceSaving(keysMax)
  }

  /** `n` more came of `key`. */
  add(key: string, n: number, now: number): void {
    this.#moveTo(now)
    this.#current.add(key, n)
  }

  /** The same for the prefix of an address; of all its bits it is the address. */
  addAddress(ip: IpAddress, length: number, n: number, now: number): void {
    this.add(length === (ip.family === 4 ? 32 : 128) ? formatIp(ip) : prefixText(ip, length), n, now)
  }

  /** The `most` keys that most came of in the last one to two generations, the largest first. */
  top(most: number, now: number): Hitter[] {
    this.#moveTo(now)
    return mergeHitters([this.#current.entries(), this.#previous.entries()], most)
  }

  #moveTo(now: number): void {
    const passed = now - this.#start
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
