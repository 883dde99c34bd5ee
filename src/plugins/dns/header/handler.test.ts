/** What `header` makes of flags. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answering } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import header from './plugin.ts'

test('flags of answers are set and cleared on a copy; the last line holds', async (t) => {
  const kept = new DnsMessage()
  kept.isRecursionDesired = true
  const text = 'header {\nresponse set ra aa\nresponse clear rd aa\n}\nanswers'
  const block = await blockOf(t, text, { plugins: [header, answering(() => kept)] })
  const answer = await block.answer('example.org')
  assert.deepEqual(
    [answer.isRecursionAvailable, answer.isAuthoritative, answer.isRecursionDesired],
    [true, false, false],
  )
  assert.deepEqual([kept.isRecursionAvailable, kept.isRecursionDesired], [false, true])
})

test('an answer that comes later is changed, too; what is no answer stays', async (t) => {
  const late = answering(async (query) => (query.qtype === 1 ? query.reply() : 2))
  const block = await blockOf(t, 'header {\nset ra\n}\nanswers', { plugins: [header, late] })
  assert.equal((await block.answer('example.org')).isRecursionAvailable, true)
  assert.equal(await block.ask('example.org', 'MX'), 2)
})

test('flags of a question are seen behind, and the client is answered with its own', async (t) => {
  let seen: boolean | undefined
  const behind = answering((query) => {
    seen = query.message.isRecursionDesired
    return query.reply()
  })
  const block = await blockOf(t, 'header {\nquery clear rd\n}\nanswers', { plugins: [header, behind] })
  await block.answer('example.org', 'A', { isRecursionDesired: true })
  assert.equal(seen, false)
})
