import { within } from '../base/within.ts'

/** One thing at a time, in the order of asking. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs the work when all earlier ones have ended, however they ended. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work)
    this.#last = mine.catch(() => undefined)
    return mine
  }

  /** Resolves when all that were asked for have ended, or after so many milliseconds. */
  async over(withinMs: number): Promise<void> {
    await within(withinMs, this.#last)
  }
}
