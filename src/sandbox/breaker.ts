/**
 * A breaker: stops a unit from being run while it fails, and lets one run through now and then to see whether it still does.
 *
 * Closed, everything passes. It opens after failures in a row, or when most of the runs of a while failed; the wait
 * doubles with every probe that fails. Pure: the time is handed in, in monotonic milliseconds.
 */
import type { FailureReason } from '../contract/unit.ts'

export type BreakerState = 'closed' | 'open' | 'half-open'

const FAILURES_IN_A_ROW = 5
const WINDOW_MS = 10_000
const WINDOW_RUNS_MIN = 20
const WINDOW_FAILED_SHARE = 0.5
const OPEN_MS = 5000
const OPEN_MS_MAX = 60_000
/** A probe may end without a verdict, when a unit before it answers: after so long the next may try. */
const PROBE_MS = 2000

export class Breaker {
  readonly #random: () => number
  #state: BreakerState = 'closed'
  #reason: FailureReason = 'throw'
  #inARow = 0
  #runs = 0
  #failures = 0
  #windowAt = -Infinity
  #openMs = OPEN_MS
  #probeFrom = 0
  #probeAt = -Infinity

  /** `random` (0 to 1) spreads the waits of many breakers, so that they do not all probe at once. */
  constructor(random: () => number) {
    this.#random = random
  }

  get state(): BreakerState {
    return this.#state
  }

  /** What opened it last. */
  get reason(): FailureReason {
    return this.#reason
  }

  /** Whether a run may start now. */
  admits(now: number): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'open') {
      if (now < this.#probeFrom) return false
      this.#state = 'half-open'
      this.#probeAt = -Infinity
    }
    if (now - this.#probeAt < PROBE_MS) return false
    this.#probeAt = now
    return true
  }

  succeeded(): void {
    this.#runs++
    this.#inARow = 0
    if (this.#state !== 'half-open') return
    this.#state = 'closed'
    this.#openMs = OPEN_MS
    this.#runs = 0
    this.#failures = 0
  }

  failed(reason: FailureReason, now: number): void {
    if (this.#state === 'open') return
    if (this.#state === 'half-open') {
      this.#openMs = Math.min(this.#openMs * 2, OPEN_MS_MAX)
      this.#open(reason, now)
      return
    }
    if (now - this.#windowAt > WINDOW_MS) {
      this.#windowAt = now
      this.#runs = 0
      this.#failures = 0
    }
    this.#runs++
    this.#failures++
    this.#inARow++
    const isMost = this.#runs >= WINDOW_RUNS_MIN && this.#failures > this.#runs * WINDOW_FAILED_SHARE
    if (isMost || this.#inARow >= FAILURES_IN_A_ROW) this.#open(reason, now)
  }

  #open(reason: FailureReason, now: number): void {
    this.#state = 'open'
    this.#reason = reason
    this.#probeFrom = now + this.#openMs * (0.9 + 0.2 * this.#random())
    this.#inARow = 0
    this.#windowAt = -Infinity
  }
}
