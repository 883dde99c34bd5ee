/** How often values fell below each of some bounds, and their sum: what Prometheus calls a histogram. */
export interface HistogramCounts {
  /** Upper bounds, ascending, without +Inf; `counts` has one more, and is not cumulative. */
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
}

/** Two of the same bounds, count by count. */
export const combineHistograms = (
  a: HistogramCounts,
  b: HistogramCounts,
  join: (one: number, other: number) => number,
): HistogramCounts => ({
  bounds: a.bounds,
  counts: a.counts.map((count, at) => join(count, b.counts[at] ?? 0)),
  sum: join(a.sum, b.sum),
})

export const addHistograms = (a: HistogramCounts, b: HistogramCounts): HistogramCounts =>
  combineHistograms(a, b, (one, other) => one + other)

export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++
    this.#counts[bucket]!++
    this.#sum += value
  }

  get value(): HistogramCounts {
    return { bounds: this.#bounds, counts: [...this.#counts], sum: this.#sum }
  }
}
