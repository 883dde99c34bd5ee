/**
 * The text form of metrics that Prometheus reads, version 0.0.4.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/: all series of a name stand together, after its `# HELP`
 * and `# TYPE`; buckets are cumulative and end in `+Inf`; in label values `\`, `"` and line feeds are escaped.
 */
import type { HistogramValue, MetricSample } from '../../contract/messages.ts'

type Help = Readonly<Record<string, string>>

/** @param help a sentence for each name; one without is described by its own words. */
export function formatPrometheus(samples: readonly MetricSample[], help: Help): string {
  const byName = Map.groupBy(samples, (sample) => sample.name)
  return [...byName].map(([name, series]) => formatFamily(name, series, help)).join('')
}

function formatFamily(name: string, series: readonly MetricSample[], help: Help): string {
  const sentence = help[name] ?? name.replaceAll('_', ' ')
  const lines = [`# HELP ${name} ${escapeHelp(sentence)}`, `# TYPE ${name} ${typeOf(series[0]!)}`]
  for (const { labels, value } of series) {
    if (typeof value === 'number') lines.push(line(name, labels, value))
    else lines.push(...histogramLines(name, labels, value))
  }
  return `${lines.join('\n')}\n`
}

function typeOf({ name, value }: MetricSample): 'counter' | 'gauge' | 'histogram' {
  if (typeof value !== 'number') return 'histogram'
  return name.endsWith('_total') ? 'counter' : 'gauge'
}

function histogramLines(name: string, labels: MetricSample['labels'], value: HistogramValue): string[] {
  let seen = 0
  const buckets = [...value.bounds, Infinity].map((bound, i) => {
    seen += value.counts[i] ?? 0
    return line(`${name}_bucket`, { ...labels, le: formatNumber(bound) }, seen)
  })
  return [...buckets, line(`${name}_sum`, labels, value.sum), line(`${name}_count`, labels, seen)]
}

function line(name: string, labels: MetricSample['labels'], value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${formatNumber(value)}`
}

function formatNumber(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }
const escapeLabel = (text: string) => text.replaceAll(/[\\"\n]/g, (character) => ESCAPES[character]!)
const escapeHelp = (text: string) => text.replaceAll(/[\\\n]/g, (character) => ESCAPES[character]!)
