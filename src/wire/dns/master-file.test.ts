import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLASS, typeName } from './codes.ts'
import {
  MasterFileError,
  type MasterFileOptions,
  parseMasterFile,
  parseRecord,
  RecordRefused,
} from './master-file.ts'
import { DnsName } from './name.ts'
import { rdataText, recordText } from './rdata-text.ts'
import { DnsRecord } from './record.ts'
import { askPython } from './testing/python.ts'

const ORIGIN = DnsName.parse('example.org')

function linesOf(text: string, options: Partial<MasterFileOptions> = {}): string[] {
  const lines: string[] = []
  parseMasterFile(
    Buffer.from(text),
    { origin: ORIGIN, file: 'zone', ...options },
    (owner, type, ttl, rdata, klass) => {
      lines.push(recordText(new DnsRecord(owner, type, ttl, rdata, klass)))
    },
  )
  return lines
}

/** With all that master files have (RFC 1035 §5.1). */
const THORNY = `\uFEFF; a comment with "quotes and (parens
$TTL 1h
@ IN SOA ns hostmaster ( 2026112801 ; serial
    7200 1h30m
    (1w) 5m ) ; done
  NS ns
  IN NS ns.example.net. ; absolute
ns 300 IN A 192.0.2.1
  IN 300 A 192.0.2.2
  AAAA 2001:db8::1
   AAAA ::
   AAAA 1:2:3:4:5:6:7:8
   AAAA ::ffff:192.0.2.1
   AAAA 1::
WWW 1W CNAME ns
$ORIGIN sub
a A 192.0.2.3
@ MX 10 mail
\tTXT "one; two" three "fo\\"ur" (
five
)
$ORIGIN deep.sub.example.org.
* IN TXT "" a\\;b
\\$dollar A 192.0.2.4
dot\\.ted\\032 A 192.0.2.5
_sip._tcp SRV 1 2 5060 @
  type65280 \\# 2 AB cd
  CLASS1 TYPE1 \\# 4 C0000206
unusual\tIN\t\tCAA\t0 issue "ca.example.net"\r
`

test('a thorny file is read as dnspython reads it', async () => {
  const ours = linesOf(THORNY)
    .map((line) => line.toLowerCase())
    .toSorted()
  const theirs = await askPython<string>(
    `
import dns.zone, dns.rdataset, json, sys
zone = dns.zone.from_text(json.load(sys.stdin), 'example.org.', relativize=False, check_origin=False)
for name, ttl, rdata in zone.iterate_rdatas():
    print(json.dumps(' '.join([name.to_text(), str(ttl), 'IN', str(rdata.rdtype.name if hasattr(rdata.rdtype, 'name') else rdata.rdtype), rdata.to_text()])))
`,
    // It takes neither the mark in front nor a parenthesis in another one, nor a class before the TTL, nor
    // a carriage return, and a relative origin in its own way.
    THORNY.slice(1)
      .replace('(1w)', '1w')
      .replace('IN 300', '300 IN')
      .replace('\r', '')
      .replace('$ORIGIN sub', '$ORIGIN sub.example.org.'),
  )
  const canonical = theirs.map((line) => {
    const [owner, ttl, klass, type, ...data] = line.split(' ')
    const name = type!.startsWith('TYPE') || /^\d+$/.test(type!) ? 'TYPE65280' : type!
    return recordText(parseRecord([owner, ttl, klass, name, ...data].join(' '))).toLowerCase()
  })
  assert.deepEqual(ours, canonical.toSorted())
  assert.equal(ours.length, 21)
})

test('a time to live is that of the record, of $TTL, of the record before, of the SOA', () => {
  const ttls = (text: string, ttl?: number) =>
    linesOf(text, ttl === undefined ? {} : { ttl }).map((line) => Number(line.split(' ')[1]))
  assert.deepEqual(ttls('a 5 A 192.0.2.1\nb A 192.0.2.1\nc 6 A 192.0.2.1\nd A 192.0.2.1'), [5, 5, 6, 6])
  assert.deepEqual(ttls('$TTL 9\na 5 A 192.0.2.1\nb A 192.0.2.1\n$TTL 1m\nc A 192.0.2.1'), [5, 9, 60])
  assert.deepEqual(ttls('@ SOA . . 1 2 3 4 77\na A 192.0.2.1'), [77, 77])
  assert.deepEqual(ttls('a A 192.0.2.1', 42), [42])
  assert.deepEqual(ttls('a 1d2h3m4s A 192.0.2.1\nb 0 A 192.0.2.1'), [93_784, 0])
})

test('$GENERATE makes lines', () => {
  assert.deepEqual(linesOf('$GENERATE 1-5/2 host-$ 60 A 192.0.2.$'), [
    'host-1.example.org. 60 IN A 192.0.2.1',
    'host-3.example.org. 60 IN A 192.0.2.3',
    'host-5.example.org. 60 IN A 192.0.2.5',
  ])
  assert.deepEqual(linesOf('$TTL 5\n$GENERATE 9-10 ${1,3} IN TXT "${0,4,x}-${-9,0,o} \\$"'), [
    '010.example.org. 5 IN TXT "0009-0 $"',
    '011.example.org. 5 IN TXT "000a-1 $"',
  ])
  assert.deepEqual(linesOf('$TTL 5\n$GENERATE 18-18 ${0,7,n} PTR h$'), [
    '2.1.0.0.example.org. 5 IN PTR h18.example.org.',
  ])
  assert.deepEqual(
    linesOf('$TTL 5\nkept A 192.0.2.1\n$GENERATE 1-1 made A 192.0.2.2\n A 192.0.2.3').at(-1),
    'kept.example.org. 5 IN A 192.0.2.3',
  )
})

test('$INCLUDE reads a file with an origin of its own, and what it says of origin and owner ends with it', () => {
  const files: Readonly<Record<string, string>> = {
    'hosts.inc': 'a A 192.0.2.1\n$ORIGIN other.test.\nb A 192.0.2.2\n',
    'self.inc': '$INCLUDE self.inc\n',
  }
  const include = (path: string, from: string) => {
    assert.ok(from === 'zone' || from === 'self.inc')
    const text = files[path]
    if (text === undefined) throw new Error('there is no such file')
    return { bytes: Buffer.from(text), file: path }
  }
  assert.deepEqual(
    linesOf('$TTL 5\nwww A 192.0.2.9\n$INCLUDE hosts.inc sub\n  A 192.0.2.8\nx A 192.0.2.7', { include }),
    [
      'www.example.org. 5 IN A 192.0.2.9',
      'a.sub.example.org. 5 IN A 192.0.2.1',
      'b.other.test. 5 IN A 192.0.2.2',
      'www.example.org. 5 IN A 192.0.2.8',
      'x.example.org. 5 IN A 192.0.2.7',
    ],
  )
  assert.throws(
    () => linesOf('\n$INCLUDE self.inc', { include }),
    /^Error: self\.inc:1:10: .*deeper than 8 files/,
  )
  assert.throws(
    () => linesOf('$INCLUDE gone', { include }),
    /zone:1:10: \$INCLUDE of "gone": there is no such file/,
  )
  assert.throws(() => linesOf('$INCLUDE gone'), /zone:1:1: \$INCLUDE does not work here/)
})

test('an error says file, line and column, and what is wrong', () => {
  const cases: readonly (readonly [text: string, message: string])[] = [
    ['a A 192.0.2.1', '1:1: the record has no TTL'],
    [
      '$TTL 1\n\n  x A 192.0.2.1',
      '3:3: "x" is neither a TTL nor a class nor a type: a line that begins with a blank',
    ],
    ['$TTL 1\na B 192.0.2.1', '2:3: "B" is neither a TTL nor a class nor a type'],
    ['$TTL 1\na IN\n', '2:5: an entry has no type'],
    ['$TTL 1\na IN CH A 192.0.2.1\n', '2:6: "CH" is neither'],
    ['$TTL 1\na A\n', '2:4: A: an address is missing'],
    ['$TTL 1\na A 192.0.2.01\n', '2:5: A: "192.0.2.01" is no IPv4 address'],
    ['$TTL 1\na AAAA 1::2::3\n', '2:8: AAAA: "1::2::3" is no IPv6 address'],
    ['$TTL 1\na MX mail\n', '2:6: MX: the preference is "mail"'],
    ['$TTL 1\na MX (\n 10\n a..b )\n', '4:2: MX: the name: "a..b" has an empty label'],
    ['$TTL 1\na..b A 192.0.2.1', '2:1: "a..b" has an empty label'],
    [`$TTL 1\n${'long'.repeat(16)} A 192.0.2.1`, '2:1: "long'],
    ['$TTL 1\na TXT "x\nb TXT "y"', '2:7: a quoted string is not closed'],
    ['$TTL 1\na TXT (x\nb TXT y', '2:7: a "(" is not closed'],
    ['$TTL 1\na TXT x)', '2:8: a ")" closes what no "(" opened'],
    ['$TTL 1\na TXT x\\', '2:8: a backslash'],
    ['$TTL', '1:5: $TTL has a number'],
    ['$TTL 1x', '1:6: "1x" is no TTL'],
    ['$TTL 2147483648', '1:6: "2147483648" is no TTL'],
    ['$ORIGIN a b', '1:11: $ORIGIN has a name'],
    ['$FOO a', '1:1: "$FOO" is no directive'],
    ['$TTL 1\n$GENERATE 5-1 a A 192.0.2.1', '2:11: $GENERATE has the range "5-1"'],
    ['$TTL 1\n$GENERATE 0-65536 a A 192.0.2.1', '2:11: $GENERATE makes 65537 lines'],
    ['$TTL 1\n$GENERATE 1-2 a${ A 192.0.2.1', '2:15: "a${" has a "${" that is not closed'],
    ['$TTL 1\n$GENERATE 1-2 a${x} A 192.0.2.1', '2:15: "${x}" is no number'],
    ['$TTL 1\n$GENERATE 1-2 a A', '2:18: $GENERATE is cut'],
    ['$TTL 1\n$GENERATE 250-260 a A 192.0.2.$', '2:1: $GENERATE makes "a A 192.0.2.256": A: "192.0.2.256"'],
    ['$TTL 1\n$GENERATE 1-2 \\$GENERATE 1-9 a A 192.0.2.$', '2:1: $GENERATE makes "$GENERATE 1-9'],
  ]
  for (const [text, message] of cases)
    assert.throws(
      () => linesOf(text),
      (error: unknown) => {
        assert.ok(error instanceof MasterFileError, String(error))
        assert.ok(error.message.startsWith(`zone:${message}`), `${text}: ${error.message}`)
        return true
      },
      text,
    )
})

test('a record that is refused is an error of its line; anything else goes through', () => {
  const read = (error: Error) =>
    parseMasterFile(Buffer.from('$TTL 1\n\n  A 192.0.2.1\n'), { origin: ORIGIN, file: 'zone' }, () => {
      throw error
    })
  assert.throws(
    () => read(new RecordRefused('it is outside of the zone')),
    /^Error: zone:3:3: it is outside of the zone$/,
  )
  assert.throws(() => read(new TypeError('a bug')), TypeError)
})

test('an owner that repeats is the same name', () => {
  const owners: DnsName[] = []
  const text = '$TTL 1\na A 192.0.2.1\na A 192.0.2.2\n AAAA ::1\nb A 192.0.2.1\n$ORIGIN b\na A 192.0.2.1\n'
  parseMasterFile(Buffer.from(text), { origin: ORIGIN, file: 'zone' }, (owner) => void owners.push(owner))
  assert.equal(owners[0], owners[1])
  assert.equal(owners[0], owners[2])
  assert.equal(owners[4]!.toString(), 'a.b.example.org.')
})

test('one record as a line', () => {
  const record = parseRecord('www IN 300 CH MX 10 mail'.replace('IN 300 CH', '300 CH'), { origin: ORIGIN })
  assert.deepEqual(
    [
      record.name.toString(),
      record.ttl,
      record.class,
      typeName(record.type),
      rdataText(record.type, record.rdata),
    ],
    ['www.example.org.', 300, CLASS.CH, 'MX', '10 mail.example.org.'],
  )
  assert.equal(parseRecord('a. A 192.0.2.1').ttl, 3600)
  assert.throws(() => parseRecord('; nothing'), /record:1:1: expected a record/)
  assert.throws(() => parseRecord('a. A 192.0.2.1\nb. A 192.0.2.1'), /record:2:1: expected one record/)
})
