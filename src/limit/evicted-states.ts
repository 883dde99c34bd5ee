/**
 * What is remembered of keys that had to make room, so that coming back under many names is no way around a limit.
 *
 * Two rows of cells, each key hashed into one of either row with seeds that nobody knows. A cell is a state as strict as those of all keys that were
 * put into it, and goes on as any state does: it is free again when they would be. A key that comes back takes over one of its two, and so has
 * never used less than it had. A new key is taken for others with probability (1 − e^(−A/w))², A being the keys that were put away and are not
 * free again, and w the cells of a row.
 */
import type { Algorithm } from './algorithms/algorithm.ts'
import { KeyedHash, mixed } from './keyed-hash.ts'

/** Cells of one row: of most algorithms both take 256 or 384 KiB. */
const WIDTH_MAX = 8192
/** Words of all cells, 8 MiB: a long sliding log has fewer of them. */
const WORDS_MAX = 2 ** 20

export class EvictedStates {
  readonly #algorithm: Algorithm
  readonly #width: number
  /** One row behind the other; none before the first key is put away. */
  #cells = new Float64Array(0)
  readonly #seeds = crypto.getRandomValues(new Int32Array(4))
  readonly #hash: KeyedHash

  constructor(algorithm: Algorithm) {
    const [first = 0, second = 0] = crypto.getRandomValues(new Int32Array(2))
    this.#hash = new KeyedHash(first, second)
    this.#algorithm = algorithm
    this.#width = Math.max(1, Math.min(WIDTH_MAX, Math.floor(WORDS_MAX / 2 / algorithm.words)))
  }

  put(key: string, state: Float64Array, at: number, now: number): void {
    if (this.#cells.length === 0) this.#cells = new Float64Array(2 * this.#width * this.#algorithm.words)
    this.#hash.ofText(key, 0)
    for (let row = 0; row < 2; row += 1) this.#algorithm.merge(this.#cells, this.#cellOf(row), state, at, now)
  }

  /** Writes the state that a key is remembered by, where it is: the less strict of its two cells. */
  restore(key: string, state: Float64Array, at: number, now: number): void {
    if (this.#cells.length === 0) return
    this.#hash.ofText(key, 0)
    const cells = [this.#cellOf(0), this.#cellOf(1)]
    if (cells.some((cell) => this.#algorithm.isIdle(this.#cells, cell, now))) return
    const [left = 0, otherLeft = 0] = cells.map(
      (cell) => this.#algorithm.take(this.#cells, cell, 0, now).remaining,
    )
    const from = cells[left >= otherLeft ? 0 : 1]!
    for (let word = 0; word < this.#algorithm.words; word += 1) state[at + word] = this.#cells[from + word]!
  }

  #cellOf(row: number): number {
    const { high, low } = this.#hash
    const bits = mixed(Math.imul(low, this.#seeds[2 * row]! | 1) + (high ^ this.#seeds[2 * row + 1]!))
    const cell = Math.floor(((bits >>> 0) / 2 ** 32) * this.#width)
    return (row * this.#width + cell) * this.#algorithm.words
  }
}
