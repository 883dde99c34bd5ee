import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetricSample } from '../../contract/messages.ts'
import { MetricSums } from './metric-sums.ts'
import { formatPrometheus } from './prometheus.ts'

const sample = (
  name: string,
  value: MetricSample['value'],
  labels: Record<string, string> = {},
): MetricSample => ({
  name,
  labels,
  value,
})
const values = (sums: MetricSums) => Object.fromEntries(sums.total().map(({ name, value }) => [name, value]))

test('counters, gauges and histograms of all workers are summed', () => {
  const sums = new MetricSums()
  const histogram = (counts: number[]) => ({ bounds: [1, 2], counts, sum: counts.length })
  sums.update(1, [sample('a_total', 2), sample('open', 3), sample('s', histogram([1, 0, 2]))])
  sums.update(2, [sample('a_total', 5), sample('open', 4), sample('s', histogram([0, 1, 1]))])
  assert.deepEqual(values(sums), { a_total: 7, open: 7, s: { bounds: [1, 2], counts: [1, 1, 3], sum: 6 } })
})

test('series with other labels stay apart, whatever the order of their labels', () => {
  const sums = new MetricSums()
  sums.update(1, [
    sample('a_total', 1, { unit: 'x', phase: 'log' }),
    sample('a_total', 1, { unit: 'y', phase: 'log' }),
  ])
  sums.update(2, [sample('a_total', 1, { phase: 'log', unit: 'x' })])
  assert.deepEqual(
    sums.total().map(({ labels, value }) => [labels.unit, value]),
    [
      ['x', 2],
      ['y', 1],
    ],
  )
})

test('a total does not go back when a worker dies, a gauge does', () => {
  const sums = new MetricSums()
  sums.update(1, [sample('a_total', 2), sample('open', 3)])
  sums.update(2, [sample('a_total', 5), sample('open', 4)])
  sums.retire(1)
  assert.deepEqual(values(sums), { a_total: 7, open: 4 })
  sums.update(3, [sample('a_total', 1), sample('open', 0)])
  sums.retire(2)
  sums.retire(2)
  assert.deepEqual(values(sums), { a_total: 8, open: 0 })
})

test('the text is what Prometheus reads: families together, buckets cumulative, labels escaped', () => {
  const text = formatPrometheus(
    [
      sample('a_total', 2, { unit: 'x "y" \\ \n' }),
      sample('s', { bounds: [0.1, 2.5], counts: [1, 0, 2], sum: 7.5 }, { p: 'q' }),
      sample('a_total', 3),
      sample('open_now', 0),
    ],
    { a_total: 'How many.\nReally.' },
  )
  assert.equal(
    text,
    `# HELP a_total How many.\\nReally.
# TYPE a_total counter
a_total{unit="x \\"y\\" \\\\ \\n"} 2
a_total 3
# HELP s s
# TYPE s histogram
s_bucket{p="q",le="0.1"} 1
s_bucket{p="q",le="2.5"} 1
s_bucket{p="q",le="+Inf"} 3
s_sum{p="q"} 7.5
s_count{p="q"} 3
# HELP open_now open now
# TYPE open_now gauge
open_now 0
`,
  )
})
