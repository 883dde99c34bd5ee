/** What `prometheus` takes in a Corefile, what it tells, and what it refuses. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { freePort } from '../../../../test/harness/ports.ts'
import { blockOf } from '../testing/block.ts'
import { httpAsked } from '../testing/http-asked.ts'
import { itRefuses } from '../testing/setup-table.ts'
import prometheus from './plugin.ts'

const plugins = [prometheus]

test('figures of plugins and of the process are told, each in the text format of Prometheus', async (t) => {
  const port = await freePort()
  const block = await blockOf(t, `prometheus 127.0.0.1:${port}`, { plugins })
  assert.equal(block.setup.settings.isCounted, true)
  block.figures.counter('a_total', 'Of "all" sorts.\nTwo lines.', ['name']).add(3, 'a"b\\c\nd')
  const histogram = block.figures.histogram('h_seconds', 'How long.', [0.1, 1])
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value)
  const answered = await httpAsked(port, '/metrics')
  assert.match(answered, /^200 /)
  const text = answered.slice('200 '.length)
  for (const line of [
    /^# HELP a_total Of "all" sorts\.\\nTwo lines\.\n# TYPE a_total counter\na_total\{name="a\\"b\\\\c\\nd"\} 3$/m,
    /^h_seconds_bucket\{le="0\.1"\} 2\nh_seconds_bucket\{le="1"\} 3\nh_seconds_bucket\{le="\+Inf"\} 4\nh_seconds_sum 7\.65\nh_seconds_count 4$/m,
    /^process_resident_memory_bytes [1-9]\d+$/m,
    /^process_open_fds [1-9]\d*$/m,
  ])
    assert.match(text, line)
  assert.match(await httpAsked(port, '/else'), /^404 /)
})

test('server blocks share an address, and the one that goes leaves it to the others', async (t) => {
  const port = await freePort()
  const text = `prometheus 127.0.0.1:${port}`
  const former = await blockOf(t, text, { plugins })
  const next = await blockOf(t, text, { plugins })
  next.figures.gauge('is_next', 'The next one.').set(1)
  assert.match(await httpAsked(port, '/metrics'), /^is_next 1$/m)
  await former.stop()
  assert.match(await httpAsked(port, '/metrics'), /^is_next 1$/m)
  await next.stop()
  await assert.rejects(httpAsked(port, '/metrics'))
})

test('a port that somebody else has is an error that says so; it can be had later', async (t) => {
  const port = await freePort()
  const other = createServer().listen(port, '127.0.0.1')
  await once(other, 'listening')
  const text = `prometheus 127.0.0.1:${port}`
  await assert.rejects(blockOf(t, text, { plugins }), /127\.0\.0\.1:\d+ is taken by another process/)
  other.close()
  await once(other, 'close')
  await blockOf(t, text, { plugins })
  assert.match(await httpAsked(port, '/metrics'), /^200 /)
})

itRefuses(prometheus, [
  ['prometheus 9153', /'9153' is no address: expected one such as :8080/],
  ['prometheus localhost:99999', /is no address/],
  ['prometheus localhost:9153 b', /one too many/],
  ['prometheus {\ntls web.yml\n}', /Corefile:2 - .*'tls' is not there/],
  ['prometheus localhost:1\nprometheus localhost:2', /only be used once/],
])
