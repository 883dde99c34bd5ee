/**
 * Time that passes only when nothing is left to be done in it: the same work in the same order, whatever the machine does meanwhile.
 *
 * Each piece of work runs to where all that it began waits for something that comes later; then the next one is due.
 */
import { setImmediate as settled } from 'node:timers/promises'
import type { Clock } from '../../src/base/clock.ts'
import type { Timers } from '../../src/base/timers.ts'

interface Due {
  readonly atMs: number
  /** Of what is due at one moment, what was asked for first comes first. */
  readonly order: number
  work: (() => void) | undefined
}

/** When it begins, in milliseconds since 1970. */
const BEGIN = Date.UTC(2026, 0, 1)

export class VirtualTime implements Clock, Timers {
  /** Ordered, the next one last. */
  readonly #due: Due[] = []
  #nowMs = 0
  #asked = 0

  now(): number {
    return BEGIN + this.#nowMs
  }

  monotonic(): number {
    return this.#nowMs
  }

  later(ms: number, work: () => void): () => void {
    const due: Due = { atMs: this.#nowMs + Math.max(0, ms), order: this.#asked++, work }
    let [low, high] = [0, this.#due.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#due[middle]!.atMs > due.atMs) low = middle + 1
      else high = middle
    }
    this.#due.splice(low, 0, due)
    return () => (due.work = undefined)
  }

  /** Runs what is due until then. */
  async run(untilMs: number): Promise<void> {
    // What was begun before the first piece of work.
    await settled()
    for (let due = this.#due.at(-1); due && due.atMs <= untilMs; due = this.#due.at(-1)) {
      this.#due.pop()
      this.#nowMs = due.atMs
      if (!due.work) continue
      due.work()
      await settled()
    }
    this.#nowMs = untilMs
  }
}
