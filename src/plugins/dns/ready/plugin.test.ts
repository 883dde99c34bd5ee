/** When `ready` says that all is ready, and what it refuses. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { freePort } from '../../../../test/harness/ports.ts'
import type { DnsPlugin } from '../../../contract/dns.ts'
import { blockOf } from '../testing/block.ts'
import { httpAsked } from '../testing/http-asked.ts'
import { itRefuses } from '../testing/setup-table.ts'
import ready from './plugin.ts'

async function blockWith(t: TestContext, more = '') {
  const state = { a: false, b: false }
  const plugin = (name: 'a' | 'b'): DnsPlugin => ({
    name,
    setup: (controller) => controller.onReady(() => state[name]),
  })
  const port = await freePort()
  const text = `ready 127.0.0.1:${port}${more}\na\nb`
  const block = await blockOf(t, text, { plugins: [ready, plugin('b'), plugin('a')] })
  return { state, block, asked: () => httpAsked(port, '/ready') }
}

test('it names those that are waited for; who was ready once is not asked again', async (t) => {
  const { state, asked } = await blockWith(t)
  assert.equal(await asked(), '503 a,b')
  state.b = true
  assert.equal(await asked(), '503 a')
  state.b = false
  state.a = true
  assert.equal(await asked(), '200 OK')
})

test('with "monitor continuously" all are asked each time', async (t) => {
  const { state, asked } = await blockWith(t, ' {\nmonitor continuously\n}')
  state.a = state.b = true
  assert.equal(await asked(), '200 OK')
  state.b = false
  assert.equal(await asked(), '503 b')
})

test('a server that is to end is not ready, while it serves on', async (t) => {
  const { state, asked, block } = await blockWith(t)
  state.a = state.b = true
  for (const wait of block.setup.endings) await wait()
  assert.equal(await asked(), '503 Shutting down')
})

itRefuses(ready, [
  ['ready :bar', /':bar' is no address/],
  ['ready bar:bar', /is no address/],
  ['ready :1 :2', /one too many/],
  ['ready {\nmonitor never\n}', /monitor is one of until-ready and continuously/],
  ['ready {\nfoo\n}', /unknown property 'foo'/],
])
