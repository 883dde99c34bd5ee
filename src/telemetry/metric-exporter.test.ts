/** Reports of metrics on their way to a collector. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCollector } from '../../test/harness/collector.ts'
import { eventually } from '../../test/harness/eventually.ts'
import type { MetricSample } from '../contract/messages.ts'
import { DeliveryCounts } from './courier.ts'
import { MetricExporter } from './metric-exporter.ts'

test('a node that is killed sends no last report, also where that is put together later', async (t) => {
  const collector = await startCollector(t)
  const counts = new DeliveryCounts('metrics')
  const samples = Promise.withResolvers<readonly MetricSample[]>()
  const settings = {
    url: `${collector.url}/v1/metrics`,
    headers: {},
    protocol: 'http/protobuf',
    compression: 'gzip',
    timeoutMs: 60_000,
    ca: undefined,
  } as const
  const exporter = new MetricExporter(
    { collector: settings, everyMs: 3_600_000 },
    { 'service.name': 'orla' },
    { samples: () => samples.promise, help: {}, startUs: 1 },
    counts,
    { random: () => 0, warn: () => {}, now: () => 1 },
  )
  await exporter.close(0)
  samples.resolve([{ name: 'orla_a_total', labels: {}, value: 5 }])
  const closed = () => counts.samples().find(({ labels }) => labels['reason'] === 'closed')!.value
  await eventually(() => closed() === 1)
  assert.equal(counts.sent, 0)
  assert.equal(collector.reports.length, 0)
})
