import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import plugin from './plugin.ts'

test('an interval and a jitter are taken as CoreDNS takes them', async (t) => {
  const cases: readonly (readonly [text: string, everyMs: number, jitterMs: number])[] = [
    ['reload', 30_000, 15_000],
    ['reload 10s', 10_000, 5000],
    ['reload 10s 2s', 10_000, 2000],
    ['reload 2s 1s', 2000, 1000],
    ['reload 1m30s 20s', 90_000, 20_000],
    ['reload 10s 1h', 10_000, 5000],
  ]
  for (const [text, everyMs, jitterMs] of cases) {
    const { setup } = await blockOf(t, text, { plugins: [plugin] })
    assert.deepEqual(setup.settings.reload, { everyMs, jitterMs }, text)
  }
})

test('what is no time, or too short, says so', async (t) => {
  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    ['reload foo', /^Corefile:1 - plugin\/reload: interval foo is no time/],
    ['reload 10', /interval 10 is no time/],
    ['reload 1s', /interval value must be greater or equal to 2s/],
    ['reload 0s', /interval value must be greater or equal to 2s/],
    ['reload -5s', /interval value must be greater or equal to 2s/],
    ['reload 10s foo', /jitter foo is no time/],
    ['reload 10s 500ms', /jitter value must be greater or equal to 1s/],
    ['reload 10s 2s 1s', /'1s' is one too many/],
    ['reload\nreload', /^Corefile:2 - plugin\/reload: reload stands there twice/],
  ]
  for (const [text, message] of cases)
    await assert.rejects(blockOf(t, text, { plugins: [plugin] }), { message }, text)
})
