/**
 * A table of keys' states in memory that several processes share: exact, bounded, and never wiped as a whole.
 *
 * A key hashes to one bucket of eight places. A bucket is a line of 64 bytes, then the states:
 *
 *     ┌──────┬───────┬───────┬────────┬──────────────┬───────────────────┬─────────────────────┐
 *     │ lock │ order │ marks │ levels │ 8 × tag (32) │ 8 × tag (16 more) │ 8 × state (float64) │
 *     └──────┴───────┴───────┴────────┴──────────────┴───────────────────┴─────────────────────┘
 *
 * so that a decision touches two lines of memory and one lock, and buckets know nothing of each other. 48 bits of the key's hash stand in its place
 * and the rest is the bucket: two keys that agree in all of it share a state, which happens once in 10^13 questions about new keys.
 *
 * Where all eight places are taken, first an idle key goes: its state says as little as none at all. Else one goes as `places.ts` says, within the
 * bucket alone: that is what this gives up beside one queue for all. Its state goes into the sketch behind the table
 * (`evicted-memory.ts`), and a key that comes in starts from what the sketch remembers: being evicted is no way around a limit.
 *
 * A state is copied, decided on, and written back under a mark (`shared-lock.ts`). A process that dies in between leaves the bucket as it was, or
 * one state marked as torn, which counts as used up: less is allowed then, not more.
 */
import type { Algorithm } from './algorithms/algorithm.ts'
import type { EvictedMemory } from './evicted-memory.ts'
import type { Decision } from './limiter.ts'
import { asked, cameIn, chosen, IDENTITY, moveToNewest, oldest, PLACES, type Replacement } from './places.ts'
import { acquire, beginWrite, isTorn, partOf, release } from './shared-lock.ts'

const LOCK = 0
const ORDER = 1
const MARKS = 2
const LEVELS = 3
const TAGS = 4
/** In halves of a word, from the start of the bucket. */
const TAGS_MORE = 24
const LINE_WORDS = 16
/** States up to so many words are copied; larger ones are changed in place, under the mark. */
const COPIED_MAX = 16
/** Levels that have a number: four bits. */
export const LEVELS_MAX = 16

export interface TableShape {
  readonly buckets: number
  /** Float64 words of a state. */
  readonly stateWords: number
  readonly replacement: Replacement
}

export const bucketWords = (stateWords: number): number => LINE_WORDS + 2 * PLACES * stateWords

export const tableWords = ({ buckets, stateWords }: TableShape): number => buckets * bucketWords(stateWords)

/** Keys that have something used up at `now`. Read without locks, for people: a key that changes meanwhile may count or not. */
export function keysInUse(
  words: Int32Array,
  at: number,
  { buckets, stateWords }: TableShape,
  algorithms: readonly Algorithm[],
  now: number,
): number {
  const floats = new Float64Array(words.buffer, words.byteOffset, words.length >> 1)
  const stride = bucketWords(stateWords)
  let keys = 0
  for (let base = at; base < at + buckets * stride; base += stride) {
    for (let place = 0; place < PLACES; place++) {
      if (words[base + TAGS + place] === 0) continue
      const algorithm = algorithms[(words[base + LEVELS]! >>> (place << 2)) & 15] ?? algorithms[0]!
      if (!algorithm.isIdle(floats, ((base + LINE_WORDS) >> 1) + place * stateWords, now)) keys += 1
    }
  }
  return keys
}

/** What a table does its work with. */
export interface TableMeans {
  /** From 1: this process, beside others with the same table. */
  readonly owner: number
  /** By level. */
  readonly algorithms: readonly Algorithm[]
  readonly memory: EvictedMemory
}

export class ExactTable {
  readonly #words: Int32Array
  readonly #halves: Uint16Array
  readonly #floats: Float64Array
  readonly #at: number
  readonly #scale: number
  readonly #stride: number
  readonly #stateWords: number
  readonly #isLru: boolean
  readonly #owner: number
  readonly #algorithms: readonly Algorithm[]
  readonly #memory: EvictedMemory
  readonly #scratch: Float64Array
  /** Of what was read ahead: so that the reads have a use, and are not left out. */
  readAhead = 0
  // What `#findRoom` has found.
  #order = 0
  #marks = 0

  constructor(
    words: Int32Array,
    at: number,
    { buckets, stateWords, replacement }: TableShape,
    { owner, algorithms, memory }: TableMeans,
  ) {
    this.#words = words
    this.#halves = new Uint16Array(words.buffer, words.byteOffset, words.length << 1)
    this.#floats = new Float64Array(words.buffer, words.byteOffset, words.length >> 1)
    this.#at = at
    this.#scale = buckets / 2 ** 32
    this.#stride = bucketWords(stateWords)
    this.#stateWords = stateWords
    this.#isLru = replacement === 'lru'
    this.#owner = owner
    this.#algorithms = algorithms
    this.#memory = memory
    this.#scratch = new Float64Array(stateWords)
  }

  /** Decides for the key with this hash, by the algorithm of `level`. A cost of 0 only looks. */
  take(high: number, low: number, level: number, cost: number, now: number): Decision {
    const words = this.#words
    const tag = low === 0 ? 1 : low
    const base = this.#at + (((high >>> 0) * this.#scale) | 0) * this.#stride
    const states = (base + LINE_WORDS) >> 1
    // All lines at once: each takes as long as the rest of the decision, and behind the lock they would come one after the other.
    this.readAhead = (words[base]! + this.#floats[states]! + this.#floats[states + 8]!) | 0
    for (;;) {
      const held = acquire(words, base + LOCK, this.#owner)
      if (isTorn(held)) {
        this.#mend(base, held, now)
        continue
      }
      const place = this.#find(base, tag, high & 0xffff)
      const decision =
        place === -1
          ? this.#takeNew(base, held, high & 0xffff, tag, level, cost, now)
          : this.#takeKnown(base, held, place, level, cost, now)
      if (decision !== undefined) return decision
    }
  }

  #find(base: number, tag: number, more: number): number {
    const words = this.#words
    const tags = base + TAGS
    for (let place = 0; place < PLACES; place++)
      if (words[tags + place] === tag && this.#halves[(base << 1) + TAGS_MORE + place] === more) return place
    return -1
  }

  /** Undefined: the lock was lost, and everything begins again. */
  #takeKnown(
    base: number,
    held: number,
    place: number,
    level: number,
    cost: number,
    now: number,
  ): Decision | undefined {
    const words = this.#words
    const floats = this.#floats
    const algorithm = this.#algorithms[level]!
    const state = ((base + LINE_WORDS) >> 1) + place * this.#stateWords
    if (cost === 0) {
      const looked = algorithm.take(floats, state, 0, now)
      release(words, base + LOCK, held)
      return looked
    }
    let decision: Decision
    let writing: number
    if (algorithm.words <= COPIED_MAX) {
      const scratch = this.#scratch
      for (let i = 0; i < algorithm.words; i++) scratch[i] = floats[state + i]!
      decision = algorithm.take(scratch, 0, cost, now)
      writing = beginWrite(words, base + LOCK, held, place)
      if (writing === 0) return undefined
      for (let i = 0; i < algorithm.words; i++) floats[state + i] = scratch[i]!
    } else {
      writing = beginWrite(words, base + LOCK, held, place)
      if (writing === 0) return undefined
      decision = algorithm.take(floats, state, cost, now)
    }
    if (this.#isLru) {
      const order = words[base + ORDER]! ^ IDENTITY
      if ((order & 15) !== place) words[base + ORDER] = moveToNewest(order, place) ^ IDENTITY
    } else {
      const marks = words[base + MARKS]!
      const next = asked(marks, place)
      if (next !== marks) words[base + MARKS] = next
    }
    if (release(words, base + LOCK, writing)) return decision
    this.#useUp(base, place, now)
    return undefined
  }

  /** Undefined: the lock was lost, and everything begins again. */
  #takeNew(
    base: number,
    held: number,
    more: number,
    tag: number,
    level: number,
    cost: number,
    now: number,
  ): Decision | undefined {
    const words = this.#words
    const scratch = this.#scratch
    const algorithm = this.#algorithms[level]!
    const isKnown = this.#memory.restore(level, this.#nameOf(base, more), tag, scratch, now)
    const decision = algorithm.take(scratch, 0, cost, now)
    const isProved = isKnown && decision.remaining <= algorithm.costMax / 2
    if (cost === 0) {
      release(words, base + LOCK, held)
      return decision
    }
    const place = this.#findRoom(base, now)
    const writing = beginWrite(words, base + LOCK, held, place)
    if (writing === 0) return undefined
    words[base + TAGS + place] = tag
    this.#halves[(base << 1) + TAGS_MORE + place] = more
    words[base + LEVELS] = (words[base + LEVELS]! & ~(15 << (place << 2))) | (level << (place << 2))
    words[base + ORDER] = moveToNewest(this.#order, place) ^ IDENTITY
    words[base + MARKS] = cameIn(this.#marks, place, isProved)
    this.#floats.set(scratch, ((base + LINE_WORDS) >> 1) + place * this.#stateWords)
    if (release(words, base + LOCK, writing)) return decision
    this.#useUp(base, place, now)
    return undefined
  }

  /** A place for a new key. Who has to leave for it is remembered by then. */
  #findRoom(base: number, now: number): number {
    const words = this.#words
    this.#order = words[base + ORDER]! ^ IDENTITY
    this.#marks = words[base + MARKS]!
    for (let place = 0; place < PLACES; place++) if (words[base + TAGS + place] === 0) return place
    for (let shift = 28; shift >= 0; shift -= 4) {
      const place = (this.#order >>> shift) & (PLACES - 1)
      if (this.#algorithmAt(base, place).isIdle(this.#floats, this.#stateAt(base, place), now)) return place
    }
    let place = oldest(this.#order)
    if (!this.#isLru) {
      const choice = chosen(this.#order, this.#marks)
      place = choice.place
      this.#order = choice.order
      this.#marks = choice.marks
    }
    const more = this.#halves[(base << 1) + TAGS_MORE + place]!
    const name = this.#nameOf(base, more)
    this.#memory.put(
      this.#levelAt(base, place),
      name,
      words[base + TAGS + place]!,
      this.#floats,
      this.#stateAt(base, place),
      now,
    )
    return place
  }

  /** What a key is called in the sketch, beside its tag: all that is known of it when it is evicted. */
  #nameOf(base: number, more: number): number {
    return Math.imul(base, 0x9e3779b1) ^ more
  }

  #stateAt(base: number, place: number): number {
    return ((base + LINE_WORDS) >> 1) + place * this.#stateWords
  }

  #levelAt(base: number, place: number): number {
    return (this.#words[base + LEVELS]! >>> (place << 2)) & 15
  }

  #algorithmAt(base: number, place: number): Algorithm {
    return this.#algorithms[this.#levelAt(base, place)]!
  }

  /** Somebody died while it wrote a state: that state counts as used up. The lock is free afterwards. */
  #mend(base: number, held: number, now: number): void {
    const place = partOf(held) & (PLACES - 1)
    this.#loadFull(base, place, now)
    release(this.#words, base + LOCK, held)
  }

  /** This process stood still while it wrote, for so long that somebody else has mended the state and gone on: what it wrote over that is used up. */
  #useUp(base: number, place: number, now: number): void {
    const words = this.#words
    const held = acquire(words, base + LOCK, this.#owner)
    const writing = beginWrite(words, base + LOCK, held, place)
    if (writing === 0) return this.#useUp(base, place, now)
    this.#loadFull(base, place, now)
    if (!release(words, base + LOCK, writing)) this.#useUp(base, place, now)
  }

  #loadFull(base: number, place: number, now: number): void {
    const algorithm = this.#algorithmAt(base, place)
    const state = this.#stateAt(base, place)
    this.#floats.fill(0, state, state + this.#stateWords)
    algorithm.load(this.#floats, state, algorithm.costMax, now)
  }
}
