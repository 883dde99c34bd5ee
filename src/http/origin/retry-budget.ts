/**
 * How many requests may be tried again: a share of those of the last ten seconds, so that an origin in trouble is not asked
 * twice as much by everyone at the moment when it can bear it least.
 *
 * A few are allowed whatever the share, or an origin with little traffic would never see a retry.
 */

const SLOTS = 10
const SLOT_MS = 1000
/** In a window, whatever the share. */
const RESERVE = 3

export class RetryBudget {
  private readonly share: number
  private readonly requests = new Float64Array(SLOTS)
  private readonly retries = new Float64Array(SLOTS)
  private requestsSum = 0
  private retriesSum = 0
  /** The second that `slot` counts. */
  private second = 0
  private slot = 0

  constructor(share: number) {
    this.share = share
  }

  onRequest(nowMs: number): void {
    this.turn(nowMs)
    this.requests[this.slot]! += 1
    this.requestsSum += 1
  }

  /** Takes one retry out of the budget; false where it is used up. */
  take(nowMs: number): boolean {
    this.turn(nowMs)
    if (this.share === 0 || this.retriesSum >= RESERVE + this.share * this.requestsSum) return false
    this.retries[this.slot]! += 1
    this.retriesSum += 1
    return true
  }

  private turn(nowMs: number): void {
    const second = Math.floor(nowMs / SLOT_MS)
    if (second === this.second) return
    const passed = Math.min(SLOTS, second - this.second)
    this.second = second
    for (let i = 0; i < passed; i += 1) {
      this.slot = (this.slot + 1) % SLOTS
      this.requestsSum -= this.requests[this.slot]!
      this.retriesSum -= this.retries[this.slot]!
      this.requests[this.slot] = 0
      this.retries[this.slot] = 0
    }
  }
}
