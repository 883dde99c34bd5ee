/** What RFCs ask of a server of the DNS about headers, questions and names, a row each. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { RCODE, TYPE } from '../../src/wire/dns/codes.ts'
import { packet, words } from '../harness/dns-packets.ts'
import { rcode, type Row, testRows } from './dns-protocol.support.ts'

const query = packet()

const ROWS: readonly Row[] = [
  // The header.
  {
    what: 'the id comes back, QR is set',
    of: 'RFC 1035 §4.1.1',
    ask: { id: 0xbeef },
    expect: (answer) => assert.deepEqual([answer.id, answer.isResponse], [0xbeef, true]),
  },
  {
    what: 'RD is copied',
    of: 'RFC 1035 §4.1.1',
    ask: { flags: 0x0100 },
    expect: (answer) => assert.equal(answer.isRecursionDesired, true),
  },
  {
    what: 'RD stays clear',
    of: 'RFC 1035 §4.1.1',
    ask: { flags: 0 },
    expect: (answer) => assert.equal(answer.isRecursionDesired, false),
  },
  {
    what: 'RA is clear: nobody asks on',
    of: 'RFC 1035 §4.1.1',
    ask: {},
    expect: (answer) => assert.equal(answer.isRecursionAvailable, false),
  },
  {
    what: 'AA is set',
    of: 'RFC 1035 §4.1.1',
    ask: {},
    expect: (answer) => assert.equal(answer.isAuthoritative, true),
  },
  {
    what: 'CD is copied',
    of: 'RFC 4035 §3.1.6',
    ask: { flags: 0x0010 },
    expect: (answer) => assert.equal(answer.isCheckingDisabled, true),
  },
  {
    what: 'AD in a question is no AD in the answer',
    of: 'RFC 6840 §5.8',
    ask: { flags: 0x0020 },
    expect: (answer) => assert.equal(answer.isAuthentic, false),
  },
  {
    what: 'Z is ignored and not copied',
    of: 'RFC 1035 §4.1.1',
    ask: { flags: 0x0040 },
    expect: (answer, bytes) => {
      assert.equal(answer.rcode, 0)
      assert.equal(bytes[3]! & 0x40, 0)
    },
  },
  {
    what: 'AA, TC and RA of a question mean nothing',
    of: 'RFC 1035 §4.1.1',
    ask: { flags: 0x0680 },
    expect: (answer) =>
      assert.deepEqual([answer.rcode, answer.isTruncated, answer.isRecursionAvailable], [0, false, false]),
  },
  {
    what: 'an rcode in a question means nothing',
    of: 'RFC 1035 §4.1.1',
    ask: { flags: 0x0005 },
    expect: rcode('NOERROR'),
  },
  { what: 'an answer is not answered', of: 'RFC 1035 §7.3', ask: { flags: 0x8000 }, expect: 'silence' },
  {
    what: 'less than a header is not answered',
    of: 'RFC 1035 §4.1.1',
    ask: query.subarray(0, 11),
    expect: 'silence',
  },
  { what: 'nothing is not answered', of: 'RFC 1035 §4.1.1', ask: Buffer.alloc(0), expect: 'silence' },
  ...[1, 2, 3, 5, 6, 7, 15].map((opcode): Row => ({
    what: `opcode ${opcode} is NOTIMP, and comes back`,
    of: 'RFC 1035 §4.1.1, RFC 3425',
    ask: { flags: opcode << 11 },
    expect: (answer) => assert.deepEqual([answer.rcode, answer.opcode], [RCODE.NOTIMP, opcode]),
  })),
  // The question.
  {
    what: 'the question comes back, and its case',
    of: 'RFC 1035 §4.1.2, RFC 4343',
    ask: { name: 'wWw.eXaMple.ORG' },
    expect: (answer) => {
      assert.equal(String(answer.question[0]!.name), 'wWw.eXaMple.ORG.')
      assert.equal(answer.answer.length, 1)
    },
  },
  {
    what: 'no question is malformed',
    of: 'RFC 9619 §4',
    ask: { counts: [0, 0, 0, 0] },
    expect: rcode('FORMERR'),
  },
  {
    what: 'a header alone is malformed',
    of: 'RFC 9619 §4',
    ask: Buffer.concat([words(1, 0, 0, 0, 0, 0)]),
    expect: rcode('FORMERR'),
  },
  {
    what: 'two questions are malformed',
    of: 'RFC 9619 §4',
    ask: { counts: [2, 0, 0, 0], tail: packet().subarray(12) },
    expect: rcode('FORMERR'),
  },
  {
    what: 'a question that is cut is malformed',
    of: 'RFC 1035 §4.1.2',
    ask: query.subarray(0, query.length - 1),
    expect: rcode('FORMERR'),
  },
  {
    what: 'a name that is cut is malformed',
    of: 'RFC 1035 §3.1',
    ask: query.subarray(0, 15),
    expect: rcode('FORMERR'),
  },
  {
    what: 'a label type of old is malformed',
    of: 'RFC 6891 §5',
    ask: Buffer.concat([words(1, 0x100, 1, 0, 0, 0), Buffer.from([0x41, 0]), words(1, 1)]),
    expect: rcode('FORMERR'),
  },
  {
    what: 'a pointer to itself is malformed',
    of: 'RFC 1035 §4.1.4',
    ask: Buffer.concat([words(1, 0x100, 1, 0, 0, 0), words(0xc00c, 1, 1)]),
    expect: rcode('FORMERR'),
  },
  {
    what: 'a pointer ahead is malformed',
    of: 'RFC 1035 §4.1.4',
    ask: Buffer.concat([words(1, 0x100, 1, 0, 0, 0), words(0xc010, 1, 1), Buffer.alloc(8)]),
    expect: rcode('FORMERR'),
  },
  {
    what: 'a name of more than 255 bytes is malformed',
    of: 'RFC 1035 §2.3.4',
    ask: Buffer.concat([
      words(1, 0x100, 1, 0, 0, 0),
      ...Array.from({ length: 4 }, () => Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 'a')])),
      Buffer.from([0]),
      words(1, 1),
    ]),
    expect: rcode('FORMERR'),
  },
  {
    what: 'counts of records that are not there are malformed',
    of: 'RFC 1035 §4.1.1',
    ask: { counts: [1, 1, 0, 0] },
    expect: rcode('FORMERR'),
  },
  {
    what: 'something behind the end is malformed',
    of: 'RFC 1035 §4',
    ask: { tail: Buffer.from([1, 2, 3]) },
    expect: rcode('FORMERR'),
  },
  {
    what: 'a FORMERR has the id and opcode',
    of: 'RFC 1035 §4.1.1',
    ask: { id: 77, tail: Buffer.from([1]) },
    expect: (answer) => assert.deepEqual([answer.id, answer.opcode, answer.isResponse], [77, 0, true]),
  },
  {
    what: 'class CH is refused where nobody has it',
    of: 'RFC 1035 §3.2.4',
    ask: { class: 3 },
    expect: rcode('REFUSED'),
  },
  {
    what: 'a zone of others is refused',
    of: 'RFC 8906 §3.1',
    ask: { name: 'www.example.com' },
    expect: rcode('REFUSED'),
  },
  {
    what: 'AXFR is refused',
    of: 'RFC 5936 §5',
    ask: { name: 'example.org', type: 'AXFR' },
    expect: (answer) => {
      assert.notEqual(answer.rcode, 0)
      assert.equal(answer.answer.length, 0)
    },
  },
  {
    what: 'a type that nobody knows is NODATA',
    of: 'RFC 3597 §3, RFC 8906 §3.1.1',
    ask: { type: 'TYPE1000' },
    expect: (answer) =>
      assert.deepEqual([answer.rcode, answer.answer.length, answer.authority[0]!.type], [0, 0, TYPE.SOA]),
  },
  {
    what: 'a record of a type that nobody knows comes as it is',
    of: 'RFC 3597 §4',
    ask: { name: 'unknown.example.org', type: 'TYPE65280' },
    expect: (answer) => assert.deepEqual([...answer.answer[0]!.rdata], [1, 2, 3]),
  },
  // Names.
  {
    what: 'a name that is not there is NXDOMAIN with SOA',
    of: 'RFC 2308 §3',
    ask: { name: 'nope.example.org' },
    expect: (answer) => {
      assert.equal(answer.rcode, RCODE.NXDOMAIN)
      assert.deepEqual([answer.authority[0]!.type, answer.authority[0]!.ttl], [TYPE.SOA, 300])
    },
  },
  {
    what: 'an empty name in between is NODATA',
    of: 'RFC 8020 §2, RFC 4592 §2.2.2',
    ask: { name: 'empty.example.org' },
    expect: (answer) => assert.deepEqual([answer.rcode, answer.answer.length], [0, 0]),
  },
  {
    what: 'a wildcard stands for a name',
    of: 'RFC 4592 §3.3',
    ask: { name: 'any.thing.wild.example.org' },
    expect: (answer) => assert.equal(String(answer.answer[0]!.name), 'any.thing.wild.example.org.'),
  },
  {
    what: 'a CNAME is followed within the zone',
    of: 'RFC 1034 §4.3.2',
    ask: { name: 'alias.example.org' },
    expect: (answer) =>
      assert.deepEqual(
        answer.answer.map(({ type }) => type),
        [TYPE.CNAME, TYPE.A],
      ),
  },
  {
    what: 'a CNAME that is asked for comes alone',
    of: 'RFC 1034 §3.6.2',
    ask: { name: 'alias.example.org', type: 'CNAME' },
    expect: (answer) =>
      assert.deepEqual(
        answer.answer.map(({ type }) => type),
        [TYPE.CNAME],
      ),
  },
  {
    what: 'a delegation is a referral: no AA, NS and glue',
    of: 'RFC 1034 §4.3.2, RFC 9471',
    ask: { name: 'host.sub.example.org' },
    expect: (answer) =>
      assert.deepEqual(
        [answer.isAuthoritative, answer.answer.length, answer.authority[0]!.type, answer.additional[0]!.type],
        [false, 0, TYPE.NS, TYPE.A],
      ),
  },
  {
    what: 'ANY over UDP is one set of records',
    of: 'RFC 8482 §4.1',
    ask: { type: 'ANY' },
    expect: (answer) => assert.equal(new Set(answer.answer.map(({ type }) => type)).size, 1),
  },
]

describe('a server of the DNS', () => testRows(ROWS))
