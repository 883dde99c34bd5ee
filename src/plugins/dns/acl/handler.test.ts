/** Who is let in by `acl`. The cases are those of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DROPPED, type DnsPlugin } from '../../../contract/dns.ts'
import { RCODE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { blockOf } from '../testing/block.ts'
import acl from './plugin.ts'

/** Stands behind, and answers everything with NXDOMAIN: what went on is told from what did not. */
const behind: DnsPlugin = {
  name: 'behind',
  setup: () => ({ handle: (query) => query.reply(RCODE.NXDOMAIN) }),
}

type Case = readonly [rules: string, name: string, ip: string, type: string, outcome: string]
const CASES: readonly Case[] = [
  ['acl {\n block type A net 192.168.0.0/16\n}', 'www.example.org', '192.168.0.2', 'A', 'blocked'],
  ['acl {\n block type A net 192.168.0.0/16\n}', 'www.example.org', '192.167.0.2', 'A', 'allowed'],
  ['acl {\n block type * net 192.168.0.0/16\n}', 'www.example.org', '192.168.0.2', 'AAAA', 'blocked'],
  ['acl {\n block type A\n}', 'www.example.org', '10.1.0.2', 'A', 'blocked'],
  ['acl {\n block type A\n}', 'www.example.org', '2001:db8::2', 'A', 'blocked'],
  ['acl {\n block type A\n}', 'www.example.org', '10.1.0.2', 'AAAA', 'allowed'],
  ['acl {\n block type A net 192.168.1.2\n}', 'www.example.org', '192.168.1.2', 'A', 'blocked'],
  ['acl {\n block type A net 192.168.1.2\n}', 'www.example.org', '192.168.1.3', 'A', 'allowed'],
  ['acl {\n filter type A net 192.168.0.0/16\n}', 'www.example.org', '192.168.0.2', 'A', 'filtered'],
  ['acl {\n filter type A net 192.168.0.0/16\n}', 'www.example.org', '192.167.0.2', 'A', 'allowed'],
  ['acl {\n drop net 192.168.0.0/16\n}', 'www.example.org', '192.168.0.2', 'A', 'dropped'],
  ['acl {\n allow net 192.168.0.0/16\n block\n}', 'www.example.org', '192.168.0.2', 'A', 'allowed'],
  ['acl {\n allow net 192.168.0.0/16\n block\n}', 'www.example.org', '10.1.0.2', 'A', 'blocked'],
  ['acl {\n block net 192.168.1.0/24\n allow\n block\n}', 'www.example.org', '10.1.0.2', 'A', 'allowed'],
  ['acl a.example.org {\n block net 192.168.1.0/24\n}', 'a.example.org', '192.168.1.2', 'A', 'blocked'],
  ['acl a.example.org {\n block net 192.168.1.0/24\n}', 'x.a.example.org', '192.168.1.2', 'A', 'blocked'],
  ['acl a.example.org {\n block net 192.168.1.0/24\n}', 'www.example.org', '192.168.1.2', 'A', 'allowed'],
  ['acl {\n block net 2001:db8:abcd::/48\n}', 'www.example.org', '2001:db8:abcd::7', 'AAAA', 'blocked'],
  ['acl {\n block net 2001:db8:abcd::/48\n}', 'www.example.org', '2001:db8:abce::7', 'AAAA', 'allowed'],
  // The rules of a line that do not mean a query leave it to the next line.
  [
    'acl a.example.org {\n block net 10.0.0.0/8\n}\nacl b.example.org {\n block net 192.168.0.0/16\n}',
    'b.example.org',
    '192.168.1.2',
    'A',
    'blocked',
  ],
  // What one line allows, none behind it blocks.
  [
    'acl a.example.org {\n allow net 10.0.0.0/8\n}\nacl {\n block\n}',
    'a.example.org',
    '10.0.0.1',
    'A',
    'allowed',
  ],
]
for (const [rules, name, ip, type, expected] of CASES)
  test(`${rules.replaceAll('\n', ';')}: ${type} of ${name} from ${ip} is ${expected}`, async (t) => {
    const block = await blockOf(t, `${rules}\nbehind`, { plugins: [acl, behind] })
    const outcome = await block.ask(name, type, { ip })
    const told =
      outcome === DROPPED
        ? 'dropped'
        : outcome instanceof DnsMessage
          ? { [RCODE.NXDOMAIN]: 'allowed', [RCODE.REFUSED]: 'blocked', [RCODE.NOERROR]: 'filtered' }[
              outcome.rcode
            ]
          : outcome
    assert.equal(told, expected)
    const line = `coredns_acl_${expected}_requests_total{server=""`
    assert.match(block.figures.text(), new RegExp(`^${line}.*} 1$`, 'm'))
  })

test('thousands of networks, on one line or on many, are one search', async (t) => {
  const networks = Array.from({ length: 5000 }, (_, index) => `10.${index >> 8}.${index & 255}.0/25`)
  const rules = [
    `acl {\n${networks.map((network) => ` block net ${network}`).join('\n')}\n}`,
    `acl {\n block net ${networks.join(' ')}\n}`,
  ]
  for (const text of rules) {
    const block = await blockOf(t, `${text}\nbehind`, { plugins: [acl, behind] })
    const rcodeFor = async (ip: string) => (await block.answer('www.example.org', 'A', { ip })).rcode
    assert.equal(await rcodeFor('10.7.9.127'), RCODE.REFUSED)
    assert.equal(await rcodeFor('10.7.9.128'), RCODE.NXDOMAIN)
    const cpuBefore = process.cpuUsage()
    for (let asked = 0; asked < 2000; asked++)
      await block.ask('www.example.org', 'A', { ip: '10.19.135.128' })
    const { user, system } = process.cpuUsage(cpuBefore)
    // A search of one after the other takes about ten times as long as all of this.
    assert.ok((user + system) / 2000 < 100, `${(user + system) / 2000} µs a query`)
  }
})
