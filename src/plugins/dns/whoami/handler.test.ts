/** What `whoami` tells of whoever asks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textsOf } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import whoami from './plugin.ts'

test('a client learns its address, its port and its transport', async (t) => {
  const block = await blockOf(t, 'whoami', { plugins: [whoami] })
  const udp = await block.answer('example.org', 'A', { ip: '192.0.2.7' })
  assert.equal(udp.isAuthoritative, true)
  assert.deepEqual(udp.answer, [])
  assert.deepEqual(textsOf(udp.additional), [
    'example.org. 0 IN A 192.0.2.7',
    '_udp.example.org. 0 IN SRV 0 0 40000 .',
  ])
  const tcp = await block.answer('.', 'MX', { ip: '2001:db8::7', isTcp: true })
  assert.deepEqual(textsOf(tcp.additional), ['. 0 IN AAAA 2001:db8::7', '_tcp. 0 IN SRV 0 0 40000 .'])
})

test('a name that leaves no room for the transport is answered without it', async (t) => {
  const block = await blockOf(t, 'whoami', { plugins: [whoami] })
  const label = 'a'.repeat(62)
  const longest = `${label}.${label}.${label}.${'b'.repeat(61)}.`
  assert.equal((await block.answer(longest)).additional.length, 1)
})
