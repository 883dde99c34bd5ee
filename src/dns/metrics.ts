/** Figures of the DNS plane, kept by name and labels, and written in the text format of Prometheus. */
import type { MetricSample } from '../contract/messages.ts'
import type { DnsCounter, DnsGauge, DnsHistogram, DnsMetrics } from '../contract/dns.ts'

interface Family {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly buckets: readonly number[]
  /** By label values, joined. */
  readonly series: Map<string, Series>
}

interface Series {
  readonly labels: readonly string[]
  value: number
  /** Of a histogram: how many were at most each bound, without those of the bounds below. */
  readonly counts: number[]
  count: number
}

export class DnsFigures implements DnsMetrics {
  readonly #families = new Map<string, Family>()

  counter(name: string, help: string, labels: readonly string[] = []): DnsCounter {
    const family = this.#family('counter', name, help, labels)
    return {
      add: (count, ...values) => void (seriesOf(family, values).value += count),
      labelled: (...values) => {
        const series = seriesOf(family, values)
        return { add: (count) => void (series.value += count) }
      },
    }
  }

  gauge(name: string, help: string, labels: readonly string[] = []): DnsGauge {
    const family = this.#family('gauge', name, help, labels)
    return { set: (value, ...values) => void (seriesOf(family, values).value = value) }
  }

  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels: readonly string[] = [],
  ): DnsHistogram {
    const family = this.#family('histogram', name, help, labels, buckets)
    return {
      observe: (value, ...values) => observe(seriesOf(family, values), buckets, value),
      labelled: (...values) => {
        const series = seriesOf(family, values)
        return { observe: (value) => observe(series, buckets, value) }
      },
    }
  }

  #family(
    kind: Family['kind'],
    name: string,
    help: string,
    labels: readonly string[],
    buckets: readonly number[] = [],
  ): Family {
    const known = this.#families.get(name)
    if (known) return known
    const family: Family = { name, help, kind, labels, buckets, series: new Map() }
    this.#families.set(name, family)
    return family
  }

  /** As the node's own metrics have them. */
  samples(): MetricSample[] {
    const samples: MetricSample[] = []
    for (const { name, kind, labels, buckets, series } of this.#families.values())
      for (const one of series.values()) {
        const { counts, value: sum } = one
        const value =
          kind === 'histogram'
            ? { bounds: buckets, counts: [...buckets, 0].map((_, at) => counts[at] ?? 0), sum }
            : sum
        samples.push({
          name,
          labels: Object.fromEntries(labels.map((label, at) => [label, one.labels[at] ?? ''])),
          value,
        })
      }
    return samples
  }

  /** The text format of Prometheus, version 0.0.4. */
  text(): string {
    return [...this.#families.values()].map(familyText).join('')
  }
}

function observe(series: Series, buckets: readonly number[], value: number): void {
  let bucket = 0
  while (bucket < buckets.length && value > buckets[bucket]!) bucket += 1
  if (bucket < buckets.length) series.counts[bucket]! += 1
  series.value += value
  series.count += 1
}

function seriesOf(family: Family, labels: readonly string[]): Series {
  const key = labels.length === 1 ? labels[0]! : labels.join('\0')
  let series = family.series.get(key)
  if (!series) {
    series = { labels, value: 0, counts: family.buckets.map(() => 0), count: 0 }
    family.series.set(key, series)
  }
  return series
}

function familyText(family: Family): string {
  const { name, help, kind, labels, buckets } = family
  const lines = [
    `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    `# TYPE ${name} ${kind}`,
  ]
  for (const series of family.series.values()) {
    const pairs = labels.map((label, index) => `${label}="${escaped(series.labels[index] ?? '')}"`)
    const shown = (more: readonly string[] = []) => {
      const all = [...pairs, ...more]
      return all.length === 0 ? '' : `{${all.join(',')}}`
    }
    if (kind !== 'histogram') {
      lines.push(`${name}${shown()} ${series.value}`)
      continue
    }
    let sum = 0
    for (const [index, bound] of buckets.entries()) {
      sum += series.counts[index] ?? 0
      lines.push(`${name}_bucket${shown([`le="${bound}"`])} ${sum}`)
    }
    lines.push(`${name}_bucket${shown(['le="+Inf"'])} ${series.count}`)
    lines.push(`${name}_sum${shown()} ${series.value}`, `${name}_count${shown()} ${series.count}`)
  }
  return `${lines.join('\n')}\n`
}

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
