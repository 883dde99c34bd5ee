/** Metrics of a node as OTLP has them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readProtobuf, readJson } from '../../test/harness/otlp.ts'
import type { MetricSample } from '../contract/messages.ts'
import { batchEncoding } from './encoding.ts'
import { MetricRecords } from './metric-records.ts'

const counter = (site: string, value: number): MetricSample => ({
  name: 'orla_a_total',
  labels: { site },
  value,
})
const START = 1_000_000

test('sums say since when they count, also those that begin later or again', () => {
  const records = new MetricRecords(START, {})
  const starts = (samples: readonly MetricSample[], nowUs: number) =>
    (records.take(samples, nowUs) as { sum: { dataPoints: { startTimeUnixNano: string }[] } }[])
      .flatMap(({ sum }) => sum.dataPoints)
      .map(({ startTimeUnixNano }) => Number(startTimeUnixNano) / 1000)
  assert.deepEqual(starts([counter('a', 5)], START + 10), [START])
  assert.deepEqual(starts([counter('a', 6), counter('b', 1)], START + 20), [START, START + 10])
  assert.deepEqual(starts([counter('a', 2), counter('b', 1)], START + 30), [START + 20, START + 10])
  assert.deepEqual(starts([counter('a', 3)], START + 40), [START + 20])
  assert.deepEqual(starts([counter('a', 3), counter('b', 7)], START + 50), [START + 20, START + 40])
})

test('counters, gauges and histograms arrive in both forms', () => {
  const samples: MetricSample[] = [
    counter('a', 5),
    { name: 'orla_b_bytes', labels: {}, value: Number.POSITIVE_INFINITY },
    { name: 'orla_c_seconds', labels: { x: 'é' }, value: { bounds: [0.5, 1], counts: [3, 0, 2], sum: 7.25 } },
  ]
  for (const protocol of ['http/protobuf', 'http/json'] as const) {
    const encoding = batchEncoding('metrics', protocol, { 'service.name': 'orla' })
    const records = new MetricRecords(START, { orla_a_total: 'Some.' }).take(samples, START + 10)
    const bytes = encoding.batch(records.map((record) => encoding.item(record)))
    const { metrics } = protocol === 'http/json' ? readJson(bytes.toString()) : readProtobuf('metrics', bytes)
    const [a, b, c] = metrics
    assert.deepEqual(
      [a!.kind, a!.description, a!.isMonotonic, a!.points[0]!.value],
      ['sum', 'Some.', true, 5],
    )
    assert.deepEqual([b!.kind, b!.unit, b!.points[0]!.value], ['gauge', 'By', Number.POSITIVE_INFINITY])
    const [point] = c!.points
    assert.deepEqual([c!.kind, c!.unit, c!.temporality, point!.attributes], ['histogram', 's', 2, { x: 'é' }])
    assert.deepEqual(
      [point!.count, point!.sum, point!.buckets, point!.bounds],
      [5n, 7.25, [3n, 0n, 2n], [0.5, 1]],
    )
    assert.deepEqual([point!.start, point!.at], [BigInt(START) * 1000n, BigInt(START + 10) * 1000n])
  }
})
