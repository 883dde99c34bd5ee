import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openUnit } from './harness.ts'

const unit = await openUnit('response-metrics.ts')
after(() => unit.close())

const PARTS = ['upstream_response_time', 'upstream_connect_time', 'request_time', 'tcpinfo_rtt']
const metrics = (timing: object) => {
  const { headers } = unit.run({
    phase: 'headerFilter',
    url: 'http://example.org/',
    timing,
    response: { status: 200, headers: { 'content-type': 'text/plain' } },
  })
  return {
    parts: PARTS.map((part) => headers.get(`X-Metrics-${part}`)),
    time: headers.get('X-Metrics-time_iso8601')!,
  }
}

test('times are seconds with milliseconds, the round trip microseconds', () => {
  const { parts } = metrics({
    upstreamResponseMs: 12.4,
    upstreamConnectMs: 0,
    requestMs: 1013.6,
    tcpRttUs: 250.4,
  })
  assert.deepEqual(parts, ['0.012', '0.000', '1.014', '250'])
})

test('what did not happen is a dash', () => {
  assert.deepEqual(metrics({ requestMs: 1 }).parts, ['-', '-', '0.001', '-'])
})

test('the time is the present one in ISO 8601', () => {
  const { time } = metrics({})
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/)
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000)
})
