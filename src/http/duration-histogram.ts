/** How many took how long: counts by upper bound, for one metric. */
import type { HistogramValue } from '../contract/messages.ts'

/** Upper bounds in seconds: from what a cache needs to what a slow origin does. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

export class DurationHistogram {
  private readonly counts = new Float64Array(BOUNDS.length + 1)
  private sum = 0

  add(ms: number): void {
    const seconds = ms / 1000
    let bucket = 0
    while (bucket < BOUNDS.length && seconds > BOUNDS[bucket]!) bucket += 1
    this.counts[bucket] = this.counts[bucket]! + 1
    this.sum += seconds
  }

  get value(): HistogramValue {
    return { bounds: BOUNDS, counts: [...this.counts], sum: this.sum }
  }
}
