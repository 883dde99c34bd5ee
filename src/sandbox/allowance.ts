/** How often a unit may do something: a burst, then a steady rate. */
export class Allowance {
  readonly #burst: number
  readonly #perSecond: number
  #left: number
  #at = 0

  constructor(burst: number, perSecond: number) {
    this.#burst = this.#left = burst
    this.#perSecond = perSecond
  }

  /** Takes one; false where there is none left. `now` in monotonic milliseconds. */
  admits(now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.#perSecond)
    this.#at = now
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
