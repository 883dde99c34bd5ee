/** The last of many measurements, exact. */
const KEPT = 1024

export class Percentiles {
  readonly #values: number[] = []
  /** Of all that were ever added. */
  count = 0

  add(value: number): void {
    this.#values[this.count++ % KEPT] = value
  }

  /** `share` 0.5 is the median. Of those that are kept; `NaN` where there are none. */
  at(share: number): number {
    const ordered = this.#values.toSorted((a, b) => a - b)
    return ordered[Math.min(ordered.length - 1, Math.ceil(share * ordered.length) - 1)] ?? Number.NaN
  }
}
