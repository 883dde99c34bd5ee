/** How questions for all types are answered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answering, textsOf } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import any from './plugin.ts'

test('ANY is answered with one HINFO, and nobody behind is asked', async (t) => {
  const block = await blockOf(t, 'any\nanswers', { plugins: [any, answering(() => 5)] })
  const answer = await block.answer('Example.org', 'ANY')
  assert.deepEqual(textsOf(answer.answer), ['Example.org. 8482 IN HINFO "ANY obsoleted" "See RFC 8482"'])
  assert.equal(await block.ask('example.org', 'A'), 5)
})
