/** When a tier at rest is tried again: at growing distances, and soon where it had long been well. */

const FIRST_MS = 1_000
const MAX_MS = 60_000
/** A tier that was open for so long is tried again soon, the next time. */
const CALM_MS = 60_000

export class TierRetry {
  readonly #attempt: () => void
  #timer: NodeJS.Timeout | undefined
  #nextMs = FIRST_MS
  #openedMs = 0

  constructor(attempt: () => void) {
    this.#attempt = attempt
  }

  opened(): void {
    this.#openedMs = performance.now()
  }

  later(): void {
    clearTimeout(this.#timer)
    if (this.#openedMs > 0 && performance.now() - this.#openedMs > CALM_MS) this.#nextMs = FIRST_MS
    this.#openedMs = 0
    this.#timer = setTimeout(this.#attempt, this.#nextMs)
    this.#nextMs = Math.min(MAX_MS, this.#nextMs * 2)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
