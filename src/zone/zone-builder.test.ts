/** What a zone may hold, what it may not, and what is made of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TYPE } from '../wire/dns/codes.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { DnsName } from '../wire/dns/name.ts'
import { lookUp } from './lookup.ts'
import { host, ns, ORIGIN, soa } from './testing/scripted-primary.ts'
import { Zone } from './zone.ts'
import { ZoneBuilder } from './zone-builder.ts'

function builderOf(...more: ReturnType<typeof host>[]): ZoneBuilder {
  const builder = new ZoneBuilder(ORIGIN)
  for (const { name, type, ttl, rdata } of [soa(1), ns, ...more]) builder.add(name, type, ttl, rdata)
  return builder
}
const zoneOf = (...more: ReturnType<typeof host>[]): Zone => new Zone(builderOf(...more).finish())
const data = (text: string): Buffer => Buffer.from(text, 'latin1')
const named = (text: string): DnsName => DnsName.parse(text, ORIGIN)

function ask(zone: Zone, name: string, type: number = TYPE.A): DnsMessage {
  const reply = new DnsMessage()
  reply.question.push({ name: named(name), type, class: 1 })
  lookUp(zone, named(name), type, false, reply)
  return reply
}

test('what is there already is not added again; a name may have a lot', () => {
  const many = Array.from({ length: 300 }, (_, n) => host('many', `10.0.${n >> 8}.${n & 255}`))
  const zone = zoneOf(...many, ...many, host('few'), host('few'))
  assert.equal(ask(zone, 'many').answer.length, 300)
  assert.equal(ask(zone, 'few').answer.length, 1)
  assert.equal(zone.records, 303)
})

test('records of a set have the least of their TTLs; those of other sets have their own', () => {
  const zone = zoneOf(host('a'), host('a', '192.0.2.2').withTtl(60), host('b'))
  assert.deepEqual(
    ask(zone, 'a').answer.map(({ ttl }) => ttl),
    [60, 60],
  )
  assert.deepEqual(
    ask(zone, 'b').answer.map(({ ttl }) => ttl),
    [300],
  )
})

test('records come in the order in which they were added, the SOA first', () => {
  const zone = zoneOf(host('b', '192.0.2.9'), host('a'), host('b', '192.0.2.1'))
  assert.deepEqual(
    [...zone.all()].map(({ name, type }) => `${name.toString()} ${type}`),
    ['example.org. 6', 'example.org. 2', 'b.example.org. 1', 'b.example.org. 1', 'a.example.org. 1'],
  )
  assert.deepEqual(
    ask(zone, 'b').answer.map(({ rdata }) => rdata[3]),
    [9, 1],
  )
})

test('names of any bytes and of the greatest length are found', () => {
  const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(49)}`
  const deep = Array.from({ length: 121 }, () => 'x').join('.')
  const names = [long, deep, '\\000', '\\.', 'a\\.b', 'a\\255\\032', '\\001\\002*', '*', '*.*']
  const zone = zoneOf(...names.map((name) => host(name)))
  for (const name of names) assert.equal(ask(zone, name).answer[0]?.name.toString(), `${name}.example.org.`)
  // What is in between exists, and has nothing.
  const between = ask(zone, deep.slice(2))
  assert.deepEqual([between.rcode, between.answer.length], [0, 0])
})

test('nothing is found that is not there, however many names there are', () => {
  const zone = zoneOf(...Array.from({ length: 5000 }, (_, n) => host(`h${n}.s${n % 7}`)))
  for (let n = 0; n < 5000; n++) {
    assert.equal(ask(zone, `H${n}.S${n % 7}`).answer.length, 1)
    assert.equal(ask(zone, `h${n}.s${(n + 1) % 7}`).rcode, 3)
  }
})

const REFUSED: readonly (readonly [string, string, number, string, RegExp])[] = [
  ['outside', 'www.example.net.', TYPE.A, '\x01\x02\x03\x04', /outside of the zone example\.org\./],
  ['above', 'org.', TYPE.NS, '\0', /outside of the zone/],
  ['an ending that is no label', 'notexample.org.', TYPE.A, '\x01\x02\x03\x04', /outside of the zone/],
  ['a second SOA', '@', TYPE.SOA, `\0\0${'\x01'.repeat(20)}`, /two SOA records/],
  ['an SOA below', 'below', TYPE.SOA, `\0\0${'\x01'.repeat(20)}`, /only example\.org\. may have one/],
  ['a CNAME at the apex', '@', TYPE.CNAME, '\0', /has a CNAME and other data/],
  ['a CNAME beside data', 'www', TYPE.CNAME, '\0', /has a CNAME and other data/],
  ['data beside a CNAME', 'alias', TYPE.A, '\x01\x02\x03\x04', /has a CNAME and other data/],
  ['a second CNAME', 'alias', TYPE.CNAME, '\x01x\0', /two CNAME records/],
  ['a second DNAME', 'moved', TYPE.DNAME, '\x01x\0', /two DNAME records/],
  ['an address of three bytes', 'x', TYPE.A, '\x01\x02\x03', /data of A has 3 bytes: expected 4/],
  ['an address of no bytes', 'x', TYPE.AAAA, '', /data of AAAA has 0 bytes: expected 16/],
  ['a name of no bytes', 'x', TYPE.CNAME, '', /data of CNAME does not end with a name/],
  ['a name with more behind it', 'x', TYPE.NS, '\x01x\0\0', /data of NS does not end with a name/],
  ['a name that is cut', 'x', TYPE.MX, '\0\x01\x05x', /data of MX does not end with a name/],
  ['a name that is too long', 'x', TYPE.DNAME, `${'\x3f'.repeat(256)}\0`, /does not end with a name/],
  ['a pointer', 'x', TYPE.PTR, '\xc0\x0c', /does not end with a name/],
  ['a cut SRV', 'x', TYPE.SRV, '\0\0\0', /data of SRV does not end with a name/],
  ['a cut signature', 'x', TYPE.RRSIG, '\0', /data of RRSIG has 1 bytes: expected 19 or more/],
  ['a cut NSEC3PARAM', '@', TYPE.NSEC3PARAM, '\x01', /data of NSEC3PARAM has 1 bytes/],
  ['ANY', 'x', TYPE.ANY, '', /ANY is no type of data/],
  ['OPT', 'x', TYPE.OPT, '', /OPT is no type of data/],
  ['TSIG', 'x', TYPE.TSIG, '', /TSIG is no type of data/],
]
for (const [what, name, type, rdata, error] of REFUSED)
  test(`${what} has no place in a zone, and leaves no trace`, () => {
    const builder = builderOf(host('www'))
    builder.add(named('alias'), TYPE.CNAME, 300, data('\0'))
    builder.add(named('moved'), TYPE.DNAME, 300, data('\0'))
    const before = builder.records
    assert.throws(() => builder.add(named(name), type, 300, data(rdata)), error)
    assert.equal(builder.records, before)
    // The same again is no error: it is there already.
    builder.add(named('alias'), TYPE.CNAME, 300, data('\0'))
    assert.equal(builder.records, before)
  })

test('a zone without an SOA is none; without NS records it is odd', () => {
  assert.throws(() => new ZoneBuilder(ORIGIN).finish(), /no SOA record: expected one at example\.org\./)
  const builder = new ZoneBuilder(ORIGIN)
  builder.add(ORIGIN, TYPE.SOA, 300, soa(1).rdata)
  assert.match(builder.finish().warnings.join(), /has no NS records/)
})

test('the root is a zone like the others', () => {
  const builder = new ZoneBuilder(DnsName.ROOT)
  builder.add(DnsName.ROOT, TYPE.SOA, 300, soa(1).rdata)
  builder.add(DnsName.parse('com'), TYPE.NS, 300, data('\x02ns\x03com\0'))
  builder.add(DnsName.parse('ns.com'), TYPE.A, 300, data('\x01\x02\x03\x04'))
  const zone = new Zone(builder.finish())
  const reply = new DnsMessage()
  assert.equal(lookUp(zone, DnsName.parse('www.example.com'), TYPE.A, false, reply), 'referral')
  assert.equal(reply.additional.length, 1)
  assert.equal(lookUp(zone, DnsName.ROOT, TYPE.SOA, false, new DnsMessage()), 'answer')
  assert.equal(lookUp(zone, DnsName.parse('test'), TYPE.A, false, new DnsMessage()), 'no-name')
})
