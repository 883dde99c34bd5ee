import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { PHASE_BITS, type UnitVersion } from '../../contract/unit.ts'
import type { UnitSet } from '../../contract/messages.ts'
import type { DnsNext, DnsOutcome } from '../../contract/dns.ts'
import { type AskOptions, queryFor } from '../../plugins/dns/testing/block.ts'
import { startRunner, type TestUnit, unit } from '../../sandbox/testing/runner.ts'
import { DnsMatcher } from '../../unit/dns-matcher.ts'
import { RCODE, TYPE, typeName } from '../../wire/dns/codes.ts'
import { DnsMessage } from '../../wire/dns/message.ts'
import { DnsName } from '../../wire/dns/name.ts'
import { DnsRecord } from '../../wire/dns/record.ts'
import { UnitQueries } from './unit-queries.ts'

const behind: DnsNext = (query) => {
  query.answeredBy = 'behind'
  const answer = query.reply()
  answer.answer.push(new DnsRecord(query.qname, TYPE.A, 30, Buffer.of(198, 51, 100, 9)))
  return answer
}

async function unitsOf(t: TestContext, units: readonly UnitVersion[], rest: Partial<UnitSet> = {}) {
  const { runner, lines, close } = await startRunner()
  t.after(close)
  const set = { epoch: 1, enabled: true, units, lastGood: {}, ...rest }
  const sampledOut: string[] = []
  const matcher = new DnsMatcher(set, { name: 'here', groups: [] })
  const queries = new UnitQueries({
    live: { matcher: () => matcher, lastGood: set.lastGood },
    runner,
    chance: { random: () => 0.5, onSampledOut: ({ name }) => sampledOut.push(name) },
  })
  const ask = async (name: string, type = 'A', options: AskOptions = {}, only?: ReadonlySet<string>) => {
    const query = queryFor(name, type, options)
    query.zone = DnsName.parse('example.org')
    return { query, outcome: await queries.run(query, behind, only) }
  }
  return { ask, queries, runner, lines, sampledOut }
}

const answering = (handlers: string, options: TestUnit = {}): UnitVersion => ({
  ...unit(handlers, options),
  phases: PHASE_BITS.dns,
})

/** `RCODE owner ttl type data…` */
function shown(outcome: DnsOutcome): string {
  if (!(outcome instanceof DnsMessage)) return String(outcome)
  const records = outcome.answer.map(({ name, ttl, type, rdata }) => {
    const data = type === TYPE.A ? [...rdata].join('.') : rdata.toString('latin1')
    return `${name} ${ttl} ${typeName(type)} ${data}`
  })
  return [outcome.rcode, ...records].join('; ')
}

test('a unit answers with records, as text or in parts', async (t) => {
  const code = `dns(query) {
    switch (query.name) {
      case 'text.example.org': return ['A 192.0.2.1', '30 IN A 192.0.2.2', 'other.example.org. 9 A 192.0.2.3']
      case 'parts.example.org': return [{ type: 'A', data: '192.0.2.4', ttl: 5 }, { name: 'b.example.org', type: 'A', data: '192.0.2.5' }]
      case 'texts.example.org': return [{ type: 'TXT', data: ['a "b"', 'c'] }]
      case 'none.example.org': return { rcode: 'NXDOMAIN' }
      case 'told.example.org': {
        const { type, client, proto, transport, zone } = query
        return [{ type: 'TXT', data: [type, client.address, String(client.port), proto, transport, String(query.do), query.class, zone] }]
      }
      case 'whole.example.org': return { answer: ['A 192.0.2.6'], authority: ['example.org. A 192.0.2.7'], aa: false }
    }
  }`
  const { ask } = await unitsOf(t, [answering(code, { name: 'answers' })])
  const answers: [string, string][] = [
    [
      'text.example.org',
      '0; text.example.org. 60 A 192.0.2.1; text.example.org. 30 A 192.0.2.2; other.example.org. 9 A 192.0.2.3',
    ],
    ['PARTS.example.org', '0; PARTS.example.org. 5 A 192.0.2.4; b.example.org. 60 A 192.0.2.5'],
    ['texts.example.org', '0; texts.example.org. 60 TXT \x05a "b"\x01c'],
    ['none.example.org', '3'],
    [
      'told.example.org',
      `0; told.example.org. 60 TXT \x01A\x09192.0.2.9\x0540000\x03udp\x03dns\x04true\x02IN\x0bexample.org`,
    ],
    ['else.example.org', '0; else.example.org. 30 A 198.51.100.9'],
  ]
  for (const [name, expected] of answers) {
    const { outcome } = await ask(name, 'A', { ip: '192.0.2.9', edns: { isDo: true } })
    assert.equal(shown(outcome), expected)
  }
  const { query, outcome } = await ask('whole.example.org')
  assert.ok(outcome instanceof DnsMessage)
  assert.equal(outcome.isAuthoritative, false)
  assert.equal(outcome.authority.length, 1)
  assert.equal(query.answeredBy, 'unit/answers')
  assert.equal(query.isForClientAlone, true)
})

test('what is asked in its place is answered by the chain, under the name of the client', async (t) => {
  const code = `async dns(query) { await null; return { ask: { name: 'v2.' + query.name, type: 'A' } } }`
  const { ask } = await unitsOf(t, [answering(code)])
  const { query, outcome } = await ask('WWW.example.org', 'TXT')
  assert.equal(shown(outcome), '0; WWW.example.org. 30 A 198.51.100.9')
  assert.ok(outcome instanceof DnsMessage)
  assert.equal(outcome.question[0]!.name.toString(), 'WWW.example.org.')
  assert.equal(outcome.question[0]!.type, TYPE.TXT)
  assert.equal(query.answeredBy, 'behind')
})

test('the first unit that answers answers; which ones are asked is said by hosts, priority and the line of the plugin', async (t) => {
  const one = (name: string, manifest: TestUnit['manifest'] = {}) =>
    answering(`dns() { return [{ type: 'TXT', data: ['${name}'] }] }`, { name, manifest })
  const { ask, queries } = await unitsOf(t, [
    one('all'),
    one('below', { hosts: ['*.example.org'], priority: 1 }),
    one('exact', { hosts: ['www.example.org'], priority: 2 }),
    one('elsewhere', { nodes: ['there'], priority: 3 }),
    answering(`dns(query) { if (query.name === 'b.example.org') return }`, {
      name: 'silent',
      manifest: { priority: 4 },
    }),
  ])
  assert.equal(queries.isHooked, true)
  const by = async (name: string, only?: ReadonlySet<string>) =>
    (await ask(name, 'A', {}, only)).query.answeredBy
  assert.equal(await by('www.example.org'), 'unit/exact')
  assert.equal(await by('b.example.org'), 'unit/below')
  assert.equal(await by('example.org'), 'unit/all')
  assert.equal(await by('www.example.org', new Set(['all', 'silent'])), 'unit/all')
  assert.equal(await by('www.example.org', new Set(['elsewhere'])), 'behind')
})

test('a unit that fails is SERVFAIL with the reason, or as if it were not there, or the version before', async (t) => {
  const one = (name: string, code: string, onError?: 'open' | 'lastGood') =>
    answering(`dns() { ${code} }`, {
      name,
      manifest: { hosts: [`${name}.example.org`], ...(onError && { onError }) },
    })
  const good = { ...one('last', `return ['A 192.0.2.8']`), version: 1 }
  const { ask, runner, lines } = await unitsOf(
    t,
    [
      one('throws', `throw new Error('no')`),
      one('loops', 'for (;;);'),
      one('open', `throw new Error('no')`, 'open'),
      one('last', `throw new Error('no')`, 'lastGood'),
      one('wrong', `return ['A 192.0.2.300']`),
      one('typeless', `return ['hello']`),
      one('rcode', `return { rcode: 'NOPE' }`),
      one('number', 'return 7'),
      one('asks', `return { ask: { name: 'a..b' } }`),
      one('lines', `return ['A 192.0.2.1\\nnA 192.0.2.2']`),
    ],
    { lastGood: { last: good } },
  )
  const why = async (name: string) => {
    const { query, outcome } = await ask(`${name}.example.org`)
    assert.equal(outcome, RCODE.SERVFAIL, name)
    assert.equal(query.answeredBy, `unit/${name}`)
    return query.explanations.map(({ text }) => text).join()
  }
  assert.equal(await why('throws'), 'unit/throws: throw')
  assert.equal(await why('loops'), 'unit/loops: cpu')
  assert.equal(shown((await ask('open.example.org')).outcome), '0; open.example.org. 30 A 198.51.100.9')
  assert.equal(shown((await ask('last.example.org')).outcome), '0; last.example.org. 60 A 192.0.2.8')
  for (const name of ['wrong', 'typeless', 'rcode', 'number', 'asks', 'lines'])
    assert.equal(await why(name), `unit/${name}: throw`)
  const said = (name: string) =>
    lines
      .filter((line) => line.unit === name)
      .map(({ message }) => message)
      .join()
  assert.match(said('wrong'), /record "A 192\.0\.2\.300": A: .*192\.0\.2\.300/)
  assert.match(said('typeless'), /"hello" is no type; expected \[NAME\.\] \[TTL\] TYPE DATA/)
  assert.match(said('rcode'), /rcode "NOPE" is none: expected NOERROR/)
  assert.match(said('number'), /dns returned the number 7; return nothing, a list of records/)
  assert.match(said('asks'), /ask\.name: "a\.\.b" has an empty label/)
  assert.match(said('lines'), /the list holds a line break/)
  const runs = runner
    .metrics()
    .filter(({ name, labels }) => name === 'orla_unit_runs_total' && labels['unit'] === 'open')
  assert.deepEqual(
    runs.map(({ labels, value }) => [labels['phase'], value]),
    [['dns', 1]],
  )
})

test('a share of the clients is asked by samples and by versions on their way', async (t) => {
  const live = { ...answering(`dns() { return ['A 192.0.2.1'] }`, { name: 'way' }), version: 1 }
  const next = { ...answering(`dns() { return ['A 192.0.2.2'] }`, { name: 'way' }), version: 2 }
  const sampled = answering(`dns() { return ['A 192.0.2.3'] }`, {
    name: 'sampled',
    manifest: { hosts: ['sampled.example.org'], priority: 1, sample: { share: 0.4, by: 'random' } },
  })
  const stages = [{ groups: [], share: 0.5 }]
  const rollouts = { way: { kind: 'staged', unit: next, stages, step: 0 } } as never
  const { ask, sampledOut } = await unitsOf(t, [live, sampled], { rollouts })
  const seen = new Set<string>()
  for (let last = 1; last < 40; last++) {
    const ip = `198.51.100.${last}`
    const [first, again] = [await ask('a.example.org', 'A', { ip }), await ask('a.example.org', 'A', { ip })]
    assert.equal(shown(first.outcome), shown(again.outcome))
    seen.add(shown(first.outcome))
  }
  assert.equal(seen.size, 2)
  await ask('sampled.example.org')
  assert.deepEqual(sampledOut, ['sampled'])
})

test('a hundred queries cross together', async (t) => {
  const { ask } = await unitsOf(t, [
    answering(
      `dns(query) { globalThis.n = (globalThis.n ?? 0) + 1; return ['A 192.0.2.' + query.name.split('.')[0]] }`,
    ),
  ])
  const all = await Promise.all(Array.from({ length: 100 }, (_, n) => ask(`${n}.example.org`)))
  for (const [n, { outcome }] of all.entries())
    assert.equal(shown(outcome), `0; ${n}.example.org. 60 A 192.0.2.${n}`)
})
