/**
 * The time, read once a turn of the event loop.
 *
 * Under load dozens of requests arrive in one turn, and what is noted of each is when its turn began to take them: to read
 * the clock for every one costs as much as a small parse.
 */

/** Milliseconds on the clock of `performance.now()`; late by what has happened in this turn so far. */
export class TurnClock {
  #at = -1

  now(): number {
    if (this.#at < 0) {
      this.#at = performance.now()
      setImmediate(this.#forget)
    }
    return this.#at
  }

  readonly #forget = (): void => {
    this.#at = -1
  }
}
