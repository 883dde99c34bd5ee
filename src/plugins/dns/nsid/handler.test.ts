/** Who is told the name of the server. */
import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { OPTION } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { answering } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import nsid from './plugin.ts'

const WANTED = { edns: { options: [{ code: OPTION.NSID, data: Buffer.alloc(0) }] } }
const nsidOf = ({ edns }: DnsMessage) =>
  edns?.options.filter(({ code }) => code === OPTION.NSID).map(({ data }) => data.toString())

test('whoever asks for the name gets it, on a copy of the answer', async (t) => {
  const kept = new DnsMessage()
  const block = await blockOf(t, 'nsid tf 2\nanswers', { plugins: [nsid, answering(() => kept)] })
  assert.deepEqual(nsidOf(await block.answer('example.org', 'A', WANTED)), ['tf 2'])
  assert.equal(kept.edns, undefined)
})

test('without a name it is that of the host', async (t) => {
  const block = await blockOf(t, 'nsid\nanswers', { plugins: [nsid, answering((query) => query.reply())] })
  assert.deepEqual(nsidOf(await block.answer('example.org', 'A', WANTED)), [hostname()])
})

test('nobody else gets it', async (t) => {
  const block = await blockOf(t, 'nsid a\nanswers', { plugins: [nsid, answering((query) => query.reply())] })
  assert.deepEqual(nsidOf(await block.answer('example.org', 'A', { edns: {} })), [])
  assert.equal((await block.answer('example.org')).edns, undefined)
})
