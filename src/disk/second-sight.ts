/**
 * Admission by second sight: what is asked for once is most often never asked for again, and not worth a write.
 *
 * Two Bloom filters of one size: keys go into the young one, and are looked for in both; when the young one has taken as many as it is
 * made for, it becomes the old one. So what was seen among the last `keys` to 2 × `keys` keys is known, with at most 1 % of mistakes.
 */
import { crc32 } from 'node:zlib'

/** For one mistake in a hundred: bits a key, and how many of them are set for it. */
const BITS_A_KEY = 10
const HASHES = 7

export class SecondSight {
  readonly #keys: number
  readonly #bits: number
  #young: Uint32Array
  #old: Uint32Array
  #count = 0

  /** How many keys are to be remembered, about. */
  constructor(keys: number) {
    this.#keys = Math.max(1024, Math.floor(keys))
    this.#bits = 2 ** Math.ceil(Math.log2(this.#keys * BITS_A_KEY))
    this.#young = new Uint32Array(this.#bits / 32)
    this.#old = new Uint32Array(this.#bits / 32)
  }

  /** Whether it was seen before; from now on it was. */
  admits(key: string): boolean {
    const first = crc32(key)
    // Odd, so that every bit can be reached by its steps.
    const step = Math.imul(first ^ (first >>> 15), 0x2c1b3c6d) | 1
    const isKnown = this.#has(this.#young, first, step) || this.#has(this.#old, first, step)
    if (!this.#has(this.#young, first, step)) this.#add(first, step)
    return isKnown
  }

  #has(filter: Uint32Array, first: number, step: number): boolean {
    for (let i = 0; i < HASHES; i++) {
      const bit = ((first + Math.imul(i, step)) >>> 0) & (this.#bits - 1)
      if ((filter[bit >>> 5]! & (1 << (bit & 31))) === 0) return false
    }
    return true
  }

  #add(first: number, step: number): void {
    for (let i = 0; i < HASHES; i++) {
      const bit = ((first + Math.imul(i, step)) >>> 0) & (this.#bits - 1)
      this.#young[bit >>> 5]! |= 1 << (bit & 31)
    }
    if (++this.#count < this.#keys) return
    this.#count = 0
    this.#old.fill(0)
    ;[this.#young, this.#old] = [this.#old, this.#young]
  }
}
