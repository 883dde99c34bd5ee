/** What is asked behind `rewrite`, and what its client is answered. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { DnsPlugin, DnsQuery } from '../../../contract/dns.ts'
import { RCODE, TYPE, typeName } from '../../../wire/dns/codes.ts'
import { targetOf } from '../../../wire/dns/common-rdata.ts'
import { parseRecord } from '../../../wire/dns/master-file.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { type AskOptions, blockOf } from '../testing/block.ts'
import rewrite from './plugin.ts'

/** What the chain behind has: `answers` for each question, and the questions that came. */
async function start(
  t: TestContext,
  rules: string,
  answers: (query: DnsQuery) => readonly string[] | number = () => [],
) {
  const asked: DnsQuery[] = []
  const behind: DnsPlugin = {
    name: 'behind',
    setup: () => ({
      handle(query) {
        asked.push(query)
        const records = answers(query)
        if (typeof records === 'number')
          return records === RCODE.SERVFAIL ? RCODE.SERVFAIL : query.reply(records)
        const reply = query.reply()
        reply.answer = records.map((line) => parseRecord(line))
        return reply
      },
    }),
  }
  const block = await blockOf(t, `${rules}\nbehind`, { plugins: [rewrite, behind], zones: ['.'] })
  const ask = async (name: string, type = 'A', more: AskOptions = {}) => await block.answer(name, type, more)
  return { ...block, ask, asked, lastAsked: () => asked.at(-1)! }
}

const shown = ({ question, answer }: DnsMessage) => [
  `${question[0]!.name} ${typeName(question[0]!.type)}`,
  ...answer.map((record) =>
    `${record.name} ${record.ttl} ${typeName(record.type)} ${targetOf(record) ?? ''}`.trimEnd(),
  ),
]

/** Each: rules, the name that is asked for, and the one that is asked behind. */
const NAMES: readonly (readonly [rules: string, name: string, behind: string])[] = [
  ['rewrite name a.org b.org', 'a.org.', 'b.org.'],
  ['rewrite name a.org b.org', 'A.ORG.', 'b.org.'],
  ['rewrite name a.org b.org', 'x.a.org.', 'x.a.org.'],
  ['rewrite name prefix ftp- www-', 'ftp-1.org.', 'www-1.org.'],
  ['rewrite name suffix .a.org .b.net', 'x.y.a.org.', 'x.y.b.net.'],
  ['rewrite name suffix a.org. b.net.', 'xa.org.', 'xb.net.'],
  [
    'rewrite name substring service.us-west-1.example.org service.us-west-1.consul',
    'ftp.service.us-west-1.example.org.',
    'ftp.service.us-west-1.consul.',
  ],
  [
    'rewrite name regex (.*)-(us-west-1)\\.example\\.org {1}.service.{2}.consul',
    'ftp-us-west-1.example.org.',
    'ftp.service.us-west-1.consul.',
  ],
  ['rewrite name a.org b.org\nrewrite name b.org c.org', 'a.org.', 'b.org.'],
  ['rewrite continue name a.org b.org\nrewrite name b.org c.org', 'a.org.', 'c.org.'],
]
for (const [rules, name, expected] of NAMES)
  test(`${rules.replaceAll('\n', ';')}: ${name} is asked as ${expected}`, async (t) => {
    const { ask, lastAsked } = await start(t, rules)
    const answer = await ask(name)
    assert.equal(lastAsked().name(), expected)
    assert.equal(String(answer.question[0]!.name), name)
    assert.deepEqual(lastAsked().message.question[0]!.name, lastAsked().qname)
  })

test('an exact name comes back as it was asked, as an owner and in data', async (t) => {
  const { ask } = await start(t, 'rewrite name RED blue', () => [
    'blue. 60 MX 10 blue.',
    'blue. 60 A 192.0.2.1',
    'other. 60 A 192.0.2.2',
  ])
  assert.deepEqual(shown(await ask('Red.')), ['Red. A', 'Red. 60 MX Red.', 'Red. 60 A', 'other. 60 A'])
})

test('answers to other matches are renamed where it is asked for', async (t) => {
  const records = (query: DnsQuery) => [
    `${query.name()} 60 CNAME x.service.consul.`,
    'x.service.consul. 60 A 192.0.2.1',
  ]
  const bare = await start(t, 'rewrite name suffix .a.org .service.consul', records)
  assert.deepEqual(shown(await bare.ask('x.a.org.')), [
    'x.a.org. A',
    'x.service.consul. 60 CNAME x.service.consul.',
    'x.service.consul. 60 A',
  ])
  const auto = await start(t, 'rewrite name suffix .a.org .service.consul answer auto', records)
  assert.deepEqual(shown(await auto.ask('x.a.org.')), [
    'x.a.org. A',
    'x.a.org. 60 CNAME x.a.org.',
    'x.a.org. 60 A',
  ])
  const named = await start(
    t,
    'rewrite stop {\n name regex (.*)\\.a\\.org {1}.service.consul\n answer name (.*)\\.service\\.consul {1}.a.org\n answer value (.*)\\.service\\.consul {1}.b.org\n}',
    records,
  )
  assert.deepEqual(shown(await named.ask('x.a.org.')), [
    'x.a.org. A',
    'x.a.org. 60 CNAME x.b.org.',
    'x.a.org. 60 A',
  ])
})

test('a name that is none is SERVFAIL, in questions and in answers', async (t) => {
  const one = await start(t, `rewrite name regex (.*) ${'x'.repeat(64)}.{1}`)
  await assert.rejects(
    one.ask('a.org.'),
    /outcome 2; logged: error rewrite: a\.org\. A: invalid name after rewrite/,
  )
  const other = await start(t, 'rewrite name regex (.*) b.org answer name (.*) {1}..', () => [
    'b.org. 60 A 192.0.2.1',
  ])
  await assert.rejects(other.ask('a.org.'), /invalid name after rewrite/)
})

test('types and classes are asked as others, and told back', async (t) => {
  const { ask, lastAsked } = await start(t, 'rewrite continue type ANY HINFO\nrewrite class CH IN')
  const answer = await ask('a.org.', 'ANY', { class: 3 })
  assert.deepEqual([lastAsked().qtype, lastAsked().qclass], [TYPE.HINFO, 1])
  assert.deepEqual([answer.question[0]!.type, answer.question[0]!.class], [TYPE.ANY, 3])
})

for (const [range, ttls] of [
  ['15', [15, 15, 15]],
  ['30-300', [30, 60, 300]],
  ['100-', [100, 100, 3600]],
  ['-100', [5, 60, 100]],
] as const)
  test(`TTLs in ${range} are ${ttls.join(', ')}`, async (t) => {
    const { ask } = await start(t, `rewrite ttl suffix a.org ${range}`, () => [
      'a.org. 5 A 192.0.2.1',
      'a.org. 60 A 192.0.2.2',
      'a.org. 3600 A 192.0.2.3',
    ])
    assert.deepEqual(
      (await ask('x.a.org.')).answer.map(({ ttl }) => ttl),
      ttls,
    )
    assert.deepEqual(
      (await ask('b.org.')).answer.map(({ ttl }) => ttl),
      [5, 60, 3600],
    )
  })

test('an answer that others hold is not changed', async (t) => {
  let held: DnsMessage | undefined
  const holder: DnsPlugin = {
    name: 'holder',
    setup: () => ({
      handle(query) {
        held ??= query.reply()
        if (held.answer.length === 0) held.answer.push(parseRecord('b.org. 5 A 192.0.2.1'))
        return held
      },
    }),
  }
  const { answer } = await blockOf(t, 'rewrite continue name a.org b.org\nrewrite ttl b.org 60\nholder', {
    plugins: [rewrite, holder],
    zones: ['.'],
  })
  assert.deepEqual(shown(await answer('a.org.')), ['a.org. A', 'a.org. 60 A'])
  assert.deepEqual(shown(held!), ['b.org. A', 'b.org. 5 A'])
})

test('codes are turned, also those that mean that nothing was written', async (t) => {
  const rules =
    'rewrite continue rcode suffix a.org NXDOMAIN NOERROR\nrewrite rcode suffix a.org SERVFAIL NXDOMAIN'
  const gone = await start(t, rules, () => RCODE.NXDOMAIN)
  assert.equal((await gone.ask('x.a.org.')).rcode, RCODE.NOERROR)
  assert.equal((await gone.ask('b.org.')).rcode, RCODE.NXDOMAIN)
  const failed = await start(t, rules, () => RCODE.SERVFAIL)
  assert.equal((await failed.ask('x.a.org.')).rcode, RCODE.NXDOMAIN)
})

test('a CNAME leads elsewhere, and what is there is looked up', async (t) => {
  const { ask } = await start(t, 'rewrite cname exact cdn.example. cdn.other.', (query) =>
    query.name() === 'cdn.other.'
      ? ['cdn.other. 60 A 192.0.2.9']
      : ['www.org. 60 CNAME cdn.example.', 'cdn.example. 60 A 192.0.2.1'],
  )
  assert.deepEqual(shown(await ask('www.org.')), [
    'www.org. A',
    'www.org. 60 CNAME cdn.other.',
    'cdn.other. 60 A',
  ])
  assert.deepEqual(shown(await ask('www.org.', 'CNAME')), ['www.org. CNAME', 'www.org. 60 CNAME cdn.other.'])
})

const OPTION_FFEE = { code: 0xffee, data: Buffer.from('old') }
/** Each: the rule, the options of the question, and those that are asked behind. */
const OPTIONS: readonly (readonly [
  rule: string,
  before: readonly { code: number; data: Buffer }[] | undefined,
  after: readonly string[],
])[] = [
  ['local set 0xffee abcd', undefined, ['65518=61626364']],
  ['local set 0xffee 0x61626364', [OPTION_FFEE], ['65518=61626364']],
  ['local append 0xffee new', [OPTION_FFEE], ['65518=6f6c64']],
  ['local append 0xffee new', [], ['65518=6e6577']],
  ['local replace 0xffee new', [], []],
  ['local replace 0xffee new', [OPTION_FFEE], ['65518=6e6577']],
  ['local unset 0xffee', [OPTION_FFEE], []],
  ['local set 1 {client_ip}', undefined, ['1=7f000001']],
  ['local set 1 {qname}', undefined, [`1=${Buffer.from('a.org.').toString('hex')}`]],
  ['local set 1 {qtype}', undefined, ['1=0001']],
  ['local set 1 {protocol}', undefined, ['1=756470']],
  ['local set 1 {server_ip}', undefined, ['1=7f000001']],
  ['local set 1 {server_port}', undefined, ['1=0035']],
  ['local set 1 {some/label}', undefined, ['1=']],
  ['nsid set', undefined, ['3=']],
  ['subnet set 20 56', undefined, ['8=000114007f0000']],
]
for (const [rule, before, after] of OPTIONS)
  test(`edns0 ${rule} makes ${JSON.stringify(after)} of ${before?.length ?? 'no'} options`, async (t) => {
    const { ask, lastAsked } = await start(t, `rewrite edns0 ${rule}`)
    await ask('a.org.', 'A', before && { edns: { options: [...before] } })
    const options = lastAsked().message.edns?.options ?? []
    assert.deepEqual(
      options.map(({ code, data }) => `${code}=${data.toString('hex')}`),
      after,
    )
    assert.deepEqual(lastAsked().edns?.options ?? [], options)
  })

test('an IPv6 client has its network told, and with revert the answer does not tell it', async (t) => {
  const { ask, lastAsked } = await start(t, 'rewrite edns0 subnet set 24 52 revert')
  const answer = await ask('a.org.', 'A', { ip: '2001:db8:1:ffff::1', edns: {} })
  assert.equal(lastAsked().message.edns!.options[0]!.data.toString('hex'), '0002340020010db80001f0')
  assert.deepEqual(answer.edns!.options, [])
})
