/** Answers that dnspython validates, with keys of each algorithm as `dnssec-keygen` makes them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { parseRecord } from '../../../wire/dns/master-file.ts'
import { recordText, rdataText } from '../../../wire/dns/rdata-text.ts'
import { askPython } from '../../../wire/dns/testing/python.ts'
import { answering } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import dnssec from './plugin.ts'

const folder = mkdtempSync(join(tmpdir(), 'orla-dnssec-'))
after(() => rmSync(folder, { recursive: true }))
const keygen = (...args: readonly string[]): string =>
  execFileSync('dnssec-keygen', ['-q', '-K', folder, ...args, 'example.org'], { encoding: 'utf8' }).trim()
const KSK = keygen('-a', 'ECDSAP256SHA256', '-f', 'KSK')
const ZSK = keygen('-a', 'ECDSAP256SHA256')
const RSA = keygen('-a', 'RSASHA256', '-b', '2048')
const ED = keygen('-a', 'ED25519')
const DO = { edns: { isDo: true } }

itTakes(
  dnssec,
  [
    'dnssec',
    'dnssec example.org',
    'dnssec 10.0.0.0/8',
    'dnssec example.org {\ncache_capacity 100\n}',
    `dnssec example.org {\nkey file ${KSK}\n}`,
    `dnssec example.org example.net {\nkey file ${KSK}.key ${ZSK}.private\n}`,
  ],
  folder,
)
itRefuses(
  dnssec,
  [
    [`dnssec example.net {\nkey file ${KSK}\n}`, /can not sign any/],
    ['dnssec example.org {\nkey\n}', /:2 - .*key takes files/],
    ['dnssec example.org {\nkey file\n}', /:2 - .*key takes files/],
    ['dnssec example.org {\nkey file gone\n}', /:2 - .*gone\.key/],
    ['dnssec example.org {\ncache_capacity many\n}', /:2 - .*takes a number/],
    ['dnssec example.org {\nblah\n}', /unknown property 'blah'/],
    ['dnssec\ndnssec', /only be used once/],
  ],
  folder,
)

const SOA = parseRecord('example.org. 300 SOA ns.example.org. h.example.org. 1 2 3 4 300')
const answers = answering((query) => {
  const reply = query.reply()
  reply.isAuthoritative = true
  if (query.name() === 'www.example.org.' && query.type() === 'MX')
    reply.answer.push(
      parseRecord('www.example.org. 60 MX 10 B.Example.org.'),
      parseRecord('www.example.org. 60 MX 5 A.Example.org.'),
    )
  else {
    reply.authority.push(SOA)
    if (query.name() !== 'www.example.org.') reply.rcode = RCODE.NXDOMAIN
  }
  return reply
})

const lines = (message: DnsMessage): string[] => [...message.answer, ...message.authority].map(recordText)

test('answers, keys and denials are valid, with each algorithm and with split keys', async (t) => {
  for (const keys of [`${KSK} ${ZSK}`, KSK, RSA, ED]) {
    const text = `dnssec {\nkey file ${keys}\n}\nanswers`
    const block = await blockOf(t, text, { plugins: [dnssec, answers], folder })
    const messages = [
      await block.answer('example.org', 'DNSKEY', DO),
      await block.answer('www.example.org', 'MX', DO),
      await block.answer('www.example.org', 'TXT', DO),
      await block.answer('Gone.example.org', 'A', DO),
    ]
    const valid = await askPython<number>(
      `
import dns.rrset, dns.dnssec, dns.name, dns.rdatatype, json, sys
cases = json.load(sys.stdin)
def sets(lines):
    found = {}
    for line in lines:
        owner, ttl, klass, kind, data = line.split(' ', 4)
        cover = data.split(' ')[0] if kind == 'RRSIG' else kind
        found.setdefault((owner.lower(), cover), {}).setdefault(kind, []).append((owner, int(ttl), data))
    return found
def rrset(kind, records):
    return dns.rrset.from_text_list(records[0][0], records[0][1], 'IN', kind, [data for _, _, data in records])
keys = {dns.name.from_text('example.org'): rrset('DNSKEY', sets(cases[0])[('example.org.', 'DNSKEY')]['DNSKEY'])}
for lines in cases:
    count = 0
    for (owner, kind), both in sets(lines).items():
        dns.dnssec.validate(rrset(kind, both[kind]), rrset('RRSIG', both['RRSIG']), keys)
        count += 1
    print(count)
`,
      messages.map(lines),
    )
    assert.deepEqual(valid, [1, 1, 2, 2], keys)
    assert.equal(messages[3]!.rcode, RCODE.NOERROR, 'a denial is a name without what was asked for')
    const nsec = messages[2]!.authority.find(({ type }) => type === TYPE.NSEC)!
    assert.match(rdataText(nsec.type, nsec.rdata), /^\\000\.www\.example\.org\. A (?!.*\bTXT\b)/)
  }
})

test('only who wants signatures gets them, what is signed stays, and they are made once', async (t) => {
  const block = await blockOf(t, `dnssec {\nkey file ${ED}\n}\nanswers`, {
    plugins: [dnssec, answers],
    folder,
  })
  assert.equal((await block.answer('www.example.org', 'MX')).answer.length, 2)
  const [first, second] = [
    await block.answer('www.example.org', 'MX', DO),
    await block.answer('www.example.org', 'MX', DO),
  ]
  assert.equal(first.answer.length, 3)
  assert.equal(first.answer[2], second.answer[2])
})

test('a denial that is signed stays as it is: its signatures are in the authority section', async (t) => {
  const signature = 'RRSIG SOA 13 2 60 20300101000000 20200101000000 1 example.org. AAAA'
  const denying = answering((query) => {
    const reply = query.reply(RCODE.NXDOMAIN)
    const lines = [
      'SOA ns1.example.org. h.example.org. 1 2 3 4 5',
      signature,
      'NSEC z.example.org. A RRSIG NSEC',
    ]
    reply.authority = lines.map((line) => parseRecord(`example.org. 60 ${line}`))
    return reply
  })
  const block = await blockOf(t, `dnssec {\nkey file ${ED}\n}\nanswers`, {
    plugins: [dnssec, denying],
    folder,
  })
  const { rcode, authority } = await block.answer('nope.example.org', 'A', DO)
  assert.deepEqual(
    [rcode, authority.map(({ type }) => type)],
    [RCODE.NXDOMAIN, [TYPE.SOA, TYPE.RRSIG, TYPE.NSEC]],
  )
})

const CUT = ['sub.example.org. 60 NS ns.sub.example.org.', 'ns.sub.example.org. 60 A 192.0.2.1']
const DS = 'sub.example.org. 60 DS 1 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF'
const ALIAS = 'www.example.org. 60 CNAME x.sub.example.org.'

test('a referral says whether what is below is signed, and what is below is not signed here', async (t) => {
  const signatures = async (given: readonly string[]) => {
    const referral = answering((query) => {
      const reply = query.reply()
      for (const record of given.map((line) => parseRecord(line)))
        (record.type === TYPE.CNAME
          ? reply.answer
          : record.type === TYPE.A
            ? reply.additional
            : reply.authority
        ).push(record)
      return reply
    })
    const block = await blockOf(t, `dnssec {\nkey file ${ED}\n}\nanswers`, {
      plugins: [dnssec, referral],
      folder,
    })
    const { answer, authority, additional } = await block.answer('www.example.org', 'A', DO)
    return [answer, authority, additional].map((section) =>
      section.map(({ type, rdata }) => (type === TYPE.RRSIG ? `over ${rdata.readUInt16BE(0)}` : type)),
    )
  }
  const { CNAME, NS, NSEC, A } = TYPE
  assert.deepEqual(await signatures([...CUT, DS]), [[], [NS, TYPE.DS, `over ${TYPE.DS}`], [A]])
  assert.deepEqual(await signatures(CUT), [[], [NS, NSEC, `over ${NSEC}`], [A]])
  assert.deepEqual(await signatures([ALIAS, ...CUT]), [
    [CNAME, `over ${CNAME}`],
    [NS, NSEC, `over ${NSEC}`],
    [A],
  ])
})

test('that a name grows too long by a DNAME is signed, too', async (t) => {
  const tooLong = answering((query) => {
    const reply = query.reply(RCODE.YXDOMAIN)
    reply.answer.push(parseRecord('example.org. 60 DNAME long.example.net.'))
    return reply
  })
  const block = await blockOf(t, `dnssec {\nkey file ${ED}\n}\nanswers`, {
    plugins: [dnssec, tooLong],
    folder,
  })
  const { answer } = await block.answer('www.example.org', 'A', DO)
  assert.deepEqual(
    answer.map(({ type }) => type),
    [TYPE.DNAME, TYPE.RRSIG],
  )
})
