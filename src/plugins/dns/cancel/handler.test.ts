/** What becomes of queries that take too long. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answering } from '../testing/answering.ts'
import { blockOf, queryFor } from '../testing/block.ts'
import cancel from './plugin.ts'

test('who takes too long is SERVFAIL, and whoever it was is named', async (t) => {
  const never = answering(() => new Promise(() => undefined))
  const block = await blockOf(t, 'cancel 10ms\nanswers', { plugins: [cancel, never] })
  const query = queryFor('example.org')
  assert.equal(await block.run(query), 2)
  assert.deepEqual(
    query.explanations.map(({ text }) => text),
    ['answers: no answer within 10 ms'],
  )
})

test('who answers in time is not held up, whether at once or later', async (t) => {
  const text = 'cancel 1h\nanswers'
  const atOnce = await blockOf(t, text, { plugins: [cancel, answering(() => 5)] })
  assert.equal(await atOnce.ask('example.org'), 5)
  const later = await blockOf(t, text, { plugins: [cancel, answering(async () => 4 as const)] })
  assert.equal(await later.ask('example.org'), 4)
})
