/** What `dns64` takes and refuses (the tables of CoreDNS), and what it makes of addresses. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { formatIp } from '../../../base/ip-address.ts'
import type { DnsOutcome, DnsPlugin, DnsQuery } from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import { blockOf } from '../testing/block.ts'
import dns64 from './plugin.ts'
import { embedded, type Nat64Prefix, readNat64Prefix } from './prefix.ts'

const GOOD = [
  'dns64',
  'dns64 64:dead::/96',
  'dns64 {\n translate_all\n}',
  'dns64 {\n allow_ipv4\n}',
  'dns64 {\n translate_all\n allow_ipv4\n}',
  ...['64:ff9b::/96', '64:ff9b::/32', '2002:ac12:b083::/96', '2002:c0a8:a88a::/48'].map(
    (prefix) => `dns64 {\n prefix ${prefix}\n}`,
  ),
  ...[32, 40, 48, 56, 64, 96].map((length) => `dns64 2001:db8::/${length}`),
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [dns64] })
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  ...[72, 80, 88, 104, 24, 52].map(
    (length) => [`dns64 64:ff9b::/${length}`, /invalid prefix length .*: expected one of 32, 40/] as const,
  ),
  ['dns64 {\n prefix 8.8.8.8/24\n}', /Corefile:2 - .*expected a prefix of IPv6/],
  ['dns64 foobar {\n prefix 64:ff9b::/96\n}', /invalid CIDR address: foobar/],
  ['dns64 foobar', /invalid CIDR address: foobar/],
  ['dns64 64:ff9b::', /invalid CIDR address/],
  ['dns64 64:ff9b::/96 64:ff9b::/96', /Wrong argument count/],
  ['dns64 {\n foobar\n}', /unknown property 'foobar'/],
  ['dns64 {\n prefix\n}', /prefix takes 1/],
  ['dns64 {\n allow_ipv4 yes\n}', /allow_ipv4 takes 0/],
]
for (const [text, message] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [dns64] }), message)
  })

test('an address of IPv4 stands where RFC 6052 says', () => {
  // The table of §2.4.
  for (const [prefix, expected] of [
    ['2001:db8::/32', '2001:db8:c000:221::'],
    ['2001:db8:100::/40', '2001:db8:1c0:2:21::'],
    ['2001:db8:122::/48', '2001:db8:122:c000:2:2100::'],
    ['2001:db8:122:300::/56', '2001:db8:122:3c0:0:221::'],
    ['2001:db8:122:344::/64', '2001:db8:122:344:c0:2:2100:0'],
    ['2001:db8:122:344::/96', '2001:db8:122:344::c000:221'],
    ['64:ff9b::/96', '64:ff9b::c000:221'],
  ] as const) {
    const bytes = embedded(readNat64Prefix(prefix) as Nat64Prefix, Buffer.from([192, 0, 2, 33]))
    assert.equal(textOf(bytes), expected)
  }
})

const textOf = (bytes: Buffer): string =>
  formatIp({
    family: 6,
    words: [bytes.readUInt32BE(0), bytes.readUInt32BE(4), bytes.readUInt32BE(8), bytes.readUInt32BE(12)],
  })

const record = (name: string, type: number, rdata: Buffer, ttl = 300) =>
  new DnsRecord(DnsName.parse(name), type, ttl, rdata)
const SOA = Buffer.concat([Buffer.from('\x01a\0\x01b\0', 'latin1'), Buffer.alloc(20)])

async function behind(t: TestContext, text: string, answers: (query: DnsQuery) => DnsOutcome) {
  const asked: string[] = []
  const origin: DnsPlugin = {
    name: 'origin',
    setup: () => ({
      handle: (query) => {
        asked.push(query.type())
        return answers(query)
      },
    }),
  }
  const block = await blockOf(t, `${text}\norigin`, { plugins: [dns64, origin] })
  return { ...block, asked }
}

/** A CNAME and an address of IPv4; nothing of IPv6. */
const onlyIpv4 = (query: DnsQuery): DnsOutcome => {
  const answer = query.reply()
  const alias = record(
    'www.example.org',
    TYPE.CNAME,
    Buffer.from(DnsName.parse('v4.example.org').wire, 'latin1'),
  )
  if (query.qtype === TYPE.A)
    answer.answer.push(alias, record('v4.example.org', TYPE.A, Buffer.from([192, 0, 2, 1])))
  else answer.authority.push(record('example.org', TYPE.SOA, SOA, 120))
  return answer
}

test('a client on IPv6 gets an address of IPv6 for what has none, for as long as there is none', async (t) => {
  const { answer, figures } = await behind(t, 'dns64', onlyIpv4)
  const made = await answer('www.example.org', 'AAAA', { ip: '2001:db8::53' })
  assert.deepEqual(
    made.answer.map(({ type, ttl }) => [type, ttl]),
    [
      [TYPE.CNAME, 300],
      [TYPE.AAAA, 120],
    ],
  )
  assert.equal(textOf(made.answer[1]!.rdata), '64:ff9b::c000:201')
  assert.match(figures.text(), /coredns_dns64_requests_translated_total\{server=""\} 1/)
})

test('not for clients on IPv4 unless that is said, nor for other types, nor for who checks signatures itself', async (t) => {
  const { answer } = await behind(t, 'dns64', onlyIpv4)
  assert.equal((await answer('www.example.org', 'AAAA')).answer.length, 0)
  assert.equal((await answer('www.example.org', 'MX', { ip: '2001:db8::53' })).answer.length, 0)
  const all = await behind(t, 'dns64 {\nallow_ipv4\n}', onlyIpv4)
  assert.equal((await all.answer('www.example.org', 'AAAA')).answer.length, 2)
})

test('not where there are addresses of IPv6, unless all are translated; those that reach nobody do not count', async (t) => {
  const having = (address: Buffer) => (query: DnsQuery) => {
    const answer = query.reply()
    answer.answer.push(
      query.qtype === TYPE.A
        ? record('www.example.org', TYPE.A, Buffer.from([192, 0, 2, 1]))
        : record('www.example.org', TYPE.AAAA, address),
    )
    return answer
  }
  const real = Buffer.from('20010db8000000000000000000000001', 'hex')
  const mapped = Buffer.from('00000000000000000000ffffc0000201', 'hex')
  const shown = async (text: string, address: Buffer) => {
    const { answer } = await behind(t, text, having(address))
    return textOf((await answer('www.example.org', 'AAAA', { ip: '2001:db8::53' })).answer[0]!.rdata)
  }
  assert.equal(await shown('dns64', real), '2001:db8::1')
  assert.equal(await shown('dns64 {\ntranslate_all\n}', real), '64:ff9b::c000:201')
  assert.equal(await shown('dns64', mapped), '64:ff9b::c000:201')
})

test('a name that does not exist stays so, and where nothing can be made the first answer counts', async (t) => {
  const missing = await behind(t, 'dns64', (query) => query.reply(RCODE.NXDOMAIN))
  assert.equal((await missing.answer('no.example.org', 'AAAA', { ip: '2001:db8::53' })).rcode, RCODE.NXDOMAIN)
  assert.deepEqual(missing.asked, ['AAAA'])
  const empty = await behind(t, 'dns64', (query) => query.reply())
  assert.equal((await empty.answer('www.example.org', 'AAAA', { ip: '2001:db8::53' })).answer.length, 0)
  const failing = await behind(t, 'dns64', (query) =>
    query.qtype === TYPE.A ? RCODE.SERVFAIL : query.reply(),
  )
  assert.equal((await failing.answer('www.example.org', 'AAAA', { ip: '2001:db8::53' })).rcode, RCODE.NOERROR)
})
