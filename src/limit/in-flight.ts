/**
 * How many are under way at once, by key, in memory that several processes share.
 *
 * A bucket is a line with a lock and eight tags, then for each of its places a count for each process: a process changes no count but its own, and
 * one that dies takes what it counted with it (`forgetInFlight`). A place whose counts are all zero is free. Where a bucket has none, a key shares one
 * with another, and stays there until that place is free, though others may be so before: then less is allowed, not more.
 */
import { KeyedHash } from './keyed-hash.ts'
import { acquire, beginWrite, enter, OWNERS_MAX, PIDS, PIDS_AT, release, releaseOf } from './shared-lock.ts'

export interface InFlightPlan {
  /** Keys that find a place of their own, mostly. */
  readonly keysMax: number
  /** Processes that count: each has a number below this. */
  readonly workers: number
}

/** The secrets, and the processes that have it open, as locks look for them. */
const HEADER_WORDS = PIDS_AT + PIDS
const SECRETS_AT = 0
/** Bytes of the seed that a region is laid with. */
export const IN_FLIGHT_SEED_BYTES = 8
const PLACES = 8
const LINE_WORDS = 16
/** A bit for each place that a key without a place of its own may count in. It stands for as long as anything is under way there. */
const SHARED = 1
const TAGS = 8
/** As the other limits have it: few buckets are full before the table is. */
const PLACES_FOR_KEY = 2

const bucketsOf = ({ keysMax }: InFlightPlan): number => Math.ceil((keysMax * PLACES_FOR_KEY) / PLACES)
const strideOf = ({ workers }: InFlightPlan): number => LINE_WORDS + Math.ceil((PLACES * workers) / 16) * 16

/** Words of 32 bits that a region takes. */
export const inFlightWords = (plan: InFlightPlan): number => HEADER_WORDS + bucketsOf(plan) * strideOf(plan)

/** Makes a region of words that are all zero: once, before anybody opens it. `seed` stays secret. */
export function layInFlight(words: Int32Array, seed: Uint8Array): void {
  const secrets = new DataView(seed.buffer, seed.byteOffset, IN_FLIGHT_SEED_BYTES)
  words[SECRETS_AT] = secrets.getInt32(0)
  words[SECRETS_AT + 1] = secrets.getInt32(4)
}

/** A worker died: nothing of what it counted is under way any more. */
export function forgetInFlight(words: Int32Array, plan: InFlightPlan, worker: number): void {
  const stride = strideOf(plan)
  for (let bucket = 0; bucket < bucketsOf(plan); bucket++) {
    const base = HEADER_WORDS + bucket * stride
    releaseOf(words, base, worker + 1)
    for (let place = 0; place < PLACES; place++)
      Atomics.store(words, base + LINE_WORDS + place * plan.workers + worker, 0)
  }
}

/** What `enter` gives whoever came in: to be given back by `leave`. */
export type Ticket = number

export class InFlight {
  readonly hash: KeyedHash
  /** How many were under way before the last `enter`. */
  before = 0
  readonly #words: Int32Array
  readonly #workers: number
  readonly #worker: number
  readonly #scale: number
  readonly #stride: number

  /** `worker`: below `plan.workers`, and nobody else's. @throws RangeError where it is not. */
  constructor(plan: InFlightPlan, words: Int32Array, worker: number) {
    if (!(worker >= 0 && worker < plan.workers && worker < OWNERS_MAX))
      throw new RangeError(
        `worker: expected a number from 0 to ${Math.min(plan.workers, OWNERS_MAX) - 1}, not ${worker}`,
      )
    this.hash = new KeyedHash(words[SECRETS_AT]!, words[SECRETS_AT + 1]!)
    this.#words = words
    this.#workers = plan.workers
    this.#worker = worker
    this.#scale = bucketsOf(plan) / 2 ** 32
    this.#stride = strideOf(plan)
    enter(words, worker + 1)
  }

  /** Comes in, for the key that was hashed last, if fewer than `max` of it are under way. Undefined: it is full. */
  enter(max: number): Ticket | undefined {
    const words = this.#words
    const { high, low } = this.hash
    const tag = low === 0 ? 1 : low
    const base = HEADER_WORDS + (((high >>> 0) * this.#scale) | 0) * this.#stride
    for (;;) {
      const held = acquire(words, base, this.#worker + 1)
      const place = this.#placeOf(base, tag)
      this.before = this.#sum(base, place)
      if (this.before >= max) {
        release(words, base, held)
        return undefined
      }
      const writing = beginWrite(words, base, held, place)
      if (writing === 0) continue
      if (this.before === 0) {
        words[base + TAGS + place] = tag
        words[base + SHARED]! &= ~(1 << place)
      } else if (words[base + TAGS + place] !== tag) words[base + SHARED]! |= 1 << place
      const ticket = this.#countsAt(base, place) + this.#worker
      Atomics.add(words, ticket, 1)
      release(words, base, writing)
      return ticket
    }
  }

  leave(ticket: Ticket): void {
    Atomics.sub(this.#words, ticket, 1)
  }

  #placeOf(base: number, tag: number): number {
    let free = -1
    for (let place = 0; place < PLACES; place++) {
      if (this.#words[base + TAGS + place] === tag) return place
      if (free === -1 && this.#sum(base, place) === 0) free = place
    }
    const others = tag & (PLACES - 1)
    const mayBeThere = (this.#words[base + SHARED]! & (1 << others)) !== 0 && this.#sum(base, others) > 0
    return free === -1 || mayBeThere ? others : free
  }

  #sum(base: number, place: number): number {
    const at = this.#countsAt(base, place)
    let sum = 0
    for (let worker = 0; worker < this.#workers; worker++) sum += Atomics.load(this.#words, at + worker)
    return sum
  }

  #countsAt(base: number, place: number): number {
    return base + LINE_WORDS + place * this.#workers
  }
}
