/** What lines `log` writes. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { answering, recordOf, withRecords } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import metadata from '../metadata/plugin.ts'
import { LineBatch } from './line-batch.ts'
import log from './plugin.ts'

const SOA = 'example.org. 60 IN SOA ns.example.org. a.example.org. 1 2 3 4 5'
/** By the first label: what is answered. */
const answers = answering((query: DnsQuery): DnsOutcome | Promise<DnsOutcome> => {
  const denial = query.reply(query.qname.firstLabel === 'none' ? 3 : 0)
  denial.authority.push(recordOf(SOA))
  switch (query.qname.firstLabel) {
    case 'none':
    case 'nodata':
      return denial
    case 'fails':
      return 2
    case 'dropped':
      return -1
    case 'late':
      return Promise.resolve(withRecords(query, 'late.example.org. 5 IN A 192.0.2.1'))
    default:
      return withRecords(query, 'www.example.org. 5 IN A 192.0.2.1')
  }
})

async function linesOf(
  t: TestContext,
  text: string,
  ask: readonly string[],
  options = {},
): Promise<string[]> {
  let written = ''
  let ms = 0
  const out = {
    write(more: string, done: () => void) {
      written += more
      done()
    },
  }
  const host = { out, steadyNow: () => performance.now() + (ms += 20) }
  const block = await blockOf(t, `metadata\n${text}\nanswers`, { plugins: [metadata, log, answers], host })
  block.setup.settings.metadataProviders.push((query) => query.metadata.set('test/label', () => 'a\nb'))
  for (const name of ask) await block.ask(name, 'A', options)
  await block.stop()
  return written.split('\n').slice(0, -1)
}

test('a line in the common log format says who asked what, and what came of it', async (t) => {
  const [line] = await linesOf(t, 'log', ['WWW.example.org'], {
    ip: '::1',
    edns: { udpSize: 1400, isDo: true },
  })
  assert.match(
    line!,
    /^\[INFO\] \[::1\]:40000 - 4711 "A IN www\.example\.org\. udp 44 true 1400" NOERROR qr,rd 75 0\.\d{9}s$/,
  )
})

test('our own field names the plugin that answered; metadata keeps to its line', async (t) => {
  const text = 'log . "{>answeredBy} {/test/label} {/test/none} {combined} {unknown}"'
  const [line] = await linesOf(t, text, ['www.example.org'])
  assert.match(line!, /^\[INFO\] answers a\\nb - 127\.0\.0\.1:40000 - .* QUERY \{unknown\}$/)
})

const CLASSES: readonly (readonly [text: string, logged: string])[] = [
  ['log', 'www late none nodata fails dropped'],
  ['log . {\nclass success\n}', 'www late'],
  ['log . {\nclass denial\n}', 'none nodata'],
  ['log . {\nclass error\n}', 'fails dropped'],
  ['log . {\nclass error\nclass denial\n}', 'none nodata fails dropped'],
  ['log example.net', ''],
  ['log late.example.org {\nclass success\n}\nlog example.org {\nclass error\n}', 'late fails dropped'],
  ['log . {\nminDuration 10ms\n}', 'www late none nodata fails dropped'],
  ['log . {\nminDuration 10h\n}', ''],
]
for (const [text, logged] of CLASSES)
  test(`${text.replaceAll('\n', '; ')} logs: ${logged || 'nothing'}`, async (t) => {
    const ask = ['www', 'late', 'none', 'nodata', 'fails', 'dropped'].map((name) => `${name}.example.org`)
    const lines = await linesOf(t, text, ask)
    const names = lines.map((line) => /IN (\w+)\./.exec(line)![1])
    assert.equal(names.join(' '), logged)
  })

test('lines go out in one write a turn; what nobody takes is lost and counted', async () => {
  const writes: { text: string; done: () => void }[] = []
  const lines = new LineBatch({ write: (text, done) => void writes.push({ text, done }) })
  lines.add('a\n')
  lines.add('b\n')
  await new Promise(setImmediate)
  assert.deepEqual(
    writes.map(({ text }) => text),
    ['a\nb\n'],
  )
  const long = `${'x'.repeat(1000)}\n`
  for (let count = 0; count < 2000; count++) lines.add(long)
  await new Promise(setImmediate)
  assert.equal(writes.length, 1)
  writes[0]!.done()
  assert.ok(writes[1]!.text.length < (1 << 20) + 200)
  assert.match(writes[1]!.text, /plugin\/log: 9\d\d lines were lost/)
})
