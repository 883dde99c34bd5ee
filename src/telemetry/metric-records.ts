/**
 * Metrics as OTLP has them: cumulative, under the names that `/metrics` shows, so that boards and alerts hold for both.
 *
 * A sum says since when it counts. One that is there with the first report counts since the node started. One that appears later was
 * nothing at the report before, so it counts since then; and so does one that went back, since what it counted for was made anew (a site
 * that was removed and set again).
 */
import type { HistogramValue, MetricSample } from '../contract/messages.ts'
import { keyValues, nanos } from './otlp-messages.ts'

/** `AggregationTemporality`: values count from the start time. */
const CUMULATIVE = 2

interface Counted {
  readonly startUs: number
  /** The value, or how often a histogram was told something. */
  readonly total: number
}

export class MetricRecords {
  #counted = new Map<string, Counted>()
  #lastUs: number
  readonly #help: Readonly<Record<string, string>>

  /** @param startUs when the node began to count. @param help a sentence for each name. */
  constructor(startUs: number, help: Readonly<Record<string, string>>) {
    this.#lastUs = startUs
    this.#help = help
  }

  /** One record for each name. */
  take(samples: readonly MetricSample[], nowUs: number): object[] {
    const counted = new Map<string, Counted>()
    const point = (sample: MetricSample): object => {
      const { labels, value } = sample
      const base = { attributes: keyValues(Object.entries(labels).flat()), timeUnixNano: nanos(nowUs) }
      if (typeof value === 'number' && !isCounter(sample)) return { ...base, asDouble: inJson(value) }
      const total = typeof value === 'number' ? value : count(value)
      const key = keyOf(sample)
      const before = this.#counted.get(key)
      const startUs = before === undefined || total < before.total ? this.#lastUs : before.startUs
      counted.set(key, { startUs, total })
      const timed = { ...base, startTimeUnixNano: nanos(startUs) }
      if (typeof value === 'number') return { ...timed, asDouble: inJson(value) }
      return {
        ...timed,
        count: String(total),
        sum: inJson(value.sum),
        bucketCounts: value.counts.map(String),
        explicitBounds: value.bounds,
      }
    }
    const records = [...Map.groupBy(samples, ({ name }) => name)].map(([name, series]) => ({
      name,
      description: this.#help[name] ?? '',
      unit: unitOf(name),
      ...dataOf(series[0]!, series.map(point)),
    }))
    this.#counted = counted
    this.#lastUs = nowUs
    return records
  }
}

function dataOf(sample: MetricSample, dataPoints: readonly object[]): object {
  if (typeof sample.value !== 'number')
    return { histogram: { dataPoints, aggregationTemporality: CUMULATIVE } }
  if (!isCounter(sample)) return { gauge: { dataPoints } }
  return { sum: { dataPoints, aggregationTemporality: CUMULATIVE, isMonotonic: true } }
}

const isCounter = ({ name }: MetricSample): boolean => name.endsWith('_total')

const keyOf = ({ name, labels }: MetricSample): string => JSON.stringify([name, labels])

const count = ({ counts }: HistogramValue): number => counts.reduce((sum, each) => sum + each, 0)

/** ProtoJSON has texts for what JSON has no numbers for. */
const inJson = (value: number): number | string => (Number.isFinite(value) ? value : String(value))

/** UCUM, by the base unit in the name. */
function unitOf(name: string): string {
  if (/_seconds(?:_total)?$/.test(name)) return 's'
  return /_bytes(?:_total)?$/.test(name) ? 'By' : ''
}
