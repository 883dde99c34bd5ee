/** What `hosts` answers, and that it follows its file. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { blockOf } from '../testing/block.ts'
import { HostsTable } from './hosts-table.ts'
import hosts from './plugin.ts'

const FILE = `
127.0.0.1  localhost.example.org LOCALHOST2.example.org # and more
10.0.0.1   a.example.org b.example.org.
10.0.0.2   a.example.org
::1        a.example.org
fe80::1%lo0 scoped.example.org
10.9.9.9   *.wild.example.org
10.9.9.8   own.wild.example.org
10.0.0.3   elsewhere.example.com
nonsense   x.example.org
10.0.0.300 x.example.org
10.0.0.4
10.0.0.5   bad..name.example.org good.example.org
`

function fileOf(t: TestContext, text = FILE): string {
  const folder = mkdtempSync(join(tmpdir(), 'hosts-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'hosts'), text)
  return join(folder, 'hosts')
}

const shown = ({ answer }: DnsMessage): string[] =>
  answer.map(({ name, type, rdata, ttl }) =>
    type === TYPE.PTR
      ? `${name.toString()} ${ttl} ${new DnsName(rdata.toString('latin1')).toString()}`
      : `${name.toString()} ${ttl} ${rdata.toString('hex')}`,
  )

test('names have their addresses of the family that is asked for, in the order of the file', async (t) => {
  const block = await blockOf(t, `hosts ${fileOf(t)} {\n 10.0.0.7 A.example.org\n ttl 30\n}`, {
    plugins: [hosts],
  })
  const answer = await block.answer('A.Example.org')
  assert.ok(answer.isAuthoritative)
  assert.deepEqual(shown(answer), [
    'A.Example.org. 30 0a000001',
    'A.Example.org. 30 0a000002',
    'A.Example.org. 30 0a000007',
  ])
  assert.deepEqual(shown(await block.answer('a.example.org', 'AAAA')), [
    `a.example.org. 30 ${'0'.repeat(31)}1`,
  ])
  assert.deepEqual(shown(await block.answer('localhost2.example.org')), [
    'localhost2.example.org. 30 7f000001',
  ])
  assert.equal(shown(await block.answer('scoped.example.org', 'AAAA')).length, 1)
  assert.equal(shown(await block.answer('good.example.org')).length, 1)
})

test('an address has its names, whatever the zones of the server block, but for those outside of the own zones', async (t) => {
  const block = await blockOf(t, `hosts ${fileOf(t)}`, { plugins: [hosts] })
  assert.deepEqual(shown(await block.answer('1.0.0.10.in-addr.arpa', 'PTR')), [
    '1.0.0.10.in-addr.arpa. 3600 a.example.org.',
    '1.0.0.10.in-addr.arpa. 3600 b.example.org.',
  ])
  const one = `1.${'0.'.repeat(31)}ip6.arpa`
  assert.deepEqual(shown(await block.answer(one, 'PTR')), [`${one}. 3600 a.example.org.`])
  assert.equal(await block.ask('3.0.0.10.in-addr.arpa', 'PTR'), RCODE.REFUSED)
  assert.equal(await block.ask('9.9.9.10.in-addr.arpa', 'PTR'), RCODE.REFUSED)
})

test('without reverse there are no PTR records', async (t) => {
  const block = await blockOf(t, `hosts ${fileOf(t)} {\n no_reverse\n}`, { plugins: [hosts] })
  assert.equal(await block.ask('1.0.0.10.in-addr.arpa', 'PTR'), RCODE.REFUSED)
})

test('a wildcard stands for one label that has no entry of its own', async (t) => {
  const block = await blockOf(t, `hosts ${fileOf(t)}`, { plugins: [hosts] })
  assert.deepEqual(shown(await block.answer('x.wild.example.org')), ['x.wild.example.org. 3600 0a090909'])
  assert.deepEqual(shown(await block.answer('own.wild.example.org')), ['own.wild.example.org. 3600 0a090908'])
  for (const name of ['wild.example.org', 'y.x.wild.example.org'])
    assert.equal(await block.ask(name), RCODE.SERVFAIL)
})

test('what is not there is SERVFAIL, or goes on; another type of a name that is there is an empty answer', async (t) => {
  const path = fileOf(t)
  const alone = await blockOf(t, `hosts ${path}`, { plugins: [hosts] })
  assert.equal(await alone.ask('nobody.example.org'), RCODE.SERVFAIL)
  assert.equal(await alone.ask('elsewhere.example.com'), RCODE.REFUSED)
  const txt = await alone.answer('a.example.org', 'TXT')
  assert.deepEqual([txt.rcode, txt.answer.length], [RCODE.NOERROR, 0])
  const falling = await blockOf(t, `hosts ${path} {\n fallthrough example.org\n fallthrough_unsupported\n}`, {
    plugins: [hosts],
  })
  assert.equal(await falling.ask('nobody.example.org'), RCODE.REFUSED)
  assert.equal(await falling.ask('a.example.org', 'TXT'), RCODE.REFUSED)
  assert.equal((await falling.answer('b.example.org', 'AAAA')).answer.length, 0)
})

test('a file that changes is read again; one that is deleted stays as it was; lines that are wrong are told of', async (t) => {
  const path = fileOf(t)
  const block = await blockOf(t, `hosts ${path} {\n reload 20ms\n}`, { plugins: [hosts] })
  assert.match(block.logged.join('\n'), /warn hosts: .*lines 10, 11, 12, 13 are passed over/)
  writeFileSync(path, '10.1.1.1 a.example.org\n')
  await eventually(
    async () => shown(await block.answer('a.example.org')).join() === 'a.example.org. 3600 0a010101',
  )
  rmSync(path)
  await eventually(() => block.logged.some((line) => /what was read before is served on/.test(line)))
  assert.equal(shown(await block.answer('a.example.org')).length, 1)
  writeFileSync(path, '10.1.1.2 a.example.org\n')
  await eventually(
    async () => shown(await block.answer('a.example.org')).join() === 'a.example.org. 3600 0a010102',
  )
  assert.match(block.figures.text(), /coredns_hosts_entries 2\n/)
  assert.match(block.figures.text(), /coredns_hosts_reload_timestamp_seconds \d/)
})

test('a long list is read in little time', () => {
  const text = Array.from({ length: 100_000 }, (_, n) => `0.0.0.0 ad${n}.example.org`).join('\n')
  const before = process.cpuUsage()
  const table = new HostsTable({ origins: [DnsName.ROOT], hasReverse: false }).read(text)
  const { user } = process.cpuUsage(before)
  assert.equal(table.entries, 100_000)
  assert.ok(user < 5_000_000, `${user} µs`)
})
