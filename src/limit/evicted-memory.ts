/**
 * What evicted keys had used up, in a sketch: each cell is the most that one of its keys had, so what is remembered of a key is never less than
 * it used, and more only where each of its cells is shared with a key that had used more.
 *
 * A generation is as long as a key needs at most to be as if it was never seen. What lies in the one before was folded before the current one
 * began, so the time since then counts for the key; of what lies in the current one it is not known when it came, and it counts as used now.
 */
import type { Algorithm } from './algorithms/algorithm.ts'
import type { SketchGenerations } from './sketch-generations.ts'

const READ = 0
const FOLD = 1

export class EvictedMemory {
  readonly #sketch: SketchGenerations
  /** Units that a cell counts in: 1 where the largest limit fits a cell. */
  readonly #unit: number

  constructor(sketch: SketchGenerations, usedMax: number) {
    this.#sketch = sketch
    this.#unit = Math.ceil(usedMax / sketch.cellMax)
  }

  fold(high: number, low: number, used: number, now: number): void {
    this.#sketch.moveTo(now)
    this.#sketch.current(high, low, FOLD)
    this.#sketch.raise(FOLD, Math.ceil(used / this.#unit))
  }

  /** Writes the state that a key begins with. False: nothing is known of it. */
  recall(high: number, low: number, algorithm: Algorithm, state: Float64Array, now: number): boolean {
    const sketch = this.#sketch
    sketch.moveTo(now)
    state.fill(0)
    let used = sketch.current(high, low, READ) * this.#unit
    const usedBefore = sketch.previous(high, low, algorithm.costMax) * this.#unit
    if (usedBefore > used) {
      algorithm.load(state, 0, usedBefore, sketch.start)
      used = Math.max(used, algorithm.used(state, 0, now))
      state.fill(0)
    }
    if (used === 0) return false
    algorithm.load(state, 0, Math.min(used, algorithm.costMax), now)
    return true
  }
}

/** Milliseconds after which a key that has used up everything is as one that was never seen. */
export function forgottenAfterMs(algorithm: Algorithm): number {
  const state = new Float64Array(algorithm.words)
  const now = 1
  const isIdleAfter = (ms: number) => {
    state.fill(0)
    algorithm.load(state, 0, algorithm.costMax, now)
    return algorithm.isIdle(state, 0, now + ms)
  }
  let enough = 1
  while (enough < FORGOTTEN_MAX_MS && !isIdleAfter(enough)) enough *= 2
  let short = 0
  while (enough - short > 1) {
    const middle = Math.floor((short + enough) / 2)
    if (isIdleAfter(middle)) enough = middle
    else short = middle
  }
  return enough
}

/** Two thousand years. */
const FORGOTTEN_MAX_MS = 2 ** 46
