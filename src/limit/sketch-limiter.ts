/**
 * Window limiters that stand on a sketch instead of a table: the counters of a key are what the sketch estimates, and the algorithm is the same.
 *
 * Memory is constant, however many keys there are. The price: a key's estimate may be too high (never too low), where other keys have raised each
 * of its cells; how likely that is, `sketch-error.ts` says. All levels of an address are decided under one lock, that of its shortest prefix, which
 * they have in common: so that what is counted is what was decided on, and what is refused at any level is counted at none. The lock covers a block of
 * each row, in which all cells of these keys lie: so cells are plain stores.
 */
import type { Algorithm } from './algorithms/algorithm.ts'
import { productOver } from './algorithms/product.ts'
import type { Decision } from './limiter.ts'
import { acquire, beginWrite, release } from './shared-lock.ts'
import type { SketchGenerations, SketchShape } from './sketch-generations.ts'

/** Blocks at most: so many workers can decide at one moment. */
const BLOCKS_MAX = 16
/** Cells of a row in a block at least: where there are few, keys spread over them unevenly. */
const BLOCK_CELLS = 1024
const LINE_WORDS = 16

/** Into how many blocks rows are cut, each with a lock of its own. */
export const blocksOf = ({ width }: SketchShape): number =>
  Math.min(BLOCKS_MAX, Math.max(1, width / BLOCK_CELLS))

/** Words of the locks, each in a line of its own. */
export const lockWords = BLOCKS_MAX * LINE_WORDS

export class SketchLimiter {
  readonly #words: Int32Array
  readonly #at: number
  readonly #owner: number
  readonly #algorithms: readonly Algorithm[]
  readonly #sketches: readonly SketchGenerations[]
  readonly #isSliding: boolean
  readonly #blocks: number
  /** The level that decided. */
  deciding = 0
  // The counters of each level, as they were read last.
  readonly #current: Int32Array
  readonly #previous: Int32Array
  readonly #state = new Float64Array(3)

  /** `sketches` are by level, as `algorithms` are: levels with windows of one length share one. */
  constructor(
    words: Int32Array,
    at: number,
    {
      owner,
      algorithms,
      sketches,
      blocks,
    }: {
      owner: number
      algorithms: readonly Algorithm[]
      sketches: readonly SketchGenerations[]
      blocks: number
    },
  ) {
    this.#words = words
    this.#at = at
    this.#owner = owner
    this.#algorithms = algorithms
    this.#blocks = blocks
    this.#sketches = sketches
    this.#isSliding = algorithms[0]!.name === 'sliding-window'
    this.#current = new Int32Array(algorithms.length)
    this.#previous = new Int32Array(algorithms.length)
  }

  /**
   * Decides for keys by their hashes (two words a level), of the levels `from` to `end`, the coarsest first. Returns the decision of the level that
   * refuses, or of the one with the least left; `deciding` says which that is.
   */
  take(hashes: Int32Array, from: number, end: number, cost: number, now: number): Decision {
    const block = hashes[from << 1]! & (this.#blocks - 1)
    const lock = this.#at + block * LINE_WORDS
    const words = this.#words
    for (;;) {
      const held = acquire(words, lock, this.#owner)
      this.#choose(hashes, from, end, block, cost, now)
      const decision = this.#decide(this.deciding, cost, now)
      if (!decision.allowed || cost === 0) {
        release(words, lock, held)
        return decision
      }
      const writing = beginWrite(words, lock, held, 0)
      if (writing === 0) continue
      for (let level = from; level < end; level++)
        this.#sketches[level]!.write(level, this.#current[level]! + cost)
      if (release(words, lock, writing)) return decision
      // This process stood still while it wrote, for so long that others have counted in these cells since: the keys have used up what they had.
      for (let level = from; level < end; level++)
        this.#sketches[level]!.raise(level, this.#algorithms[level]!.costMax)
    }
  }

  /** Reads the counters from the coarsest level on, until one has too little left. */
  #choose(hashes: Int32Array, from: number, end: number, block: number, cost: number, now: number): void {
    // Levels that follow each other and share a sketch are read at once.
    for (let level = from; level < end;) {
      const sketch = this.#sketches[level]!
      let next = level + 1
      while (next < end && this.#sketches[next] === sketch) next += 1
      sketch.moveTo(now)
      sketch.read(hashes, level, next, block)
      level = next
    }
    let least = Infinity
    for (let level = from; level < end; level++) {
      const sketch = this.#sketches[level]!
      const count = this.#algorithms[level]!.costMax
      const current = sketch.current(level)
      let room = count - current
      let previous = 0
      if (this.#isSliding) {
        previous = Math.min(sketch.previous(level, count), count)
        // Where there is enough although the window before counts in full, its share does not matter.
        if (room - previous >= cost) room -= previous
        else if (previous > 0) {
          const elapsed = Math.max(0, now - sketch.start)
          // As `sliding-window.ts` has it.
          const share = previous - productOver(previous, elapsed, sketch.lengthMs)
          room = Math.min(room, count + 1 - share - current)
        }
      }
      this.#current[level] = current
      this.#previous[level] = previous
      if (room >= least) continue
      least = room
      this.deciding = level
      if (room < cost) return
    }
  }

  /** The decision of a level: by the algorithm itself, with the counters that were read. */
  #decide(level: number, cost: number, now: number): Decision {
    const state = this.#state
    // Both window algorithms keep the start of their window plus one, the counter of it, and the sliding one that of the window before.
    state[0] = this.#sketches[level]!.start + 1
    state[1] = this.#current[level]!
    state[2] = this.#previous[level]!
    return this.#algorithms[level]!.take(state, 0, cost, now)
  }
}
