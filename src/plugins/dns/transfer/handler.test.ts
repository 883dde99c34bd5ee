/** What `transfer` answers to whom, and what becomes of transfers that nobody takes to their end. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import { DnsStream } from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { encodeMessage } from '../../../wire/dns/message-writer.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import file from '../file/plugin.ts'
import { blockOf, queryFor, type TestBlock } from '../testing/block.ts'
import { zoneFolder, zoneText } from '../testing/zone-folder.ts'
import transfer from './plugin.ts'

const HOSTS = 3000
const LARGE = zoneText(
  5,
  Array.from({ length: HOSTS }, (_, n) => `h${n} 300 IN A 10.0.${n >> 8}.${n & 255}`).join('\n'),
)

function block(t: TestContext, to: string, text = LARGE): Promise<TestBlock> {
  const folder = zoneFolder(t)
  folder.write('db', text)
  return blockOf(t, `file db {\n reload 0\n}\ntransfer {\n to ${to}\n}`, {
    plugins: [transfer, file],
    folder: folder.path,
  })
}

async function ixfr(own: TestBlock, serial: number | undefined, isTcp: boolean) {
  const query = queryFor('example.org', 'IXFR', { isTcp })
  if (serial !== undefined) {
    const soa = (await own.answer('example.org', 'SOA')).answer[0]!
    const rdata = Buffer.from(soa.rdata)
    rdata.writeUInt32BE(serial, rdata.length - 20)
    query.message.authority.push(Object.assign(soa.withTtl(1), { rdata }))
  }
  return await own.run(query)
}

const axfr = async (own: TestBlock, ip = '127.0.0.1') =>
  await own.ask('example.org', 'AXFR', { isTcp: true, ip })

test('a zone goes in messages that all fit, the question in the first alone, the SOA at both ends', async (t) => {
  const own = await block(t, '*')
  const outcome = await axfr(own)
  assert.ok(outcome instanceof DnsStream)
  const messages: DnsMessage[] = []
  for await (const message of outcome.messages) messages.push(message)
  assert.ok(messages.length > 3)
  assert.deepEqual(
    messages.map(({ question }) => question.length),
    [1, ...messages.slice(1).map(() => 0)],
  )
  assert.ok(messages.every((message) => message.isAuthoritative && encodeMessage(message).length <= 16_500))
  const records = messages.flatMap(({ answer }) => answer)
  assert.equal(records.length, HOSTS + 5)
  assert.ok(records[0]!.type === TYPE.SOA && records.at(-1)!.type === TYPE.SOA)
  assert.equal(records.filter(({ type }) => type === TYPE.SOA).length, 2)
})

test('whom a line names is given the zone: by address, by network, or all', async (t) => {
  const own = await block(t, '192.0.2.1:5353 10.0.0.0/8 2001:db8::/32')
  for (const ip of ['192.0.2.1', '10.255.0.1', '2001:db8::99'])
    assert.ok((await axfr(own, ip)) instanceof DnsStream, ip)
  for (const ip of ['192.0.2.2', '11.0.0.1', '2001:db9::1', '127.0.0.1', '::1'])
    assert.equal(await axfr(own, ip), RCODE.REFUSED, ip)
  assert.equal(await own.ask('www.example.org', 'AXFR', { isTcp: true, ip: '10.0.0.1' }), RCODE.REFUSED)
  assert.equal(await own.ask('example.org', 'AXFR', { ip: '10.0.0.1' }), RCODE.REFUSED)
})

test('changes: the SOA alone where nothing is newer, and over UDP; all of it otherwise', async (t) => {
  const own = await block(t, '*')
  for (const [serial, isTcp] of [
    [5, true],
    [6, true],
    [5, false],
    [4, false],
  ] as const) {
    const alone = await ixfr(own, serial, isTcp)
    assert.ok(alone instanceof DnsMessage)
    assert.deepEqual(
      alone.answer.map(({ type }) => type),
      [TYPE.SOA],
    )
  }
  assert.ok((await ixfr(own, 4, true)) instanceof DnsStream)
  // Newer, although the number is greater (RFC 1982).
  assert.ok((await ixfr(own, 0xffff_fff0, true)) instanceof DnsStream)
  assert.equal(await ixfr(own, undefined, true), RCODE.FORMERR)
})

test('no more than 32 at a time; who goes away makes room', async (t) => {
  const own = await block(t, '*')
  const running: AsyncIterator<DnsMessage>[] = []
  for (let n = 0; n < 32; n++) {
    const outcome = await axfr(own)
    assert.ok(outcome instanceof DnsStream)
    const messages = (outcome.messages as AsyncIterable<DnsMessage>)[Symbol.asyncIterator]()
    await messages.next()
    running.push(messages)
  }
  assert.equal(await axfr(own), RCODE.SERVFAIL)
  await running[0]!.return!()
  assert.ok((await axfr(own)) instanceof DnsStream)
  assert.match(
    own.logged.join('\n'),
    /warn transfer: example\.org\. AXFR to 127\.0\.0\.1: it went away after \d+ records/,
  )
  for (const messages of running.slice(1)) await messages.return!()
})

test('a server is told again until it answers, and only its own answer counts', async (t) => {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  const told: DnsMessage[] = []
  socket.on('message', (bytes, from) => {
    const message = DnsMessage.decode(bytes)
    told.push(message)
    const answer = message.copy()
    answer.isResponse = true
    // Bytes that are none, a wrong id, the question itself: then the answer, to the second one.
    socket.send(Buffer.from('nonsense'), from.port, from.address)
    socket.send(encodeMessage(Object.assign(answer.copy(), { id: message.id ^ 1 })), from.port, from.address)
    socket.send(bytes, from.port, from.address)
    if (told.length > 1) socket.send(encodeMessage(answer), from.port, from.address)
  })
  const own = await block(t, `127.0.0.1:${socket.address().port}`, zoneText(5))
  await eventually(() =>
    own.logged.some((line) => /info transfer: 127\.0\.0\.1:\d+ was told of example\.org\./.test(line)),
  )
  assert.equal(told.length, 2)
  const [first] = told
  assert.deepEqual([first!.opcode, first!.question[0]!.type, first!.isAuthoritative], [4, TYPE.SOA, true])
  assert.ok(first!.question[0]!.name.equals(DnsName.parse('example.org')))
  assert.equal(first!.answer[0]!.rdata.readUInt32BE(first!.answer[0]!.rdata.length - 20), 5)
})
