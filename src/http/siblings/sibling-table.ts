/**
 * Who has what: a table of words that all workers of a node see (`base/shared-words.ts`), one word for an answer.
 *
 *     31        10 9     8 7       0
 *     ┌───────────┬───────┬─────────┐
 *     │ tag       │ state │ worker  │     0: empty
 *     └───────────┴───────┴─────────┘
 *
 * `flying`: that worker is fetching it. `has`: it has stored it. A place hashes to a bucket of eight words and to a tag; two that meet
 * in both are told apart by the worker that is asked, which compares the whole key. So the table is a hint: what is wrong in it costs a
 * question, and never gives anybody a wrong answer. For the same reason nobody waits for a word, and a worker that dies leaves nothing
 * behind that needs to be cleaned up: who does not find there what the word says takes it over, by compare-and-swap, so that one of
 * those who try succeeds and the others follow that one.
 */

const BUCKET = 8
const WORKER_BITS = 8
const TAG_SHIFT = 10
const FLYING = 1
const HAS = 2
/** So many workers have numbers that fit. */
const TABLE_WORKERS_MAX = 2 ** WORKER_BITS

/** What stands in the table of a place, at the moment it was read. */
export interface Seen {
  readonly worker: number
  readonly state: 'flying' | 'has'
  readonly index: number
  readonly word: number
}

export interface Place {
  readonly bucket: number
  readonly tag: number
}

export class SiblingTable {
  readonly #words: Int32Array
  readonly #buckets: number
  readonly #worker: number

  /** `words` are a power of two, at least eight; `worker` is the number of this one. */
  constructor(words: Int32Array, worker: number) {
    this.#words = words
    this.#buckets = words.length / BUCKET
    this.#worker = worker
  }

  place(text: string): Place {
    // FNV-1a twice, with other beginnings: one chooses the bucket, one is the tag.
    let a = 0x811c9dc5
    let b = 0x1b873593
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      a = Math.imul(a ^ code, 0x01000193)
      b = Math.imul(b ^ code, 0x85ebca6b)
    }
    a ^= a >>> 15
    b ^= b >>> 13
    return { bucket: (a >>> 0) & (this.#buckets - 1), tag: (b >>> TAG_SHIFT) << TAG_SHIFT }
  }

  /** Says that this worker is fetching it. Returns who else has it or is at it: then nothing was said. Undefined: it is ours, or the bucket is full of flights. */
  claim(place: Place): Seen | undefined {
    const mine = this.#word(place, FLYING)
    for (;;) {
      const found = this.#find(place)
      if (found !== undefined) {
        const seen = this.#read(found, Atomics.load(this.#words, found), place)
        // It changed between two looks.
        if (seen === undefined) continue
        if (seen.worker !== this.#worker) return seen
        if (this.#swap(seen.index, seen.word, mine)) return undefined
        continue
      }
      const free = this.#free(place)
      if (free === undefined) return undefined
      if (!this.#swap(free.index, free.word, mine)) continue
      // Somebody may have claimed another word of the bucket at the same moment: the first one of them stays.
      const first = this.#find(place)
      if (first === undefined || first === free.index) return undefined
      this.#swap(free.index, mine, 0)
    }
  }

  /** The worker that was seen there does not have it: we fetch it. False: somebody else was faster, look again. */
  takeOver(place: Place, { index, word }: Seen): boolean {
    return this.#swap(index, word, this.#word(place, FLYING))
  }

  /** What this worker was fetching is stored, or will not be. */
  settle(place: Place, isStored: boolean): void {
    const mine = this.#word(place, FLYING)
    const start = place.bucket * BUCKET
    for (let index = start; index < start + BUCKET; index++) {
      if (Atomics.load(this.#words, index) === mine)
        this.#swap(index, mine, isStored ? this.#word(place, HAS) : 0)
    }
  }

  /** Nothing that stands here of this worker is true any more: it starts. */
  forget(): void {
    for (let index = 0; index < this.#words.length; index++) {
      const word = Atomics.load(this.#words, index)
      if (word !== 0 && (word & (TABLE_WORKERS_MAX - 1)) === this.#worker) this.#swap(index, word, 0)
    }
  }

  #word({ tag }: Place, state: number): number {
    return tag | (state << WORKER_BITS) | this.#worker
  }

  #swap(index: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, index, from, to) === from
  }

  #find({ bucket, tag }: Place): number | undefined {
    const start = bucket * BUCKET
    for (let index = start; index < start + BUCKET; index++) {
      const word = Atomics.load(this.#words, index)
      if (word !== 0 && (word >> TAG_SHIFT) << TAG_SHIFT === tag) return index
    }
    return undefined
  }

  #read(index: number, word: number, { tag }: Place): Seen | undefined {
    if (word === 0 || (word >> TAG_SHIFT) << TAG_SHIFT !== tag) return undefined
    const state = ((word >> WORKER_BITS) & 3) === FLYING ? 'flying' : 'has'
    return { worker: word & (TABLE_WORKERS_MAX - 1), state, index, word }
  }

  /** An empty word, else one of an answer that is stored: whoever looks for that asks the origin once more. */
  #free({ bucket, tag }: Place): { readonly index: number; readonly word: number } | undefined {
    const start = bucket * BUCKET
    // Where it begins to look differs from place to place.
    const first = (tag >>> TAG_SHIFT) & (BUCKET - 1)
    for (let n = 0; n < BUCKET; n++) {
      const index = start + n
      const word = Atomics.load(this.#words, index)
      if (word === 0) return { index, word }
    }
    for (let n = 0; n < BUCKET; n++) {
      const index = start + ((first + n) & (BUCKET - 1))
      const word = Atomics.load(this.#words, index)
      if (((word >> WORKER_BITS) & 3) === HAS) return { index, word }
    }
    return undefined
  }
}
