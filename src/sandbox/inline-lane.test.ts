import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { go, startRunner, step, unit } from './testing/runner.ts'

test('trip wires of inline units wake for many crossings at once', async (t) => {
  const { runner, close } = await startRunner()
  t.after(close)
  const steps = [step(unit('access() {}', { manifest: { isolation: 'inline' } }), 'access')]
  assert.equal((await go(runner, steps)).kind, 'next')
  assert.equal(readFileSync('/proc/self/timerslack_ns', 'latin1').trim(), '1000000')
})
