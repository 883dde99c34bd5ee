/**
 * A trace: which object was asked for, request by request, and how large each is.
 *
 * Objects are numbers in the order of their first request. A size belongs to the object: the largest that was seen with
 * it, since a log has shorter answers to ranges and to clients that went away.
 *
 * A long trace is sampled by object, not by request (SHARDS: Waldspurger and others, "Efficient MRC Construction with
 * SHARDS", FAST 2015): all requests for an object are in, or none, by the hash of its key. A cache that is smaller by the
 * same share then behaves as the whole one does. Whether a trace is long comes out while it is read: whenever there are
 * more requests than there may be, half of the objects leave. So memory is bounded, and one reading is enough.
 */
import { grown, hashOf, KeyNumbers } from './key-numbers.ts'

export interface Trace {
  /** The object of each request. */
  readonly requests: Uint32Array
  /** Bytes of each object; 1 for all where the trace tells no sizes. */
  readonly sizes: Float64Array
  readonly hasSizes: boolean
  /** The share of objects that is in it, above 0; 1 is the whole trace. */
  readonly share: number
  /** Requests in the whole trace. */
  readonly requestsSeen: number
  /**
   * Requests and bytes that a sample has less than its share of all: 0 of a whole trace, below 0 where it has more. Whether the few objects that are
   * wanted most are in a sample decides about it, and requests for them are hits in any cache: so it counts as hits (SHARDS-adj).
   */
  readonly missing: { readonly requests: number; readonly bytes: number }
}

export interface TraceFacts {
  /** Of the whole trace; what follows is estimated from the sample where there is one. */
  readonly requests: number
  readonly distinct: number
  readonly requestedOnce: number
  /** Bytes of all objects, each once: a cache of that size never parts with anything. */
  readonly bytes: number
  /** Bytes of all requests. */
  readonly requestBytes: number
  /** The hit ratio of a cache without bounds: all but the first request for each object. */
  readonly hitRatioMax: number
}

export interface TraceLimits {
  /** The share of objects to begin with, above 0 to 1. Default 1. */
  readonly share?: number
  /** A trace of more requests than these is sampled. Default: none is. */
  readonly requestsMax?: number
  /** Requests in a sample, at most: the share is halved as often as it takes. Default: `requestsMax`. */
  readonly sampleMax?: number
}

export class TraceBuilder {
  readonly #keys = new KeyNumbers()
  readonly #sampleMax: number
  /** Requests that there may be as it stands. */
  #max: number
  #share: number
  #requests = new Uint32Array(4096)
  #count = 0
  #sizes = new Float64Array(512)
  /** Bytes of all requests for each object, as they were told. */
  #told = new Float64Array(512)
  #hasSizes = false
  #seen = 0
  #bytesSeen = 0

  constructor(limits: TraceLimits = {}) {
    const { share = 1, requestsMax = Number.POSITIVE_INFINITY, sampleMax = requestsMax } = limits
    this.#share = share
    this.#max = requestsMax
    this.#sampleMax = sampleMax
  }

  /** Requests so far, in the sample or not. */
  get requestsSeen(): number {
    return this.#seen
  }

  /** One request. `bytes` of an object may be told with some of its requests only. */
  add(key: string, bytes?: number): void {
    this.#seen += 1
    if (bytes !== undefined) this.#bytesSeen += bytes
    const hash = hashOf(key)
    if (!this.#isIn(hash.high)) return
    const object = this.#keys.numberOf(hash)
    if (object === this.#sizes.length) {
      this.#sizes = grown(this.#sizes)
      this.#told = grown(this.#told)
    }
    if (bytes !== undefined) {
      this.#hasSizes = true
      this.#told[object]! += bytes
      if (bytes > this.#sizes[object]!) this.#sizes[object] = bytes
    }
    if (this.#count === this.#requests.length) this.#requests = grown(this.#requests)
    this.#requests[this.#count] = object
    this.#count += 1
    while (this.#count > this.#max && this.#keys.count > 1) this.#halve()
  }

  build(): Trace {
    const count = this.#keys.count
    const told = this.#told.subarray(0, count).reduce((sum, bytes) => sum + bytes, 0)
    const sizes = this.#hasSizes ? this.#sizes.slice(0, count) : new Float64Array(count).fill(1)
    return {
      requests: this.#requests.slice(0, this.#count),
      sizes,
      hasSizes: this.#hasSizes,
      share: this.#share,
      requestsSeen: this.#seen,
      missing: {
        requests: this.#seen * this.#share - this.#count,
        bytes: this.#bytesSeen * this.#share - told,
      },
    }
  }

  #isIn(high: number): boolean {
    return high < this.#share * 2 ** 32
  }

  #halve(): void {
    this.#max = this.#sampleMax
    this.#share /= 2
    const renumbered = this.#keys.keep((number) => this.#isIn(this.#keys.highOf(number)))
    for (let number = 0; number < renumbered.length; number += 1) {
      const next = renumbered[number]!
      if (next === -1) continue
      this.#sizes[next] = this.#sizes[number]!
      this.#told[next] = this.#told[number]!
    }
    this.#sizes.fill(0, this.#keys.count)
    this.#told.fill(0, this.#keys.count)
    let kept = 0
    for (let i = 0; i < this.#count; i += 1) {
      const next = renumbered[this.#requests[i]!]!
      if (next === -1) continue
      this.#requests[kept] = next
      kept += 1
    }
    this.#count = kept
  }
}

export function factsOf(trace: Trace): TraceFacts {
  const { requests, sizes, share, requestsSeen, missing } = trace
  const expected = requests.length + missing.requests
  const times = new Uint32Array(sizes.length)
  let requestBytes = 0
  for (const object of requests) {
    times[object]! += 1
    requestBytes += sizes[object]!
  }
  const distinct = sizes.length
  const once = times.reduce((count, seen) => (seen === 1 ? count + 1 : count), 0)
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const whole = (part: number) => Math.round(part / share)
  return {
    requests: requestsSeen,
    distinct: whole(distinct),
    requestedOnce: whole(once),
    bytes: whole(bytes),
    requestBytes: whole(requestBytes + missing.bytes),
    hitRatioMax: expected === 0 ? 0 : Math.max(0, (expected - distinct) / expected),
  }
}
