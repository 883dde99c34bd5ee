/** How many log lines a unit may write: a burst, then a steady rate. The rest is counted. */
const BURST = 200
const PER_SECOND = 100

export class LineLimiter {
  #tokens = BURST
  #at = 0

  /** `now` in monotonic milliseconds. */
  admits(now: number): boolean {
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#at) / 1000) * PER_SECOND)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
