/** What RFCs ask of a server of the DNS about EDNS, sizes, cookies and connections, a row each. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OPTION, RCODE, TYPE } from '../../src/wire/dns/codes.ts'
import { askTcp, decoded, option, optRecord, packet, words } from '../harness/dns-packets.ts'
import { rcode, type Row, server, testRows } from './dns-protocol.support.ts'

/** Cookies have 8 bytes of the client, and 8 to 32 of the server. */
const COOKIE = Buffer.from('0123456789abcdef', 'hex')

/** A record that nobody asked for. */
const ADDRESS = Buffer.concat([Buffer.alloc(1), words(TYPE.A, 1, 0, 0, 4), Buffer.from([192, 0, 2, 1])])

const ROWS: readonly Row[] = [
  // EDNS.
  {
    what: 'no OPT for who sent none',
    of: 'RFC 6891 §7',
    ask: {},
    expect: (answer) => assert.equal(answer.edns, undefined),
  },
  {
    what: 'OPT for who sent one, of version 0',
    of: 'RFC 6891 §6.1.1',
    ask: { edns: {} },
    expect: (answer) => assert.deepEqual([answer.edns?.version, answer.edns!.udpSize >= 512], [0, true]),
  },
  {
    what: 'OPT goes with NXDOMAIN',
    of: 'RFC 6891 §6.1.1',
    ask: { name: 'nope.example.org', edns: {} },
    expect: (answer) => assert.notEqual(answer.edns, undefined),
  },
  {
    what: 'OPT goes with REFUSED',
    of: 'RFC 6891 §6.1.1',
    ask: { name: 'example.com', edns: {} },
    expect: (answer) => assert.notEqual(answer.edns, undefined),
  },
  {
    what: 'DO is copied',
    of: 'RFC 3225 §3',
    ask: { edns: { flags: 0x8000 } },
    expect: (answer) => assert.equal(answer.edns?.isDo, true),
  },
  {
    what: 'no DO where there was none',
    of: 'RFC 3225 §3',
    ask: { edns: {} },
    expect: (answer) => assert.equal(answer.edns?.isDo, false),
  },
  {
    what: 'other flags of EDNS are ignored and not copied',
    of: 'RFC 6891 §6.1.4',
    ask: { edns: { flags: 0x7fff } },
    expect: (answer, bytes) => {
      assert.equal(answer.rcode, 0)
      assert.equal(bytes.readUInt16BE(bytes.length - 4), 0)
    },
  },
  {
    what: 'a higher version is BADVERS, with ours',
    of: 'RFC 6891 §6.1.3',
    ask: { edns: { version: 1 } },
    expect: (answer) =>
      assert.deepEqual([answer.rcode, answer.edns?.version, answer.answer.length], [RCODE.BADVERS, 0, 0]),
  },
  {
    what: 'version 255 too',
    of: 'RFC 6891 §6.1.3',
    ask: { edns: { version: 255, options: option(65_001) } },
    expect: rcode('BADVERS'),
  },
  {
    what: 'an option that nobody knows is ignored and not copied',
    of: 'RFC 6891 §6.1.2',
    ask: { edns: { options: option(65_001, Buffer.from('abc')) } },
    expect: (answer) => assert.deepEqual([answer.rcode, answer.edns!.options], [0, []]),
  },
  {
    what: 'a list of options is read',
    of: 'RFC 6891 §6.1.2',
    ask: {
      edns: {
        options: Buffer.concat([
          option(65_001),
          option(OPTION.NSID),
          option(OPTION.COOKIE, COOKIE),
          option(65_002, Buffer.alloc(9)),
        ]),
      },
    },
    expect: (answer) =>
      assert.deepEqual(
        answer.edns!.options.map(({ code }) => code),
        [OPTION.COOKIE],
      ),
  },
  {
    what: 'an option that is cut is malformed',
    of: 'RFC 6891 §6.1.2',
    ask: { edns: { options: Buffer.concat([words(10, 8), Buffer.alloc(4)]) } },
    expect: rcode('FORMERR'),
  },
  {
    what: 'half the head of an option is malformed',
    of: 'RFC 6891 §6.1.2',
    ask: { edns: { options: Buffer.from([0, 3]) } },
    expect: rcode('FORMERR'),
  },
  {
    what: 'two OPT records are malformed',
    of: 'RFC 6891 §6.1.1',
    ask: { edns: { times: 2 } },
    expect: rcode('FORMERR'),
  },
  {
    what: 'an OPT with an owner is malformed',
    of: 'RFC 6891 §6.1.2',
    ask: { edns: { owner: Buffer.from([1, 97, 0]) } },
    expect: rcode('FORMERR'),
  },
  {
    what: 'without EDNS an answer has 512 bytes at most, and says TC',
    of: 'RFC 1035 §4.2.1',
    ask: { name: 'many.example.org' },
    expect: (answer, bytes) => {
      assert.ok(bytes.length <= 512)
      assert.equal(answer.isTruncated, true)
    },
  },
  {
    what: 'with EDNS it may be as long as the client says',
    of: 'RFC 6891 §6.2.3',
    ask: { name: 'many.example.org', edns: { udpSize: 1232 } },
    expect: (answer, bytes) => {
      assert.ok(bytes.length > 512)
      assert.deepEqual([answer.isTruncated, answer.answer.length], [false, 60])
    },
  },
  {
    what: 'a size below 512 is 512',
    of: 'RFC 6891 §6.2.3',
    ask: { edns: { udpSize: 0 } },
    expect: (answer) =>
      assert.deepEqual([answer.rcode, answer.answer.length, answer.isTruncated], [0, 1, false]),
  },
  {
    what: 'no answer over UDP is so long that it would be cut on its way',
    of: 'RFC 9715 §3.1',
    ask: { name: 'long.example.org', type: 'TXT', edns: { udpSize: 4096 } },
    expect: (answer, bytes) => {
      assert.ok(bytes.length <= 1232)
      assert.equal(answer.isTruncated, true)
    },
  },
  {
    what: 'a truncated answer has no set of records that is not whole',
    of: 'RFC 2181 §9',
    ask: { name: 'many.example.org' },
    expect: (answer) => assert.ok([0, 60].includes(answer.answer.length)),
  },
  {
    what: 'a truncated answer has OPT',
    of: 'RFC 6891 §7',
    ask: { name: 'many.example.org', edns: { udpSize: 512 } },
    expect: (answer) => assert.deepEqual([answer.isTruncated, answer.edns !== undefined], [true, true]),
  },
  {
    what: 'a TCP keep-alive over UDP is ignored',
    of: 'RFC 7828 §3.2.1',
    ask: { edns: { options: option(OPTION.TCP_KEEPALIVE) } },
    expect: (answer) => assert.deepEqual([answer.rcode, answer.edns!.options], [0, []]),
  },
  {
    what: 'without encryption nothing is padded',
    of: 'RFC 7830 §6',
    ask: { edns: { options: option(OPTION.PADDING, Buffer.alloc(20)) } },
    expect: (answer) => assert.deepEqual(answer.edns!.options, []),
  },
  {
    what: 'an error says what is wrong',
    of: 'RFC 8914 §2',
    ask: { name: 'example.com', edns: {} },
    expect: (answer) => assert.equal(answer.edns!.options[0]!.code, OPTION.EXTENDED_ERROR),
  },
  // Cookies.
  {
    what: 'a client cookie has a server cookie for it',
    of: 'RFC 7873 §5.2.3, RFC 9018 §4',
    ask: { edns: { options: option(OPTION.COOKIE, COOKIE) } },
    expect: (answer) => {
      const { data } = answer.edns!.options[0]!
      assert.equal(data.length, 24)
      assert.deepEqual(data.subarray(0, 8), COOKIE)
      assert.equal(data[8], 1)
    },
  },
  {
    what: 'many cookies are answered with one',
    of: 'RFC 7873 §5.2',
    ask: {
      edns: { options: Buffer.concat(Array.from({ length: 30 }, () => option(OPTION.COOKIE, COOKIE))) },
    },
    expect: (answer) => assert.equal(answer.edns!.options.length, 1),
  },
  {
    what: 'a server cookie that is not ours is no error',
    of: 'RFC 7873 §5.2.4',
    ask: { edns: { options: option(OPTION.COOKIE, Buffer.concat([COOKIE, Buffer.alloc(16, 7)])) } },
    expect: (answer) => assert.deepEqual([answer.rcode, answer.answer.length], [0, 1]),
  },
  ...[0, 7, 9, 15, 41].map((length): Row => ({
    what: `a cookie of ${length} bytes is malformed`,
    of: 'RFC 7873 §5.2.2',
    ask: { edns: { options: option(OPTION.COOKIE, Buffer.alloc(length)) } },
    expect: rcode('FORMERR'),
  })),
  {
    what: 'who sent a malformed cookie is told so, and that we know EDNS',
    of: 'RFC 6891 §7, RFC 7873 §5.2.2',
    ask: { edns: { options: option(OPTION.COOKIE, Buffer.alloc(3)) } },
    expect: ({ rcode, edns, question }) =>
      assert.deepEqual(
        [rcode, edns?.version, question.length, edns!.options.map(({ code }) => code)],
        [RCODE.FORMERR, 0, 1, [OPTION.EXTENDED_ERROR]],
      ),
  },
  ...[1, 2, 5, 6, 15].map((opcode): Row => ({
    what: `opcode ${opcode} with EDNS is NOTIMP, which has OPT`,
    of: 'RFC 6891 §7, RFC 8906 §3.1.4',
    ask: { flags: opcode << 11, edns: {} },
    expect: ({ rcode, edns }) => assert.deepEqual([rcode, edns?.version], [RCODE.NOTIMP, 0]),
  })),
  {
    what: 'two questions with EDNS are malformed, which has OPT',
    of: 'RFC 6891 §7, RFC 9619 §4',
    ask: { counts: [2, 0, 0, 1], tail: Buffer.concat([packet().subarray(12), optRecord({})]) },
    expect: ({ rcode, edns }) => assert.deepEqual([rcode, edns?.version], [RCODE.FORMERR, 0]),
  },
  {
    what: 'an option of EDNS that is not known stays unanswered with BADVERS',
    of: 'RFC 6891 §6.1.3',
    ask: { edns: { version: 1, options: option(100, Buffer.from('x')) } },
    expect: ({ edns }) => assert.ok(!edns!.options.some(({ code }) => code === 100)),
  },
  {
    what: 'OPT may stand in front of another record',
    of: 'RFC 6891 §6.1.1',
    ask: { counts: [1, 0, 0, 2], edns: {}, tail: ADDRESS },
    expect: ({ rcode, edns, answer }) => assert.deepEqual([rcode, edns?.version, answer.length], [0, 0, 1]),
  },
  {
    what: 'OPT may stand behind another record',
    of: 'RFC 6891 §6.1.1',
    ask: { counts: [1, 0, 0, 2], tail: Buffer.concat([ADDRESS, optRecord({})]) },
    expect: ({ rcode, edns, answer }) => assert.deepEqual([rcode, edns?.version, answer.length], [0, 0, 1]),
  },
  ...(
    [
      ['all of 0', '00010000'],
      ['a network of IPv4', '00011800c00002'],
      ['a network of IPv6', '0002380020010db8000000'],
    ] as const
  ).map(([kind, data]): Row => ({
    what: `a client subnet, ${kind}, does no harm`,
    of: 'RFC 7871 §7.2',
    ask: { edns: { options: option(OPTION.CLIENT_SUBNET, Buffer.from(data, 'hex')) } },
    expect: ({ rcode, answer }) => assert.deepEqual([rcode, answer.length], [0, 1]),
  })),
  ...(
    [
      ['the expiry of a zone', 9],
      ['where errors are reported to', 18],
    ] as const
  ).map(([what, code]): Row => ({
    what: `${what} is asked for in vain, without harm`,
    of: code === 9 ? 'RFC 7314 §3' : 'RFC 9567 §6',
    ask: { name: 'example.org', type: 'SOA', edns: { options: option(code) } },
    expect: ({ rcode, answer }) => assert.deepEqual([rcode, answer[0]?.type], [0, TYPE.SOA]),
  })),
  {
    what: 'a cookie alone is answered with one',
    of: 'RFC 7873 §5.4',
    ask: Buffer.concat([
      words(9, 0, 0, 0, 0, 1),
      Buffer.from([0]),
      words(41, 1232, 0, 0, 12),
      option(OPTION.COOKIE, COOKIE),
    ]),
    expect: (answer) =>
      assert.deepEqual(
        [answer.rcode, answer.question.length, answer.edns!.options[0]!.data.length],
        [0, 0, 24],
      ),
  },
]

describe('EDNS and connections', () => {
  testRows(ROWS)

  test('RFC 1035 §4.2.2, RFC 7766 §5: what does not fit over UDP is whole over TCP', async () => {
    for (const [name, type, count] of [
      ['many', 'A', 60],
      ['long', 'TXT', 20],
    ] as const) {
      const [answer] = await askTcp(server.port, [packet({ name: `${name}.example.org`, type })])
      const { isTruncated, answer: records } = decoded(answer)
      assert.deepEqual([isTruncated, records.length], [false, count])
    }
  })

  test('RFC 7766 §6.2.1.1: many questions of one connection are answered, all of them', async () => {
    const ids = Array.from({ length: 300 }, (_, index) => index)
    const answers = await askTcp(
      server.port,
      ids.map((id) => packet({ id })),
    )
    assert.deepEqual(
      answers.map((answer) => answer.readUInt16BE()).toSorted((one, other) => one - other),
      ids,
    )
  })

  test('RFC 7828 §3.2.2: who asks for keep-alive over TCP is told how long', async () => {
    const [answer] = await askTcp(server.port, [packet({ edns: { options: option(OPTION.TCP_KEEPALIVE) } })])
    const [told] = decoded(answer).edns!.options
    assert.deepEqual(
      [told!.code, told!.data.length, told!.data.readUInt16BE() > 0],
      [OPTION.TCP_KEEPALIVE, 2, true],
    )
  })

  test('RFC 7873 §5.2.5, RFC 9018 §4.3: a cookie of ours stays the same while it is young', async () => {
    const first = decoded(
      await server.client.ask(packet({ edns: { options: option(OPTION.COOKIE, COOKIE) } })),
    )
    const ours = first.edns!.options[0]!.data
    const again = decoded(await server.client.ask(packet({ edns: { options: option(OPTION.COOKIE, ours) } })))
    assert.deepEqual(again.edns!.options[0]!.data, ours)
  })
})
