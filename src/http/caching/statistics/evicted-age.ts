/** How old objects were when they made room for others, as a histogram: in powers of four of seconds, up to twelve days. */
import type { HistogramCounts } from '../../../base/histogram.ts'
import type { EvictedAges } from '../../../cache/index.ts'

const BOUNDS = Array.from({ length: 11 }, (_, power) => 4 ** power)

/** The first of its buckets is below 1 s, the next below 2 s, and so on. */
export function ageHistogram({ buckets, sumSeconds }: EvictedAges): HistogramCounts {
  const counts = BOUNDS.map(() => 0)
  counts.push(0)
  for (const [power, count] of buckets.entries()) {
    const at = Math.min(Math.ceil(power / 2), BOUNDS.length)
    counts[at] = counts[at]! + count
  }
  return { bounds: BOUNDS, counts, sum: sumSeconds }
}
