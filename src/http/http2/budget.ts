/** What a peer may do at no charge, so often a second, with a reserve for bursts. Beyond it, it floods. */
export class Budget {
  private left: number
  private readonly burst: number
  private readonly perSecond: number
  private lastMs: number

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.left = burst
    this.burst = burst
    this.perSecond = perSecond
    this.lastMs = nowMs
  }

  /** Something was brought that makes up for one. */
  refund(): void {
    this.left = Math.min(this.burst, this.left + 1)
  }

  /** False: it is used up. */
  take(nowMs: number): boolean {
    if (nowMs > this.lastMs) {
      this.left = Math.min(this.burst, this.left + ((nowMs - this.lastMs) * this.perSecond) / 1000)
      this.lastMs = nowMs
    }
    this.left -= 1
    return this.left >= 0
  }
}
