/**
 * Leaves an origin as a whole alone while too much of what it is asked fails (M. Nygard, *Release It!*, "Circuit Breaker").
 *
 *     closed      requests go; once enough of them failed within the window, it opens
 *     open        none goes: each is answered at once; after a time it is half open
 *     half-open   one goes: if it is answered well the breaker closes, else it is open for twice as long
 *
 * An ejection leaves out one endpoint among others. This is for an origin that fails with all it has, or has one endpoint only.
 */
import type { CircuitState } from '../../contract/origin.ts'
import { RecentCount } from './recent-count.ts'

export interface CircuitBreakerOptions {
  /** The share of the requests that has to fail, over 0 to 1. */
  readonly failures: number
  /** With fewer requests in the window it stays closed. */
  readonly requests: number
  readonly window: number
  /** How long it is open the first time; twice as long each time that it did not help, up to `openMax`. */
  readonly open: number
  readonly openMax: number
  /** Answers that count as failures. */
  readonly status: readonly number[]
}

export class CircuitBreaker {
  /** Requests that it did not let go. */
  refused = 0
  private readonly options: CircuitBreakerOptions
  private readonly failing: ReadonlySet<number>
  private readonly onChange: (what: string) => void
  private readonly answered: RecentCount
  private readonly failed: RecentCount
  /** Times in a row that it opened; 0 while it is closed. */
  private openings = 0
  private openedAtMs = 0
  private openUntilMs = 0
  /** The one that goes while it is half open has until then: its client may leave before it tells anything. */
  private trialUntilMs = 0

  constructor(options: CircuitBreakerOptions, onChange: (what: string) => void) {
    this.options = options
    this.failing = new Set(options.status)
    this.onChange = onChange
    this.answered = new RecentCount(options.window)
    this.failed = new RecentCount(options.window)
  }

  state(nowMs: number): CircuitState {
    if (this.openings === 0) return 'closed'
    return nowMs < this.openUntilMs ? 'open' : 'half-open'
  }

  /** True: this request may go. */
  admit(nowMs: number): boolean {
    if (this.openings === 0) return true
    if (this.restMs(nowMs) <= 0) {
      this.trialUntilMs = nowMs + this.options.open
      return true
    }
    this.refused += 1
    return false
  }

  /** How long it lets nobody go, in milliseconds. */
  restMs(nowMs: number): number {
    return Math.max(this.openUntilMs, this.trialUntilMs) - nowMs
  }

  /** A request that went at `sentAtMs` was answered. */
  onAnswer(status: number, sentAtMs: number, nowMs: number): void {
    if (this.failing.has(status)) {
      this.onFailure(`it answered ${status}`, sentAtMs, nowMs)
    } else if (this.openings === 0) {
      this.answered.add(nowMs)
    } else if (sentAtMs > this.openedAtMs) {
      this.openings = 0
      this.answered.clear()
      this.failed.clear()
      this.onChange('closed again: the origin answers')
    }
  }

  /** One that went at `sentAtMs` was not answered, or with a status that counts as a failure. */
  onFailure(reason: string, sentAtMs: number, nowMs: number): void {
    if (this.openings > 0) {
      // What went before it opened tells nothing new.
      if (sentAtMs > this.openedAtMs) this.open(reason, nowMs)
      return
    }
    this.answered.add(nowMs)
    this.failed.add(nowMs)
    const { failures, requests } = this.options
    const isEnough = this.answered.sum >= requests
    if (isEnough && this.failed.sum >= failures * this.answered.sum) this.open(reason, nowMs)
  }

  private open(reason: string, nowMs: number): void {
    const { open, openMax } = this.options
    const forMs = Math.min(openMax, open * 2 ** Math.min(this.openings, 30))
    this.openings += 1
    this.openedAtMs = nowMs
    this.openUntilMs = nowMs + forMs
    this.trialUntilMs = 0
    this.onChange(`open for ${forMs} ms: the last failure was that ${reason}`)
  }
}
