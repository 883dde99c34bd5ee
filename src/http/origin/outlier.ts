/**
 * Tells from its answers that an endpoint only fails, and how long it is then left out.
 *
 * Failures in a row eject it, since one that fails now and then is still of use. When its time is over it is asked again, and
 * the first failure ejects it for twice as long; an answer makes it as good as any other. Whether it is really left out is for
 * the pool to say: it knows how many others there are.
 */

export interface OutlierOptions {
  readonly failures: number
  readonly window: number
  readonly eject: number
  readonly ejectMax: number
}

export class Outlier {
  /** On the clock of `nowMs`; in the past where it is not ejected. */
  ejectedUntilMs = 0
  private readonly options: OutlierOptions
  private streak = 0
  private lastFailureMs = 0
  /** Ejections one after the other, without a time of good behaviour between. */
  private repeats = 0
  /** Back from an ejection, and nothing has succeeded since. */
  private isOnProbation = false
  private hasToReturn = false

  constructor(options: OutlierOptions) {
    this.options = options
  }

  isEjected(nowMs: number): boolean {
    return nowMs < this.ejectedUntilMs
  }

  /** True once after each ejection that is over. */
  takeReturn(): boolean {
    const isBack = this.hasToReturn
    this.hasToReturn = false
    return isBack
  }

  onSuccess(nowMs: number): void {
    // In a panic it is asked although it is ejected: that tells nothing of the time after.
    if (this.repeats > 0 && this.isEjected(nowMs)) return
    this.streak = 0
    this.isOnProbation = false
    // Good for as long as it was out the last time: forgiven.
    if (this.repeats > 0 && nowMs - this.ejectedUntilMs > this.ejectionMs(this.repeats)) this.repeats = 0
  }

  /** True where this failure ejects it. */
  onFailure(nowMs: number): boolean {
    // What was sent before it was ejected may fail after.
    if (this.isEjected(nowMs)) return false
    const { failures, window } = this.options
    if (nowMs - this.lastFailureMs > window && !this.isOnProbation) this.streak = 0
    this.lastFailureMs = nowMs
    this.streak += 1
    if (this.streak < failures && !this.isOnProbation) return false
    this.repeats += 1
    this.streak = 0
    this.isOnProbation = true
    this.hasToReturn = true
    this.ejectedUntilMs = nowMs + this.ejectionMs(this.repeats)
    return true
  }

  private ejectionMs(repeats: number): number {
    const { eject, ejectMax } = this.options
    return Math.min(ejectMax, eject * 2 ** Math.min(repeats - 1, 30))
  }
}
