/**
 * Adds up the metrics of all workers, those that have died included, so that a total never goes back.
 *
 * A worker sends its series as they stand. The last ones known of a worker that ends are folded into `retired`: counters and
 * histograms go on from there. What it counted after it was last asked is lost; the pulse asks every few seconds.
 */
import { addHistograms } from '../../base/histogram.ts'
import type { MetricSample } from '../../contract/messages.ts'

export type Series = Map<string, MetricSample>

export class MetricSums {
  readonly #byWorker = new Map<number, readonly MetricSample[]>()
  readonly #retired: Series = new Map()

  /** What a worker, named by its pid, says now. */
  update(workerPid: number, samples: readonly MetricSample[]): void {
    this.#byWorker.set(workerPid, samples)
  }

  retire(workerPid: number): void {
    for (const sample of this.#byWorker.get(workerPid) ?? [])
      if (isCumulative(sample)) add(this.#retired, sample)
    this.#byWorker.delete(workerPid)
  }

  /** The sums, in the order in which series were first seen. */
  total(): readonly MetricSample[] {
    const sums: Series = new Map(this.#retired)
    for (const samples of this.#byWorker.values()) for (const sample of samples) add(sums, sample)
    return [...sums.values()]
  }
}

/** Counters are told by their name, as OpenMetrics has it; a gauge of a dead worker says nothing about the living. */
export const isCumulative = ({ name, value }: MetricSample): boolean =>
  typeof value !== 'number' || name.endsWith('_total')

function add(sums: Series, sample: MetricSample): void {
  const key = seriesKey(sample)
  const before = sums.get(key)
  sums.set(key, before ? { ...sample, value: sum(before.value, sample.value) } : sample)
}

function seriesKey({ name, labels }: MetricSample): string {
  return JSON.stringify([name, ...Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))])
}

function sum(a: MetricSample['value'], b: MetricSample['value']): MetricSample['value'] {
  if (typeof a === 'number' || typeof b === 'number') return Number(a) + Number(b)
  // Bounds are the same in every worker, as they run the same program.
  return addHistograms(a, b)
}
