/**
 * How often keys were seen lately, in about eight bytes a key: four rows of counters to 15, of which each key has one
 * in each row; the least of the four is nearest to the truth. After ten times as many sights as there are keys all are
 * halved, so that what was wanted once does not stay wanted for ever.
 *
 * Cormode and Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch", 2005; with ageing: Einziger,
 * Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017.
 */
import { mix } from './key-hash.ts'

const FIRST_WORDS = 64
const WORDS_MAX = 2 ** 25
/** Sights for each key before all counters are halved. */
const SAMPLE_FACTOR = 10

const ROW_SEEDS = [0x9e3779b9 | 0, 0x3c6ef372, 0xdaa66d2b | 0, 0x78dde6e4] as const

export class FrequencySketch {
  /** Eight counters of four bits a word; two words for each key. */
  #words = new Int32Array(FIRST_WORDS)
  #sights = 0
  #sightsMax = (FIRST_WORDS / 2) * SAMPLE_FACTOR
  #keys = FIRST_WORDS / 2

  /** It should be good for so many keys. What it knows stays. */
  fit(keys: number): void {
    if (keys <= this.#keys) return
    this.#keys = keys
    this.#sightsMax = keys * SAMPLE_FACTOR
    while (this.#words.length < keys * 2 && this.#words.length < WORDS_MAX) {
      // A key's place in a table twice as large is its old one, or that and the old length: both get the counter.
      const words = new Int32Array(this.#words.length * 2)
      words.set(this.#words)
      words.set(this.#words, this.#words.length)
      this.#words = words
    }
  }

  /** A key with this hash was seen. */
  add(hash: number): void {
    const words = this.#words
    const mask = words.length - 1
    let isCounted = false
    for (const seed of ROW_SEEDS) {
      const bits = mix(hash ^ seed)
      const place = bits & mask
      const shift = (bits >>> 29) << 2
      const word = words[place] as number
      if (((word >>> shift) & 15) === 15) continue
      words[place] = word + (1 << shift)
      isCounted = true
    }
    if (isCounted && ++this.#sights >= this.#sightsMax) this.#age()
  }

  /** How often, at most 15. May be too much, never too little but for the halving. */
  estimate(hash: number): number {
    const words = this.#words
    const mask = words.length - 1
    let least = 15
    for (const seed of ROW_SEEDS) {
      const bits = mix(hash ^ seed)
      least = Math.min(least, ((words[bits & mask] as number) >>> ((bits >>> 29) << 2)) & 15)
    }
    return least
  }

  #age(): void {
    const words = this.#words
    for (let i = 0; i < words.length; i++) words[i] = ((words[i] as number) >>> 1) & 0x77777777
    this.#sights >>>= 1
  }
}
