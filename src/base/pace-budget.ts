/** So many at once, and after these one more in so many milliseconds. */
export interface Pace {
  /** At once, 1 or more. */
  readonly most: number
  readonly everyMs: number
}

/** What somebody may still do at a pace. Times are milliseconds of one monotonic clock. */
export class PaceBudget {
  #left: number
  #at: number

  /** Full. */
  constructor(nowMs: number, { most }: Pace) {
    this.#left = most
    this.#at = nowMs
  }

  /** Uses up one, where there is one: true. */
  take(nowMs: number, pace: Pace): boolean {
    this.#refill(nowMs, pace)
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }

  /** Until there is one; 0: now. */
  waitMs(nowMs: number, pace: Pace): number {
    this.#refill(nowMs, pace)
    return this.#left >= 1 ? 0 : Math.ceil((1 - this.#left) * pace.everyMs)
  }

  /** Nothing of it is used: no other than a new one. */
  isFull(nowMs: number, pace: Pace): boolean {
    this.#refill(nowMs, pace)
    return this.#left >= pace.most
  }

  #refill(nowMs: number, { most, everyMs }: Pace): void {
    this.#left = Math.min(most, this.#left + (nowMs - this.#at) / everyMs)
    this.#at = nowMs
  }
}
