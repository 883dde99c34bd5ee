/**
 * Window limiters that stand on a sketch instead of a table: the counters of a key are what the sketch estimates, and the algorithm is the same.
 *
 * Memory is constant, however many keys there are. The price: a key's estimate may be too high (never too low), where other keys have raised each
 * of its cells; how likely that is, `sketch-error.ts` says. All levels of an address are decided under one lock, that of its shortest prefix, which
 * they have in common: so that what is counted is what was decided on, and what is refused at any level is counted at none.
 */
import type { Algorithm } from './algorithms/algorithm.ts'
import type { Decision } from './limiter.ts'
import { acquire, beginWrite, release } from './shared-lock.ts'
import type { SketchGenerations } from './sketch-generations.ts'

/** Locks, each in a line of its own. */
const LOCKS = 256
const LINE_WORDS = 16

export const lockWords = LOCKS * LINE_WORDS

export class SketchLimiter {
  readonly #words: Int32Array
  readonly #at: number
  readonly #owner: number
  readonly #algorithms: readonly Algorithm[]
  readonly #sketches: readonly SketchGenerations[]
  readonly #floor: Float64Array = new Float64Array(3)
  readonly #values: Float64Array

  /** `sketches` are by level, as `algorithms` are: levels with windows of one length share one. */
  constructor(
    words: Int32Array,
    at: number,
    {
      owner,
      algorithms,
      sketches,
    }: { owner: number; algorithms: readonly Algorithm[]; sketches: readonly SketchGenerations[] },
  ) {
    this.#words = words
    this.#at = at
    this.#owner = owner
    this.#algorithms = algorithms
    this.#sketches = sketches
    this.#values = new Float64Array(algorithms.length)
  }

  /**
   * Decides for keys by their hashes (`high`, `low`), of the levels `from` to `end`, the coarsest first. Returns the decision of the level that refuses, or of
   * the one with the least left; `deciding` says which it is.
   */
  take(hashes: Int32Array, from: number, end: number, cost: number, now: number): Decision {
    const lock = this.#at + (hashes[from << 1]! & (LOCKS - 1)) * LINE_WORDS
    const words = this.#words
    for (let level = from; level < end; level++) this.#sketches[level]!.moveTo(now)
    for (;;) {
      const held = acquire(words, lock, this.#owner)
      const decision = this.#decide(hashes, from, end, cost, now)
      if (!decision.allowed || cost === 0) {
        release(words, lock, held)
        return decision
      }
      const writing = beginWrite(words, lock, held, 0)
      if (writing === 0) continue
      for (let level = from; level < end; level++) this.#sketches[level]!.raise(level, this.#values[level]!)
      if (release(words, lock, writing)) return decision
    }
  }

  /** The level that decided. */
  deciding = 0

  #decide(hashes: Int32Array, from: number, end: number, cost: number, now: number): Decision {
    const state = this.#floor
    let least: Decision | undefined
    for (let level = from; level < end; level++) {
      const sketch = this.#sketches[level]!
      const algorithm = this.#algorithms[level]!
      const high = hashes[level << 1]!
      const low = hashes[(level << 1) + 1]!
      // Both window algorithms keep the start of their window plus one, the counter of it, and the sliding one that of the window before.
      state[1] = sketch.current(high, low, level)
      state[2] = sketch.previous(high, low, algorithm.costMax)
      state[0] = sketch.start + 1
      const decision = algorithm.take(state, 0, cost, now)
      if (!decision.allowed) {
        this.deciding = level
        return decision
      }
      this.#values[level] = state[1]
      if (least === undefined || decision.remaining < least.remaining) {
        least = decision
        this.deciding = level
      }
    }
    return least!
  }
}
