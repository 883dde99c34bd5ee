/** What RFCs ask of answers out of a zone: links, wildcards, cuts, and what goes with an answer. A row each. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { RCODE, TYPE, typeName } from '../../src/wire/dns/codes.ts'
import type { DnsMessage } from '../../src/wire/dns/message.ts'
import type { DnsRecord } from '../../src/wire/dns/record.ts'
import { type Row, testRows } from './dns-protocol.support.ts'

const types = (records: readonly DnsRecord[]) => records.map(({ type }) => typeName(type)).join(' ')

interface Shape {
  readonly rcode?: keyof typeof RCODE
  readonly answer?: string
  readonly authority?: string
  /** Types of the additional section in any order. */
  readonly additional?: string
  readonly isAuthoritative?: boolean
}

/** What is not said is empty; AA is set unless said otherwise. */
const shape =
  ({ rcode = 'NOERROR', answer = '', authority = '', additional = '', isAuthoritative = true }: Shape) =>
  (message: DnsMessage) =>
    assert.deepEqual(
      {
        rcode: message.rcode,
        answer: types(message.answer),
        authority: types(message.authority),
        additional: types(message.additional).split(' ').toSorted().join(' '),
        isAuthoritative: message.isAuthoritative,
      },
      { rcode: RCODE[rcode], answer, authority, additional, isAuthoritative },
    )

const row = (of: string, what: string, asked: string, expected: Shape): Row => {
  const [name, type = 'A'] = asked.split(' ')
  return {
    of,
    what,
    ask: { name: name === '@' ? 'example.org' : `${name}.example.org`, type },
    expect: shape(expected),
  }
}

const META: Readonly<Record<string, number>> = {
  OPT: TYPE.OPT,
  TKEY: 249,
  TSIG: 250,
  MAILB: 253,
  MAILA: 254,
}
const REFERRAL = { authority: 'NS', additional: 'A', isAuthoritative: false } as const
const EMPTY = { authority: 'SOA' } as const
const NO_NAME = { rcode: 'NXDOMAIN', authority: 'SOA' } as const

const ROWS: readonly Row[] = [
  // CNAME.
  row('RFC 1034 §3.6.2', 'a chain of CNAMEs is followed', 'alias2', { answer: 'CNAME CNAME A' }),
  row('RFC 1034 §3.6.2', 'a chain is not followed for CNAME', 'alias2 CNAME', { answer: 'CNAME' }),
  row('RFC 1034 §4.3.2', 'a CNAME out of the zone comes alone', 'away', { answer: 'CNAME' }),
  row('RFC 6604 §3', 'a CNAME to nothing is NXDOMAIN', 'nowhere', { ...NO_NAME, answer: 'CNAME' }),
  row('RFC 2308 §2.2', 'a CNAME to a name without the type', 'nodata MX', { ...EMPTY, answer: 'CNAME' }),
  row('RFC 1035 §4.1.1', 'a CNAME below a cut: AA is of the first name', 'below', {
    answer: 'CNAME',
    authority: 'NS',
    additional: 'A',
  }),
  row('RFC 1034 §5.2.2', 'CNAMEs in a circle end', 'round', { answer: 'CNAME CNAME' }),
  row('RFC 1034 §5.2.2', 'a CNAME to itself ends', 'self', { answer: 'CNAME' }),
  // DNAME.
  row('RFC 6672 §3.2', 'a DNAME is followed, with a CNAME', 'x.moved', { answer: 'DNAME CNAME A' }),
  row('RFC 6672 §3.2', 'a DNAME leads to a CNAME', 'y.moved', { answer: 'DNAME CNAME CNAME A' }),
  row('RFC 6672 §3.2', 'a CNAME leads to a DNAME', 'into', { answer: 'CNAME DNAME CNAME A' }),
  row('RFC 6672 §3.2', 'a CNAME below a DNAME is the one it means', 'x.moved CNAME', {
    answer: 'DNAME CNAME',
  }),
  row('RFC 6672 §3.2', 'a DNAME to nothing is NXDOMAIN', 'z.moved', { ...NO_NAME, answer: 'DNAME CNAME' }),
  row('RFC 6672 §3.2', 'a DNAME out of the zone', 'x.gone', { answer: 'DNAME CNAME' }),
  row('RFC 6672 §2.3', 'a DNAME is for names below its owner alone', 'moved', EMPTY),
  row('RFC 6672 §2.3', 'a DNAME can be asked for', 'moved DNAME', { answer: 'DNAME' }),
  row('RFC 6672 §2.2', 'a name that grows too long', `${'y'.repeat(60)}.${'z'.repeat(60)}.lengthy`, {
    rcode: 'YXDOMAIN',
    answer: 'DNAME',
  }),
  {
    of: 'RFC 6672 §3.1',
    what: 'the CNAME that a DNAME means has its TTL, and the name that was asked for',
    ask: { name: 'X.moved.example.org' },
    expect: ({ answer: [link, meant] }) =>
      assert.deepEqual([meant!.ttl, meant!.name.toString()], [link!.ttl, 'X.moved.example.org.']),
  },
  // Wildcards.
  row('RFC 4592 §2.2.1', 'a name that is there stops a wildcard', 'here.wild', EMPTY),
  row('RFC 4592 §2.2.1', 'and so it does for names below', 'x.here.wild', NO_NAME),
  row('RFC 4592 §2.2.2', 'what a wildcard stands below is no match of it', 'wild', EMPTY),
  row('RFC 4592 §2.3', 'a wildcard can be asked for', '*.wild', { answer: 'A' }),
  row('RFC 4592 §3.3', 'a wildcard without the type', 'x.wild TXT', EMPTY),
  row('RFC 4592 §4.4', 'a CNAME at a wildcard is followed', 'x.linked', { answer: 'CNAME A' }),
  row('RFC 4592 §4.4', 'a CNAME at a wildcard, and no such type behind', 'x.linked MX', {
    ...EMPTY,
    answer: 'CNAME',
  }),
  row('RFC 8020 §2', 'nothing is below a name that is not there', 'a.b.nope', NO_NAME),
  // Cuts.
  row('RFC 1034 §4.3.2', 'NS at a cut is a referral', 'sub NS', REFERRAL),
  row('RFC 2181 §6.1', 'glue is nothing to answer with', 'ns.sub', REFERRAL),
  row('RFC 1034 §4.3.2', 'SOA at a cut is a referral', 'sub SOA', REFERRAL),
  row('RFC 9471 §2.2', 'the servers of a neighbour bring their addresses', 'x.secure', REFERRAL),
  row('RFC 1034 §4.2.1', 'a server elsewhere has no address here', 'x.outside', {
    ...REFERRAL,
    additional: '',
  }),
  row('RFC 4035 §3.1.4.1', 'DS at a cut is ours', 'secure DS', { answer: 'DS' }),
  row('RFC 4035 §3.1.4.1', 'no DS at a cut is ours to say', 'sub DS', EMPTY),
  row('RFC 4035 §3.1.4.1', 'DS at the apex is not here', '@ DS', EMPTY),
  {
    of: 'RFC 9471 §3.1',
    what: 'glue that does not fit into 512 is truncated',
    ask: { name: 'x.big.example.org' },
    expect: ({ isTruncated }) => assert.equal(isTruncated, true),
  },
  {
    of: 'RFC 9471 §3.1',
    what: 'glue that fits is all there',
    ask: { name: 'x.big.example.org', edns: {} },
    expect: ({ isTruncated, additional }) => assert.deepEqual([isTruncated, additional.length], [false, 26]),
  },
  // What goes with an answer.
  row('RFC 1034 §4.3.2', 'MX brings addresses', '@ MX', { answer: 'MX', additional: 'A' }),
  row('RFC 2782', 'SRV brings addresses', 'srv SRV', { answer: 'SRV', additional: 'A AAAA' }),
  row('RFC 9460 §4.1', 'SVCB brings addresses', 'service SVCB', { answer: 'SVCB', additional: 'A AAAA' }),
  row('RFC 9460 §2.5.2', 'HTTPS at the root means its owner', 'own HTTPS', {
    answer: 'HTTPS',
    additional: 'A',
  }),
  row('RFC 9460 §4.1', 'SVCB that is an alias brings what it leads to', 'named SVCB', {
    answer: 'SVCB',
    additional: 'A AAAA SVCB',
  }),
  row('RFC 9460 §2.5.1', 'an alias to the root leads nowhere', 'absent SVCB', { answer: 'SVCB' }),
  row('RFC 7505 §3', 'no mail is taken: nothing goes with it', 'nomail MX', { answer: 'MX' }),
  row('RFC 2181 §5', 'a record that stands there twice is one', 'twice', { answer: 'A' }),
  ...(
    [
      ['srv', 'SRV', 6],
      ['moved', 'DNAME', 0],
      ['service', 'SVCB', 2],
    ] as const
  ).map(([name, type, before]): Row => ({
    of: 'RFC 3597 §4',
    what: `a name in ${type} is written whole`,
    ask: { name: `${name}.example.org`, type },
    expect: ({ answer }, bytes) => {
      const target = answer[0]!.rdata.subarray(before)
      assert.ok(bytes.includes(target), 'the data of the record is not in the packet as it is')
    },
  })),
  // Names and data.
  row('RFC 2181 §11', 'a dot within a label', 'a\\.b', { answer: 'A' }),
  row('RFC 2181 §11', 'a zero within a label', 'a\\000b', { answer: 'A' }),
  row('RFC 2181 §11', 'a dot within a label is none between labels', 'a.b', NO_NAME),
  row('RFC 4343 §3', 'the case of the zone is nothing', 'mixed', { answer: 'A' }),
  {
    of: 'RFC 1035 §2.3.4',
    what: 'a name of 255 bytes',
    ask: { name: `${[63, 63, 63, 49].map((bytes) => 'n'.repeat(bytes)).join('.')}.example.org` },
    expect: ({ rcode, question }) =>
      assert.deepEqual([rcode, question[0]!.name.wire.length], [RCODE.NXDOMAIN, 255]),
  },
  {
    of: 'RFC 1035 §3.3.14',
    what: 'a text of any bytes',
    ask: { name: 'binary.example.org', type: 'TXT' },
    expect: ({ answer }) =>
      assert.deepEqual(answer[0]!.rdata, Buffer.from([7, 0, 1, 255, 0x22, 0x5c, 0x20, 0x61])),
  },
  ...['TYPE0', 'TYPE100', 'TYPE256', 'TYPE32770', 'TYPE65535'].map((type): Row =>
    row('RFC 3597 §3', `${type} is not there`, `www ${type}`, EMPTY),
  ),
  ...['MAILA', 'MAILB', 'TKEY', 'TSIG', 'OPT'].map((type): Row => ({
    of: 'RFC 6895 §3.1',
    what: `${type} is no type of records`,
    ask: { name: 'www.example.org', type: `TYPE${META[type]}` },
    expect: ({ answer, rcode }) => {
      assert.equal(answer.length, 0)
      assert.ok(rcode !== RCODE.NXDOMAIN && rcode !== RCODE.SERVFAIL)
    },
  })),
]

describe('answers out of a zone', () => testRows(ROWS))
