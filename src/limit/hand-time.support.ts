/** Time that a test moves by hand, with the timers that run in it. */
import type { Timers } from '../base/timers.ts'

export class HandTime implements Timers {
  /** What the clock says. Timers do not see it where it is set instead of moved. */
  nowMs: number
  #passedMs = 0
  readonly #due: { readonly atMs: number; readonly work: () => void }[] = []

  constructor(nowMs = 0) {
    this.nowMs = nowMs
  }

  readonly clock = (): number => this.nowMs

  get timers(): number {
    return this.#due.length
  }

  later(ms: number, work: () => void): () => void {
    const due = { atMs: this.#passedMs + ms, work }
    this.#due.push(due)
    return () => this.#forget(due)
  }

  /** Lets so much time pass, and does what is due on the way. */
  pass(ms: number): void {
    const until = this.#passedMs + ms
    for (;;) {
      const next = this.#due.toSorted((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined || next.atMs > until) break
      this.#moveTo(next.atMs)
      this.#forget(next)
      next.work()
    }
    this.#moveTo(until)
  }

  #moveTo(passedMs: number): void {
    this.nowMs += passedMs - this.#passedMs
    this.#passedMs = passedMs
  }

  #forget(due: { readonly atMs: number }): void {
    const index = this.#due.findIndex((one) => one === due)
    if (index >= 0) this.#due.splice(index, 1)
  }
}
