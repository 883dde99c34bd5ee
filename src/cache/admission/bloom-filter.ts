/**
 * A set of hashes that may say yes to one that is not in it, one time in a hundred when it is full, and never no to one
 * that is: ten bits and seven probes for each. Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors",
 * 1970; two hashes make all seven: Kirsch and Mitzenmacher, 2006.
 */
import { mix } from '../key-hash.ts'

const BITS_PER_KEY = 10
const PROBES = 7

export class BloomFilter {
  /** Keys that were added and not yet in it, as far as it can tell. */
  size = 0
  readonly #words: Int32Array
  readonly #bits: number

  /** For so many keys. */
  constructor(keys: number) {
    this.#words = new Int32Array(Math.ceil((Math.max(1, keys) * BITS_PER_KEY) / 32))
    this.#bits = this.#words.length * 32
  }

  has(hash: number): boolean {
    const step = mix(hash ^ 0x5bd1e995) | 1
    for (let i = 0, at = hash; i < PROBES; i++, at = (at + step) | 0) {
      const bit = (at >>> 0) % this.#bits
      if ((((this.#words[bit >>> 5] as number) >>> (bit & 31)) & 1) === 0) return false
    }
    return true
  }

  /** True where it was not in it before. */
  add(hash: number): boolean {
    const step = mix(hash ^ 0x5bd1e995) | 1
    let isNew = false
    for (let i = 0, at = hash; i < PROBES; i++, at = (at + step) | 0) {
      const bit = (at >>> 0) % this.#bits
      const word = this.#words[bit >>> 5] as number
      if (((word >>> (bit & 31)) & 1) !== 0) continue
      this.#words[bit >>> 5] = word | (1 << (bit & 31))
      isNew = true
    }
    if (isNew) this.size++
    return isNew
  }

  clear(): void {
    this.#words.fill(0)
    this.size = 0
  }
}
