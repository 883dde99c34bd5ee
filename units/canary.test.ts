import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openUnit } from './harness.ts'

test('what runs is marked for the origin and in the answer', async (t) => {
  const unit = await openUnit('canary.ts')
  t.after(() => unit.close())
  const answer = unit.run({ phase: 'rewrite', url: 'http://example.org/page?x' })
  assert.deepEqual(answer.edits, ['h x-canary: canary', 'H x-canary: canary'])
})

test('a prefix leads to the new version', async (t) => {
  const unit = await openUnit('canary.ts', { env: { CANARY: 'v2', CANARY_PREFIX: '/next' } })
  t.after(() => unit.close())
  const answer = unit.run({ phase: 'rewrite', url: 'http://example.org/page?x' })
  assert.deepEqual(answer.edits, ['h x-canary: v2', 'H x-canary: v2', 'p /next/page'])
})

test('it asks for a tenth of the clients, each by its address', async (t) => {
  const unit = await openUnit('canary.ts')
  t.after(() => unit.close())
  assert.deepEqual(unit.installed, { ok: true, phases: 1, fields: { sample: { share: 0.1, by: 'address' } } })
})
