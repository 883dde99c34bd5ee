/**
 * How many requests may be tried again: a share of those of the last ten seconds, so that an origin in trouble is not asked
 * twice as much by everyone at the moment when it can bear it least.
 *
 * A few are allowed whatever the share, or an origin with little traffic would never see a retry.
 */
import { RecentCount } from './recent-count.ts'

const WINDOW_MS = 10_000
/** In a window, whatever the share. */
const RESERVE = 3

export class RetryBudget {
  private readonly share: number
  private readonly requests = new RecentCount(WINDOW_MS)
  private readonly retries = new RecentCount(WINDOW_MS)

  constructor(share: number) {
    this.share = share
  }

  onRequest(nowMs: number): void {
    this.requests.add(nowMs)
  }

  /** Takes one retry out of the budget; false where it is used up. */
  take(nowMs: number): boolean {
    this.requests.turn(nowMs)
    this.retries.turn(nowMs)
    if (this.share === 0 || this.retries.sum >= RESERVE + this.share * this.requests.sum) return false
    this.retries.add(nowMs)
    return true
  }
}
