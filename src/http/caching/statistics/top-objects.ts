/**
 * The most wanted objects, within a bound: Space-Saving over a sample of the hits.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams", 2005) keeps so many counters;
 * a key that has none takes over the smallest, with what it had counted. Whatever makes more than one of so many hits is in the list, and is
 * counted too high by `excess` at most. Of two hits that are counted lie as many others as a geometric distribution draws, so that no
 * rhythm of requests hides an object, and a hit that is not counted costs a subtraction.
 */
import type { TopObject } from '../../../contract/cache-reading.ts'

const COUNTERS = 512
/** Characters of a key that are kept. */
const KEY_MAX = 4096

interface Counter {
  key: string
  /** Hits that were counted. */
  hits: number
  /** By so much they may be too many. */
  excess: number
  bytes: number
  bornMs: number
  freshUntilMs: number
}

export class TopObjects {
  readonly #share: number
  readonly #random: () => number
  readonly #counters = new Map<string, Counter>()
  #untilDue: number

  /** `share`: of hits that are counted, 0 to 1. */
  constructor(share: number, random: () => number) {
    this.#share = share
    this.#random = random
    this.#untilDue = this.#gap()
  }

  /** Whether this hit is one of those to be noted. */
  isDue(): boolean {
    if (--this.#untilDue > 0) return false
    this.#untilDue = this.#gap()
    return true
  }

  /** A hit: bytes of body that it sends, and the moments between which the answer is fresh. */
  note(longKey: string, bytes: number, bornMs: number, freshUntilMs: number): void {
    const key = longKey.length > KEY_MAX ? longKey.slice(0, KEY_MAX) : longKey
    const counter = this.#counters.get(key) ?? this.#begin(key)
    counter.hits++
    counter.bytes += bytes
    counter.bornMs = bornMs
    counter.freshUntilMs = freshUntilMs
  }

  /** The first so many, as far as can be said of all hits. */
  list(max: number, nowMs: number): TopObject[] {
    const inAll = (counted: number) => Math.round(counted / this.#share)
    return [...this.#counters.values()]
      .toSorted((a, b) => b.hits - a.hits)
      .slice(0, max)
      .map(({ key, hits, excess, bytes, bornMs, freshUntilMs }) => ({
        key,
        hits: inAll(hits),
        excess: inAll(excess),
        bytes: inAll(bytes),
        ageSeconds: Math.max(0, Math.floor((nowMs - bornMs) / 1000)),
        // What units or headers say may be for ever, or over before it began.
        ttlSeconds: Math.floor((Math.min(Math.max(freshUntilMs, 0), Number.MAX_SAFE_INTEGER) - nowMs) / 1000),
      }))
  }

  #begin(key: string): Counter {
    let hits = 0
    if (this.#counters.size >= COUNTERS) {
      let least: Counter | undefined
      for (const counter of this.#counters.values())
        if (least === undefined || counter.hits < least.hits) least = counter
      this.#counters.delete(least!.key)
      hits = least!.hits
    }
    const counter = { key, hits, excess: hits, bytes: 0, bornMs: 0, freshUntilMs: 0 }
    this.#counters.set(key, counter)
    return counter
  }

  /** Hits until the next one that is counted, itself included: 1 where all are, more than there will be where none is. */
  #gap(): number {
    if (this.#share >= 1) return 1
    if (this.#share <= 0) return Number.MAX_SAFE_INTEGER
    return 1 + Math.floor(Math.log(1 - this.#random()) / Math.log(1 - this.#share))
  }
}
