import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseType, TYPE, typeName } from './codes.ts'
import { DnsName } from './name.ts'
import { fieldsOf } from './rdata/rdata-table.ts'
import { parseRdata, RdataError, rdataText } from './rdata-text.ts'
import { askPython } from './testing/python.ts'

const HASH = 'd2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971'

/** Data as we write it, type by type: read and written again, it is the same. */
const TEXTS: Readonly<Record<string, readonly string[]>> = {
  A: ['192.0.2.1', '255.255.255.255'],
  AAAA: ['2001:db8::1', '::', '::ffff:c000:201'],
  NS: ['ns.example.org.', '.'],
  CNAME: ['\\000\\.\\\\\\"\\(.example.org.', '*.Example.ORG.'],
  DNAME: ['example.net.'],
  PTR: ['host.example.org.'],
  MX: ['10 mail.example.org.', '0 .'],
  SOA: ['ns.example.org. host\\.master.example.org. 4294967295 7200 3600 1209600 300'],
  SRV: ['1 2 443 www.example.org.'],
  TXT: ['"v=spf1 -all"', '"" "a\\"b\\\\c" "\\000\\255 ; ("', `"${'x'.repeat(255)}"`],
  SPF: ['"v=spf1 -all"'],
  CAA: ['0 issue "ca.example.net; policy=ev"', '128 tbs "Unknown"', '0 iodef ""'],
  NAPTR: ['100 50 "s" "z3950+I2L+I2C" "" _z3950._tcp.gatech.edu.', '10 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .'],
  SSHFP: [`4 2 ${HASH.toUpperCase()}`],
  TLSA: [`3 1 1 ${HASH.toUpperCase()}`],
  SMIMEA: [`3 1 1 ${HASH.toUpperCase()}`],
  SVCB: [
    '0 alias.example.org.',
    '1 . alpn=h2,h3 no-default-alpn port=53 ipv4hint=192.0.2.1,192.0.2.2 ech=AEP+DQ== ipv6hint=2001:db8::1',
    '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
    '1 . mandatory=alpn,key65333 alpn=h2 key65333="a b"',
    '1 . dohpath=/dns-query{?dns} ohttp key667="hello\\210"',
  ],
  HTTPS: ['1 . alpn=h2', '0 example.net.'],
  DS: [`60485 5 1 ${HASH.slice(0, 40).toUpperCase()}`],
  CDS: [`60485 13 2 ${HASH.toUpperCase()}`, '0 0 0 00'],
  DNSKEY: [
    '257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==',
  ],
  CDNSKEY: ['0 3 0 AA=='],
  KEY: ['512 3 13 AAEC'],
  RRSIG: ['A 13 3 3600 20380119031407 19700101000001 4711 example.org. AAECAw=='],
  SIG: ['TYPE0 13 3 3600 20260102030405 20250102030405 4711 example.org. AAECAw=='],
  NSEC: ['host.example.org. A MX RRSIG NSEC TYPE1234 TYPE65535', 'example.org.'],
  NSEC3: [
    '1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG',
    '1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR',
  ],
  NSEC3PARAM: ['1 0 12 AABBCCDD', '1 0 0 -'],
  LOC: [
    '52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m',
    '0 0 0.000 N 180 0 0.000 W 0.00m 1.00m 90000000.00m 20.00m',
  ],
  URI: ['10 1 "ftp://ftp.example.org/public"'],
  HINFO: ['"PDP 10" "TOPS-20"'],
  RP: ['mbox.example.org. txt.example.org.'],
  AFSDB: ['1 afs.example.org.'],
  CERT: ['1 4711 8 AAECAw==', '65534 0 0 AA=='],
  OPENPGPKEY: ['AAECAw=='],
  EUI48: ['00-00-5e-00-53-2a'],
  EUI64: ['00-00-5e-ef-10-00-00-2a'],
  ZONEMD: [`2018031500 1 1 ${(HASH + HASH.slice(0, 32)).toUpperCase()}`],
  CSYNC: ['66 3 A NS AAAA'],
  HIP: ['2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc rvs.example.com.'],
  APL: ['1:192.168.32.0/21 !1:192.168.38.0/28', '2:2001:db8::/32 1:0.0.0.0/0'],
  MINFO: ['a.example.org. b.example.org.'],
  MB: ['a.example.org.'],
  MG: ['a.example.org.'],
  MR: ['a.example.org.'],
  MD: ['a.example.org.'],
  MF: ['a.example.org.'],
  X25: ['"311061700956"'],
  ISDN: ['"150862028003217" "004"'],
  RT: ['2 relay.example.org.'],
  PX: ['10 a.example.org. b.example.org.'],
  GPOS: ['"-32.6882" "116.8652" "10.0"'],
  KX: ['10 kx.example.org.'],
  DHCID: ['AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA='],
  NID: ['10 0014:4fff:ff20:ee64'],
  L32: ['10 10.1.2.0'],
  L64: ['10 2001:0db8:1140:1000'],
  LP: ['10 l64.example.org.'],
  TYPE65280: ['\\# 3 0102FF', '\\# 0'],
  NULL: ['\\# 1 00'],
}

test('text of every type goes to bytes and back as it was', () => {
  for (const [name, texts] of Object.entries(TEXTS))
    for (const text of texts)
      assert.equal(rdataText(parseType(name)!, parseRdata(parseType(name)!, text)), text, name)
  const without = Object.values(TYPE).filter((type) => fieldsOf(type) && !TEXTS[typeName(type)])
  assert.deepEqual(without.map(typeName), [], 'each type of the table stands in this test')
})

test('dnspython reads the same bytes from the text, and text of its own that we read so too', async () => {
  /** Types that dnspython has no class for. */
  const unknown = new Set(['MB', 'MG', 'MR', 'MD', 'MF', 'MINFO', 'KEY', 'SIG', 'NULL', 'TYPE65280'])
  const cases = Object.entries(TEXTS)
    .filter(([name]) => !unknown.has(name))
    .flatMap(([type, texts]) =>
      texts.filter((text) => !text.includes('ohttp')).map((text) => ({ type, text })),
    )
  const answers = await askPython<{ readonly hex: string; readonly text: string }>(
    `
import dns.rdata, dns.name, sys, json
for case in json.load(sys.stdin):
    rdata = dns.rdata.from_text('IN', case['type'], case['text'])
    print(json.dumps({'hex': rdata.to_wire().hex(), 'text': rdata.to_text()}))
`,
    cases,
  )
  for (const [index, { type, text }] of cases.entries()) {
    const ours = parseRdata(parseType(type)!, text)
    assert.equal(ours.toString('hex'), answers[index]!.hex, `${type} ${text}`)
    assert.equal(
      parseRdata(parseType(type)!, answers[index]!.text).toString('hex'),
      answers[index]!.hex,
      `${type} ${answers[index]!.text}`,
    )
  }
})

test('other ways to write the same data', () => {
  const cases: readonly (readonly [type: string, text: string, same: string])[] = [
    ['A', '\\# 4 c0 00 0201', '192.0.2.1'],
    ['MX', '10 mail', '10 mail.example.org.'],
    ['MX', '10 @', '10 example.org.'],
    ['SOA', '@ @ 1 1h30m 2D 1w 5M', 'example.org. example.org. 1 5400 172800 604800 300'],
    ['TXT', 'plain words "in quotes"', '"plain" "words" "in quotes"'],
    ['TXT', '"a""b"', '"a" "b"'],
    ['TXT', 'grün', '"gr\\195\\188n"'],
    ['DNSKEY', '257 3 ED25519 AA AA', '257 3 15 AAAA'],
    [
      'RRSIG',
      'TYPE1 13 3 1h 86400 0 4711 @ AAECAw==',
      'A 13 3 3600 19700102000000 19700101000000 4711 example.org. AAECAw==',
    ],
    ['CERT', 'pkix 1 rsasha256 AA==', '1 1 8 AA=='],
    ['SVCB', '1 . port=53 alpn="h2"', '1 . alpn=h2 port=53'],
    ['SVCB', '1 . alpn="f\\\\\\092oo\\092,bar,h2"', '1 . alpn="f\\\\\\\\oo\\\\,bar,h2"'],
    ['LOC', '52 N 4 E 10', '52 0 0.000 N 4 0 0.000 E 10.00m 1.00m 10000.00m 10.00m'],
    ['NSEC', '. MX A MX', '. A MX'],
    [
      'NSEC3',
      '1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr',
      '1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR',
    ],
  ]
  const origin = DnsName.parse('example.org')
  for (const [type, text, same] of cases)
    assert.equal(
      rdataText(parseType(type)!, parseRdata(parseType(type)!, text, origin)),
      same,
      `${type} ${text}`,
    )
})

test('an error says what is wrong, and with which word', () => {
  const cases: readonly (readonly [type: string, text: string, message: RegExp, word: number])[] = [
    ['A', '', /^an address is missing$/, 0],
    ['A', '192.0.2.256', /"192.0.2.256" is no IPv4 address/, 0],
    ['A', '::ffff:192.0.2.1', /is no IPv4 address/, 0],
    ['A', '192.0.2.1 192.0.2.2', /"192.0.2.2" is more than/, 1],
    ['AAAA', '192.0.2.1', /is no IPv6 address/, 0],
    ['MX', 'mail 10', /the preference is "mail": expected a number from 0 to 65535/, 0],
    ['MX', '65536 mail', /expected a number from 0 to 65535/, 0],
    ['MX', '10', /the name is missing/, 1],
    ['MX', '10 a..b', /the name: "a..b" has an empty label/, 1],
    ['MX', `10 ${'x'.repeat(64)}`, /label of 64 bytes/, 1],
    ['CNAME', 'a\\256.', /\\256, which is no byte/, 0],
    ['TXT', `"${'x'.repeat(256)}"`, /256 bytes: expected at most 255/, 0],
    ['TXT', '"\\999"', /no byte/, 0],
    ['TXT', '', /a string is missing/, 0],
    ['SOA', '. . 1 2 3 4', /the minimum is missing/, 6],
    ['SOA', '. . 1 1x 3 4 5', /the refresh time is "1x"/, 3],
    ['TLSA', '3 1 1 abc', /even number/, 3],
    ['DS', '1 13 2 zz', /hexadecimal/, 3],
    ['DNSKEY', '257 3 13 A', /no base64/, 3],
    ['RRSIG', 'A 13 3 3600 20261301000000 0 1 . AA==', /the expiration is "20261301000000"/, 4],
    ['NSEC', '. NOTYPE', /"NOTYPE" is no type/, 1],
    ['NSEC3', '1 0 0 - 0', /the next hash is "0"/, 4],
    ['CAA', '0 is-sue "x"', /the tag is "is-sue"/, 1],
    ['SVCB', '1 . alpn', /alpn has no value/, 2],
    ['SVCB', '1 . alpn=h2 alpn=h3', /alpn stands twice/, 3],
    ['SVCB', '1 . ALPN=h2', /no parameter/, 2],
    ['SVCB', '1 . key01=x', /no parameter/, 2],
    ['SVCB', '1 . no-default-alpn', /without alpn/, 2],
    ['SVCB', '1 . mandatory=port alpn=h2', /port is mandatory and does not stand there/, 3],
    ['SVCB', '1 . mandatory=mandatory', /names itself/, 2],
    ['SVCB', '1 . mandatory=alpn,alpn alpn=h2', /twice/, 2],
    ['SVCB', '1 . ipv4hint=2001:db8::1', /no IPv4 address/, 2],
    ['SVCB', '1 . port=65536', /expected a number from 0 to 65535/, 2],
    ['LOC', '91 N 0 E 0', /the latitude is out of range/, 1],
    ['LOC', '1 60 N 0 E 0', /the latitude has "60"/, 1],
    ['EUI48', '00-00-5e-00-53', /6 groups/, 0],
    ['APL', '1:192.0.2.0/33', /no prefix/, 0],
    ['TYPE65280', 'hello', /expected \\#/, 0],
    ['TYPE65280', '\\# 2 00', /1 bytes where \\# says 2/, 2],
    ['A', '\\# 3 c00002', /no data of the type A/, 2],
  ]
  for (const [type, text, message, word] of cases)
    assert.throws(
      () => parseRdata(parseType(type)!, text),
      (error: unknown) => {
        assert.ok(error instanceof RdataError, `${type} ${text}: ${String(error)}`)
        assert.match(error.message, message)
        assert.equal(error.word, word, `${type} ${text}`)
        return true
      },
      `${type} ${text}`,
    )
})

test('data that is malformed is written as bytes', () => {
  const cases: readonly (readonly [type: number, hex: string])[] = [
    [TYPE.A, 'c00002'],
    [TYPE.A, 'c000020101'],
    [TYPE.MX, '000a0361'],
    [TYPE.TXT, '05616263'],
    [TYPE.NSEC, '0001000140'.slice(0, 6)],
    [TYPE.SVCB, '000100000300020035000100030268320a'],
    [TYPE.CAA, '00022d2d00'],
  ]
  for (const [type, hex] of cases)
    assert.equal(rdataText(type, Buffer.from(hex, 'hex')), `\\# ${hex.length / 2} ${hex.toUpperCase()}`)
})
