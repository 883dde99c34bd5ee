/**
 * What is remembered of keys that had to make room, so that coming back under many names is no way around a limit.
 *
 * Two rows of cells, each key hashed into one of either row with seeds that nobody knows. A cell holds the largest use that was put into it, and
 * when; how much of that is left is the algorithm's own affair, so that cells empty themselves. A key is taken to have used the smaller of its
 * two: never less than it has. A new key is taken for another with probability (1 − e^(−A/w))², A being the keys that were put away
 * within a window and w the cells of a row.
 */
import type { Algorithm } from './algorithms/algorithm.ts'

/** Of one row. Both take 256 KiB, from the first key on that is put away. */
export const CELLS = 8192

export class EvictedUses {
  readonly #algorithm: Algorithm
  /** Use and moment of each cell, one row behind the other. */
  #cells = new Float64Array(0)
  /** Of one key: to ask the algorithm what is left of a use. */
  readonly #scratch: Float64Array
  readonly #seeds = crypto.getRandomValues(new Int32Array(2))

  constructor(algorithm: Algorithm) {
    this.#algorithm = algorithm
    this.#scratch = new Float64Array(algorithm.words)
  }

  put(key: string, used: number, now: number): void {
    if (this.#cells.length === 0) this.#cells = new Float64Array(4 * CELLS)
    for (let row = 0; row < 2; row += 1) {
      const at = this.#cellOf(key, row)
      // What is there is replaced by what is more, and not written anew: it would be rounded up each time.
      if (this.#left(at, now) >= used) continue
      this.#cells[at] = used
      this.#cells[at + 1] = now
    }
  }

  /** Units that the key has used, or a few more; 0 where it was not put away. */
  usedBy(key: string, now: number): number {
    if (this.#cells.length === 0) return 0
    const used = this.#left(this.#cellOf(key, 0), now)
    return used === 0 ? 0 : Math.min(used, this.#left(this.#cellOf(key, 1), now))
  }

  #left(at: number, now: number): number {
    const used = this.#cells[at]!
    if (used === 0) return 0
    this.#algorithm.load(this.#scratch, 0, used, this.#cells[at + 1]!)
    return this.#algorithm.used(this.#scratch, 0, now)
  }

  #cellOf(key: string, row: number): number {
    return 2 * (row * CELLS + (hash(key, this.#seeds[row]!) & (CELLS - 1)))
  }
}

/** 32 bits: multiply and fold over the key's code units, and the end of MurmurHash3. */
function hash(key: string, seed: number): number {
  let bits = seed
  for (let index = 0; index < key.length; index += 1) {
    bits = Math.imul(bits ^ key.charCodeAt(index), 0x5bd1e995)
    bits ^= bits >>> 15
  }
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}
