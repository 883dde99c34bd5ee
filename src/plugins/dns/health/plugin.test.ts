/** What `health` answers, how it holds up the end, and what it refuses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import { freePort } from '../../../../test/harness/ports.ts'
import { blockOf } from '../testing/block.ts'
import { httpAsked } from '../testing/http-asked.ts'
import { itRefuses } from '../testing/setup-table.ts'
import health from './plugin.ts'

test('it answers OK, asks itself, and counts how long that took', async (t) => {
  const port = await freePort()
  const block = await blockOf(t, `health 127.0.0.1:${port}`, { plugins: [health] })
  assert.equal(await httpAsked(port, '/health'), '200 OK')
  await eventually(() => /coredns_health_request_duration_seconds_count [1-9]/.test(block.figures.text()))
  assert.match(block.figures.text(), /coredns_health_request_duration_seconds_bucket\{le="8\.192"\} [1-9]/)
})

test('a lame duck is waited for, and still answers', async (t) => {
  const port = await freePort()
  const text = `health 127.0.0.1:${port} {\nlameduck 50ms\n}`
  const block = await blockOf(t, text, { plugins: [health] })
  const before = performance.now()
  const [wait] = block.setup.endings
  const ended = wait!()
  assert.equal(await httpAsked(port, '/health'), '200 OK')
  await ended
  assert.ok(performance.now() - before >= 49)
  assert.deepEqual(block.logged, ['info health: Going into lameduck mode for 0.05s'])
})

itRefuses(health, [
  ['health localhost', /'localhost' is no address/],
  ['health :1 :2', /one too many/],
  ['health {\nlameduck\n}', /lameduck needs a time/],
  ['health {\nlameduck soon\n}', /lameduck soon is no time/],
  ['health {\nlameduk 5s\n}', /unknown property 'lameduk': expected lameduck/],
])
