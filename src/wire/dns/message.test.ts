import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../http1/fuzz/random.ts'
import { RCODE, TYPE, typeName } from './codes.ts'
import { addressRdata, nameRdata, targetOf, txtRdata } from './common-rdata.ts'
import { DnsMalformed } from './malformed.ts'
import { fuzzMessages, makeMessage } from './message.fuzz.ts'
import { DnsMessage } from './message.ts'
import { encodeMessage } from './message-writer.ts'
import { DnsName } from './name.ts'
import { recordText } from './rdata-text.ts'
import { parseRecord } from './master-file.ts'
import { DnsRecord } from './record.ts'
import { askPython } from './testing/python.ts'

const question = (name: string, type: number = TYPE.A) => ({ name: DnsName.parse(name), type, class: 1 })

function answerOf(...lines: readonly string[]): DnsMessage {
  const message = new DnsMessage()
  message.isResponse = true
  message.question.push(question('www.example.org'))
  message.answer.push(...lines.map((line) => parseRecord(line)))
  return message
}

test('names are compressed against all that stands before them, in whatever case', () => {
  const message = answerOf('WWW.example.org. 1 A 192.0.2.1', 'a.www.example.org. 1 CNAME b.Example.ORG.')
  const bytes = encodeMessage(message)
  // The question whole, then c00c; `a` and c00c; in the data `b` and a pointer to `example.org`.
  assert.equal(
    bytes.subarray(12).toString('hex'),
    '03777777076578616d706c65036f72670000010001' +
      'c00c0001000100000001' +
      '0004c0000201' +
      '0161c00c0005000100000001' +
      '00040162c010',
  )
  assert.equal(targetOf(DnsMessage.decode(bytes).answer[1]!)!.toString(), 'b.example.org.')
})

test('names of later types are never compressed (RFC 3597 section 4)', () => {
  const bytes = encodeMessage(answerOf('www.example.org. 1 SRV 1 2 3 www.example.org.'))
  assert.ok(bytes.includes(Buffer.from('\0\x01\0\x02\0\x03\x03www\x07example\x03org\0', 'latin1')))
})

test('no pointer reaches beyond 16383, and a long message reads as it was', () => {
  const message = answerOf()
  for (let host = 0; host < 700; host++)
    message.answer.push(
      new DnsRecord(DnsName.parse(`a.h${host}.example.net`), TYPE.TXT, 1, txtRdata('x'.repeat(30))),
      new DnsRecord(
        DnsName.parse(`b.h${host}.example.net`),
        TYPE.NS,
        1,
        nameRdata(DnsName.parse(`ns.h${host}.test`)),
      ),
    )
  const bytes = encodeMessage(message)
  assert.ok(bytes.length > 40_000)
  assert.deepEqual(DnsMessage.decode(bytes).answer.map(recordText), message.answer.map(recordText))
})

test('what does not fit is left off by whole sets, and TC says so', () => {
  const message = answerOf()
  for (let host = 1; host <= 10; host++)
    message.answer.push(
      new DnsRecord(DnsName.parse('www.example.org'), TYPE.A, 1, addressRdata(`192.0.2.${host}`)!),
    )
  for (let host = 1; host <= 20; host++)
    message.answer.push(
      new DnsRecord(DnsName.parse('www.example.org'), TYPE.AAAA, 1, addressRdata(`2001:db8::${host}`)!),
    )
  message.authority.push(parseRecord('example.org. 1 NS ns.example.org.'))
  message.edns = { udpSize: 1232, version: 0, isDo: false, options: [] }
  const all = encodeMessage(message)
  for (let size = 60; size <= all.length + 1; size++) {
    const bytes = encodeMessage(message, size)
    assert.ok(bytes.length <= size)
    const read = DnsMessage.decode(bytes)
    assert.ok([0, 10, 30].includes(read.answer.length), `${read.answer.length} records in ${size}`)
    assert.equal(read.isTruncated, size < all.length, `size ${size}`)
    assert.ok(read.edns)
  }
})

test('additional records are left off without a word, but for the addresses of a referral', () => {
  const message = answerOf()
  message.authority.push(parseRecord('example.org. 1 NS ns.example.org.'))
  message.additional.push(parseRecord('ns.example.org. 1 A 192.0.2.1'))
  const size = encodeMessage(message).length
  assert.equal(DnsMessage.decode(encodeMessage(message, size - 1)).isTruncated, true)
  message.isAuthoritative = true
  const read = DnsMessage.decode(encodeMessage(message, size - 1))
  assert.deepEqual([read.isTruncated, read.additional.length], [false, 0])
})

test('a code that needs OPT is SERVFAIL without it, and options without room are left off', () => {
  const message = answerOf()
  message.rcode = RCODE.BADVERS
  assert.equal(DnsMessage.decode(encodeMessage(message)).rcode, RCODE.SERVFAIL)
  message.edns = { udpSize: 1232, version: 0, isDo: true, options: [{ code: 3, data: Buffer.alloc(600) }] }
  const read = DnsMessage.decode(encodeMessage(message, 512))
  assert.deepEqual([read.rcode, read.edns!.options.length, read.edns!.isDo], [RCODE.BADVERS, 0, true])
})

test('malformed messages are refused, each for what is wrong', () => {
  const head = (counts: string) => `00010000${counts}`
  const asked = '037777770000010001'
  const cases: readonly (readonly [hex: string, message: RegExp])[] = [
    ['00', /shorter than its header/],
    [head('0001000000000000'), /a name is cut/],
    [head('0001000000000000') + 'c00c', /forwards/],
    [head('0001000000000000') + 'c0', /a name is cut/],
    [head('0001000000000000') + '40', /type that is not known/],
    [head('0001000000000000') + '00000100', /a question is cut/],
    [head('0001000000000000') + `${`3f${'61'.repeat(63)}`.repeat(4)}0000010001`, /too long/],
    [head('0001000000000000') + asked + '00', /behind the last record/],
    [head('0001000100000000') + asked + 'c00c0001000100000000', /a record is cut/],
    [head('0001000100000000') + asked + 'c00c00010001000000000004c00002', /data of a record is cut/],
    [head('0001000100000000') + asked + 'c00c00050001000000000002c021', /forwards/],
    [head('0001000100000000') + asked + 'c00c0005000100000000000103', /a name is cut/],
    [head('0001000100000000') + asked + '0000290000000000000000', /not in the additional section/],
    [head('0001000000000002') + asked + '00002900000000000000000000290000000000000000', /two OPT/],
    [head('0001000000000001') + asked + 'c00c00290000000000000000', /has an owner/],
    [head('0001000000000001') + asked + '0000290000000000000003000300', /option of EDNS is cut/],
    [
      head('0001000000000002') + asked + '0000fa00ff0000000000000000010001000000000004c0000201',
      /TSIG record is not the last/,
    ],
  ]
  for (const [hex, message] of cases)
    assert.throws(
      () => DnsMessage.decode(Buffer.from(hex, 'hex')),
      (error: unknown) => {
        assert.ok(error instanceof DnsMalformed, String(error))
        assert.match(error.message, message)
        return true
      },
      hex,
    )
})

test('a chain of pointers costs no more than a good message', () => {
  const bytes = Buffer.alloc(65_535)
  bytes.writeUInt16BE(1, 4)
  bytes.writeUInt16BE(5000, 6)
  // A root name far in front, thousands of pointers each to the one before it, and records whose owner is the last of them.
  let at = 12
  bytes.set([0, 0, 1, 0, 1], at)
  bytes.set([0, 0, 16, 0, 1, 0, 0, 0, 0, 0x3f, 0x00], at + 5)
  at += 16
  for (let pointer = 0; pointer < 8000; pointer++, at += 2)
    bytes.writeUInt16BE(0xc000 | (pointer === 0 ? 12 : at - 2), at)
  assert.throws(() => DnsMessage.decode(bytes), DnsMalformed)
  const chain = Buffer.concat([
    Buffer.from([0]),
    ...Array.from({ length: 200 }, (_, index) => Buffer.from([0xc0, index === 0 ? 0 : index * 2 - 1])),
  ])
  assert.throws(
    () => DnsMessage.decode(Buffer.concat([Buffer.from('000100000001000000000000', 'hex'), chain])),
    DnsMalformed,
  )
})

test('a short run of damaged messages finds nothing', () => {
  assert.deepEqual(fuzzMessages(20_261_128, 1500), [])
})

test('what is read, dnspython reads alike', async () => {
  const packets = Array.from({ length: 1500 }, (_, round) => makeMessage(seededRandom(77_000 + round).below))
  const theirs = await askPython<{
    readonly error?: string
    readonly question: string[]
    readonly records: string[]
  }>(
    `
import dns.message, dns.rdatatype, dns.exception, json, sys
for packet in json.load(sys.stdin):
    try:
        message = dns.message.from_wire(bytes.fromhex(packet), one_rr_per_rrset=True, ignore_trailing=False)
    except Exception as error:
        print(json.dumps({'error': type(error).__name__, 'question': [], 'records': []}))
        continue
    records = []
    for section in (message.answer, message.authority, message.additional):
        for rrset in section:
            for rdata in rrset:
                records.append([rrset.name.to_wire().hex(), int(rrset.rdtype), rrset.ttl, rdata.to_wire().hex()])
    question = [[q.name.to_wire().hex(), int(q.rdtype)] for q in message.question]
    print(json.dumps({'question': question, 'records': records}))
`,
    packets.map((packet) => packet.toString('hex')),
  )
  let read = 0
  for (const [index, packet] of packets.entries()) {
    const their = theirs[index]!
    let ours: DnsMessage
    try {
      ours = DnsMessage.decode(packet)
    } catch {
      // What we refuse and they read: none without damage that makes reading a matter of taste.
      continue
    }
    // Data is not looked into here, and they do.
    if (their.error !== undefined) continue
    read += 1
    const hex = (name: DnsName) => Buffer.from(name.wire, 'latin1').toString('hex')
    const records = [...ours.answer, ...ours.authority, ...ours.additional]
    assert.deepEqual(
      ours.question.map(({ name, type }) => [hex(name), type]),
      their.question,
      packet.toString('hex'),
    )
    assert.deepEqual(
      records.map(({ name, type, ttl, rdata }) => [hex(name), type, ttl, rdata.toString('hex')]),
      their.records,
      `${packet.toString('hex')} ${records.map(({ type }) => typeName(type)).join(' ')}`,
    )
  }
  assert.ok(read > 400, `${read} packets were read by both`)
})
