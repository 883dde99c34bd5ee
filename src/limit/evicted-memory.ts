/**
 * What is remembered of keys that had to leave a table: a sketch whose cells are states.
 *
 * Each key has one cell in each row, by seeds that nobody outside knows. A cell is as strict as all the states that were put into it, and goes on as
 * any state does: time frees it as it would have freed them, so nothing has to be cleared. A key that comes back takes over the least strict of its
 * cells, and so has never more left than it had when it went. A key that is new is taken for another only where all of its cells are in use: with
 * the probability that `sketch-error.ts` gives, of keys that were put away and are not free again. Prefixes of each length have cells of their own.
 *
 * Cells lie in memory that several processes share, under locks that many cells have in common. A process that dies while it writes one leaves
 * a state which algorithms read to the stricter side, as far as it can be told from one that is whole.
 */
import type { Algorithm } from './algorithms/algorithm.ts'
import { KeyedHash, mixed } from './keyed-hash.ts'
import { acquire, beginWrite, release } from './shared-lock.ts'

export interface MemoryShape {
  /** Cells of a row, for each level. */
  readonly width: number
  readonly depth: number
  readonly levels: number
  /** Float64 words of a state. */
  readonly stateWords: number
}

export interface MemoryMeans {
  readonly owner: number
  /** By level. */
  readonly algorithms: readonly Algorithm[]
  /** What seeds are drawn from. */
  readonly secret: readonly [number, number]
}

/** Locks, each in a line of its own. */
const LOCKS = 64
const LINE_WORDS = 16

export const memoryLockWords = LOCKS * LINE_WORDS

export const memoryWords = ({ width, depth, levels, stateWords }: MemoryShape): number =>
  memoryLockWords + Math.ceil((width * depth * levels * stateWords * 2) / LINE_WORDS) * LINE_WORDS

export class EvictedMemory {
  readonly #words: Int32Array
  readonly #floats: Float64Array
  readonly #at: number
  /** In float64 words. */
  readonly #firstCell: number
  readonly #shape: MemoryShape
  readonly #owner: number
  readonly #algorithms: readonly Algorithm[]
  readonly #seeds: Int32Array
  /** Cells of the key that is asked for, as numbers. */
  readonly #cells: Int32Array
  readonly #scratch: Float64Array

  constructor(words: Int32Array, at: number, shape: MemoryShape, { owner, algorithms, secret }: MemoryMeans) {
    this.#words = words
    this.#floats = new Float64Array(words.buffer, words.byteOffset, words.length >> 1)
    this.#at = at
    this.#firstCell = (at + memoryLockWords) >> 1
    this.#shape = shape
    this.#owner = owner
    this.#algorithms = algorithms
    this.#seeds = seedsOf(secret, shape.depth)
    this.#cells = new Int32Array(shape.depth)
    this.#scratch = new Float64Array(shape.stateWords)
  }

  /** A key of this level leaves, and this is its state. */
  put(level: number, high: number, low: number, state: Float64Array, at: number, now: number): void {
    this.#find(level, high, low)
    const algorithm = this.#algorithms[level]!
    for (const cell of this.#cells) {
      const from = this.#read(cell, algorithm.words)
      algorithm.merge(this.#scratch, 0, state, at, now)
      const writing = beginWrite(this.#words, this.#lockOf(cell), from, 0)
      if (writing === 0) return this.put(level, high, low, state, at, now)
      const place = this.#placeOf(cell)
      for (let i = 0; i < algorithm.words; i++) this.#floats[place + i] = this.#scratch[i]!
      release(this.#words, this.#lockOf(cell), writing)
    }
  }

  /** Writes the state that a key begins with. False: nothing is known of it, and it is all zero. */
  restore(level: number, high: number, low: number, state: Float64Array, now: number): boolean {
    state.fill(0)
    this.#find(level, high, low)
    const algorithm = this.#algorithms[level]!
    // Most keys are new to it, and their cells say so without a lock: one of them that is free is enough.
    for (const cell of this.#cells) if (algorithm.isIdle(this.#floats, this.#placeOf(cell), now)) return false
    let most = -1
    for (const cell of this.#cells) {
      release(this.#words, this.#lockOf(cell), this.#read(cell, algorithm.words))
      const { remaining } = algorithm.take(this.#scratch, 0, 0, now)
      if (remaining <= most) continue
      most = remaining
      for (let i = 0; i < algorithm.words; i++) state[i] = this.#scratch[i]!
    }
    return true
  }

  #find(level: number, high: number, low: number): void {
    const { width, depth } = this.#shape
    const seeds = this.#seeds
    for (let row = 0; row < depth; row++) {
      const bits = mixed(Math.imul(low, seeds[2 * row]!) + (high ^ seeds[2 * row + 1]!))
      this.#cells[row] = (level * depth + row) * width + Math.floor(((bits >>> 0) / 2 ** 32) * width)
    }
  }

  /** Copies a cell, as it is while nobody writes it. Returns the lock, which is held. */
  #read(cell: number, length: number): number {
    const held = acquire(this.#words, this.#lockOf(cell), this.#owner)
    const place = this.#placeOf(cell)
    for (let i = 0; i < length; i++) this.#scratch[i] = this.#floats[place + i]!
    return held
  }

  #placeOf(cell: number): number {
    return this.#firstCell + cell * this.#shape.stateWords
  }

  #lockOf(cell: number): number {
    return this.#at + (cell & (LOCKS - 1)) * LINE_WORDS
  }
}

/** Two a row. */
function seedsOf(secret: readonly [number, number], depth: number): Int32Array {
  const random = new KeyedHash(secret[0], secret[1])
  const seeds = new Int32Array(2 * depth)
  for (let row = 0; row < depth; row++) {
    random.ofText('evicted', row)
    seeds[2 * row] = random.high | 1
    seeds[2 * row + 1] = random.low
  }
  return seeds
}
