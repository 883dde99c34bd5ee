/** `metadata` in a Corefile, and for whose names others are asked. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsPlugin } from '../../../contract/dns.ts'
import { blockOf } from '../testing/block.ts'
import metadata from './plugin.ts'

/** Tells one label of each query, and answers with how many labels there are as the rcode. */
const teller: DnsPlugin = {
  name: 'teller',
  setup: ({ settings }) => {
    settings.metadataProviders.push((query) => void query.metadata.set('teller/name', () => query.name()))
    return { handle: (query) => query.reply(query.metadata.size) }
  },
}

for (const text of ['metadata', 'metadata example.org.', 'metadata example.org. net.'])
  test(`it takes: ${text}`, async (t) => {
    await blockOf(t, text, { plugins: [metadata] })
  })

for (const [text, message] of [
  ['metadata example.org. {\n some_param\n}', /Corefile:2 - .*unknown property 'some_param'/],
  ['metadata\nmetadata', /Corefile:2 - .*metadata stands twice/],
] as const)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [metadata] }), message)
  })

test('others are asked about names of the zones alone', async (t) => {
  const all = await blockOf(t, 'metadata\nteller', { plugins: [metadata, teller] })
  assert.equal((await all.answer('a.example.org')).rcode, 1)
  const some = await blockOf(t, 'metadata a.example.org b.example.org\nteller', {
    plugins: [metadata, teller],
  })
  assert.equal((await some.answer('x.a.example.org')).rcode, 1)
  assert.equal((await some.answer('b.example.org')).rcode, 1)
  assert.equal((await some.answer('c.example.org')).rcode, 0)
})
