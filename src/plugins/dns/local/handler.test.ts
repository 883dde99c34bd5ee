/** What `local` answers: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textsOf } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import local from './plugin.ts'

const soa = (name: string) => `${name} 604800 IN SOA localhost. root.localhost. 1 0 0 0 604800`
const ROWS: readonly (readonly [
  name: string,
  type: string,
  rcode: number,
  answer: string[],
  authority: string[],
])[] = [
  ['localhost.', 'A', 0, ['localhost. 604800 IN A 127.0.0.1'], []],
  ['LocalHost.', 'AAAA', 0, ['LocalHost. 604800 IN AAAA ::1'], []],
  ['localhost.', 'SOA', 0, [soa('localhost.')], []],
  ['localhost.', 'NS', 0, ['localhost. 604800 IN NS localhost.'], []],
  ['localhost.', 'MX', 0, [], [soa('localhost.')]],
  ['a.localhost.', 'A', 0, ['a.localhost. 604800 IN A 127.0.0.1'], []],
  ['a.localhost.', 'TXT', 0, [], [soa('a.localhost.')]],
  ['localhost.example.net.', 'A', 0, ['localhost.example.net. 604800 IN A 127.0.0.1'], []],
  ['localhost.example.net.', 'MX', 0, [], [soa('localhost.example.net.')]],
  ['1.0.0.127.in-addr.arpa.', 'PTR', 0, ['1.0.0.127.in-addr.arpa. 604800 IN PTR localhost.'], []],
  ['1.0.0.127.in-addr.arpa.', 'MX', 0, [], [soa('127.in-addr.arpa.')]],
  ['2.0.0.127.in-addr.arpa.', 'PTR', 3, [], [soa('127.in-addr.arpa.')]],
  ['127.in-addr.arpa.', 'A', 0, [], [soa('127.in-addr.arpa.')]],
  ['255.in-addr.arpa.', 'NS', 0, ['255.in-addr.arpa. 604800 IN NS localhost.'], []],
  ['0.in-addr.arpa.', 'SOA', 0, [soa('0.in-addr.arpa.')], []],
]
for (const [name, type, rcode, answer, authority] of ROWS)
  test(`${name} ${type}`, async (t) => {
    const block = await blockOf(t, 'local', { plugins: [local], zones: ['.'] })
    const said = await block.answer(name, type)
    assert.equal(said.rcode, rcode)
    assert.deepEqual(textsOf(said.answer), answer)
    assert.deepEqual(textsOf(said.authority), authority)
  })

test('names below localhost are counted; all else goes on', async (t) => {
  const block = await blockOf(t, 'local', { plugins: [local], zones: ['.'] })
  for (const name of ['localhost.example.net', 'a.localhost', 'localhost']) await block.answer(name)
  assert.match(block.figures.text(), /coredns_local_localhost_requests_total 2\n/)
  assert.equal(await block.ask('localhost1.example.net'), 5)
  assert.equal(await block.ask('example.net'), 5)
})
