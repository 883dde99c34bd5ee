/** Transfers as primaries send them that are right, wrong, slow, or lie: what is not whole changes nothing. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { TYPE } from '../wire/dns/codes.ts'
import { DnsName } from '../wire/dns/name.ts'
import type { DnsRecord } from '../wire/dns/record.ts'
import {
  answerTo,
  frameOf,
  honest,
  host,
  ns,
  ORIGIN,
  type Script,
  scriptedPrimary,
  soa,
} from './testing/scripted-primary.ts'
import { transferIn, type TransferOptions } from './transfer-in.ts'
import type { Zone } from './zone.ts'

const optionsFor = (port: number, more: Partial<TransferOptions> = {}): TransferOptions => ({
  origin: ORIGIN,
  from: { host: '127.0.0.1', port },
  silenceMs: 400,
  wholeMs: 5000,
  bytesMax: 1_000_000,
  random: Math.random,
  ...more,
})

const whole = (serial: number, ...records: DnsRecord[]): DnsRecord[] => [soa(serial), ns, ...records]
const namesOf = (zone: Zone): string[] =>
  [...zone.all()]
    .filter(({ type }) => type === TYPE.A)
    .map(({ name, rdata }) => `${name.toString()} ${rdata.join('.')}`)

async function fetched(t: TestContext, script: Script, known?: Zone) {
  const primary = await scriptedPrimary(t, script)
  const result = await transferIn(optionsFor(primary.port, { known }))
  return { result, asked: primary.asked.map(({ question }) => question[0]!.type) }
}

const zoneOf = async (t: TestContext, records: readonly DnsRecord[]): Promise<Zone> =>
  (await fetched(t, honest(records))).result!.zone

test('a zone comes in many messages, with pieces of bytes anywhere', async (t) => {
  const records = whole(1, ...Array.from({ length: 300 }, (_, n) => host(`h${n}`)))
  const { result } = await fetched(t, async (query, socket) => {
    const all = [...records, records[0]!]
    const bytes = Buffer.concat(
      Array.from({ length: Math.ceil(all.length / 7) }, (_, n) =>
        frameOf(answerTo(query, all.slice(n * 7, n * 7 + 7))),
      ),
    )
    for (let at = 0; at < bytes.length; at += 777) {
      socket.write(bytes.subarray(at, at + 777))
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
  assert.equal(namesOf(result!.zone).length, 300)
  assert.equal(result!.isWhole, true)
})

const WRONG: readonly (readonly [string, Script, RegExp])[] = [
  [
    'cut between messages',
    (query, socket) => void socket.end(frameOf(answerTo(query, whole(1, host('a'))))),
    /the connection ended/,
  ],
  [
    'cut in the middle of a message',
    (query, socket) => void socket.end(frameOf(answerTo(query, whole(1))).subarray(0, 50)),
    /ended in the middle of a message/,
  ],
  ['reset', (_, socket) => void socket.resetAndDestroy(), /ECONNRESET|ended/],
  ['silent', () => {}, /nothing came for 400 ms/],
  [
    'silent in the middle',
    (query, socket) => void socket.write(frameOf(answerTo(query, whole(1)))),
    /nothing came for 400 ms/,
  ],
  [
    'another id',
    (query, socket) => {
      const answer = answerTo(query, [...whole(1), soa(1)])
      answer.id ^= 1
      socket.write(frameOf(answer))
    },
    /no answer to the question/,
  ],
  [
    'a query instead of an answer',
    (query, socket) => void socket.write(frameOf(query)),
    /no answer to the question/,
  ],
  [
    'another question',
    (query, socket) => {
      const answer = answerTo(query, [...whole(1), soa(1)])
      answer.question = [{ name: DnsName.parse('example.net'), type: TYPE.AXFR, class: 1 }]
      socket.write(frameOf(answer))
    },
    /answers another question/,
  ],
  [
    'no question at all',
    (query, socket) => {
      const answer = answerTo(query, [...whole(1), soa(1)])
      answer.question = []
      socket.write(frameOf(answer))
    },
    /answers another question/,
  ],
  [
    'REFUSED',
    (query, socket) => {
      const answer = answerTo(query, [])
      answer.rcode = 5
      socket.write(frameOf(answer))
    },
    /it answers REFUSED/,
  ],
  [
    'TC',
    (query, socket) => {
      const answer = answerTo(query, whole(1))
      answer.isTruncated = true
      socket.write(frameOf(answer))
    },
    /truncates/,
  ],
  ['an empty message', (query, socket) => void socket.write(frameOf(answerTo(query, []))), /is empty/],
  [
    'bytes that are no message',
    (_, socket) => void socket.write(Buffer.from([0, 13, ...Array.from({ length: 13 }, () => 255)])),
    /cut|no answer/,
  ],
  [
    'no SOA in front',
    (query, socket) => void socket.write(frameOf(answerTo(query, [host('a'), ...whole(1)]))),
    /begins with the SOA/,
  ],
  [
    'the SOA of another zone in front',
    (query, socket) =>
      void socket.write(frameOf(answerTo(query, [soa(1).withName(DnsName.parse('example.net')), ns]))),
    /begins with the SOA/,
  ],
  [
    'another SOA at the end',
    (query, socket) => void socket.write(frameOf(answerTo(query, [...whole(1), soa(2)]))),
    /does not end with the SOA/,
  ],
  [
    'records behind the end',
    (query, socket) => void socket.write(frameOf(answerTo(query, [...whole(1), soa(1), host('a')]))),
    /follow the last one/,
  ],
  [
    'a record of another zone',
    (query, socket) =>
      void socket.write(frameOf(answerTo(query, [...whole(1, host('a.example.net.')), soa(1)]))),
    /outside of the zone/,
  ],
  [
    'a record of a type that is none',
    (query, socket) =>
      void socket.write(
        frameOf(answerTo(query, [...whole(1, Object.assign(host('a'), { type: 255 })), soa(1)])),
      ),
    /no type of data/,
  ],
  [
    'a cut SOA',
    (query, socket) =>
      void socket.write(
        frameOf(answerTo(query, [Object.assign(soa(1), { rdata: Buffer.from('\0\0abc') }), ns])),
      ),
    /cut/,
  ],
  [
    'no end',
    async (query, socket) => {
      for (let n = 0; !socket.destroyed; n++) {
        socket.write(
          frameOf(
            answerTo(query, n === 0 ? whole(1) : Array.from({ length: 100 }, (_, m) => host(`h${n}-${m}`))),
          ),
        )
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    /more than 1000000 bytes/,
  ],
]
for (const [what, script, error] of WRONG)
  test(`a primary that is wrong is told apart: ${what}`, async (t) => {
    await assert.rejects(fetched(t, script), error)
  })

test('a primary that sends a byte now and then has an end', async (t) => {
  const primary = await scriptedPrimary(t, async (query, socket) => {
    const bytes = frameOf(answerTo(query, [...whole(1), soa(1)]))
    for (let at = 0; at < bytes.length && !socket.destroyed; at++) {
      socket.write(bytes.subarray(at, at + 1))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  await assert.rejects(transferIn(optionsFor(primary.port, { wholeMs: 300 })), /longer than 300 ms/)
})

test('nobody there is told at once', async () => {
  await assert.rejects(transferIn(optionsFor(1)), /ECONNREFUSED/)
})

test('what is current is not fetched; an older serial is not newer, whichever way round', async (t) => {
  const zone = await zoneOf(t, whole(0xffff_fff0))
  for (const serial of [0xffff_fff0, 0xffff_0000]) {
    const { result, asked } = await fetched(t, honest(whole(serial)), zone)
    assert.equal(result, undefined)
    assert.deepEqual(asked, [TYPE.SOA])
  }
  // Beyond the end of the numbers it begins anew (RFC 1982).
  const { result } = await fetched(t, honest(whole(3, host('new'))), zone)
  assert.equal(result!.zone.serial, 3)
})

/** Answers with these records where changes are asked for, and as one that has `records` otherwise. */
const withChanges =
  (records: readonly DnsRecord[], changes: readonly DnsRecord[]): Script =>
  (query, socket) => {
    if (query.question[0]!.type === TYPE.IXFR) socket.write(frameOf(answerTo(query, changes)))
    else void honest(records)(query, socket)
  }

test('changes of several serials are taken in order', async (t) => {
  const zone = await zoneOf(t, whole(1, host('a'), host('b'), host('c')))
  const changes = [
    soa(3),
    soa(1),
    host('a'),
    soa(2),
    host('d'),
    host('a', '192.0.2.9'),
    soa(2),
    host('d'),
    host('b'),
    soa(3),
    host('e'),
    soa(3),
  ]
  const { result, asked } = await fetched(t, withChanges(whole(3), changes), zone)
  assert.deepEqual(asked, [TYPE.SOA, TYPE.IXFR])
  assert.equal(result!.isWhole, false)
  assert.equal(result!.zone.serial, 3)
  assert.deepEqual(namesOf(result!.zone).toSorted(), [
    'a.example.org. 192.0.2.9',
    'c.example.org. 192.0.2.1',
    'e.example.org. 192.0.2.1',
  ])
  assert.deepEqual(namesOf(zone).length, 3)
})

const NO_FIT: readonly (readonly [string, readonly DnsRecord[]])[] = [
  ['remove what is not there', [soa(2), soa(1), host('nobody'), soa(2), host('z'), soa(2)]],
  ['begin elsewhere in the middle', [soa(3), soa(1), soa(2), soa(1), soa(3), soa(3)]],
  ['lead back', [soa(2), soa(1), soa(0), host('z'), soa(0), soa(2), soa(2)]],
  ['are the SOA alone', [soa(2)]],
  ['go on behind their end', [soa(2), soa(1), soa(2), host('z'), soa(2), host('y')]],
  ['add what is outside', [soa(2), soa(1), soa(2), host('z.example.net.'), soa(2)]],
]
for (const [what, changes] of NO_FIT)
  test(`changes that ${what} are dropped, and all is fetched`, async (t) => {
    const zone = await zoneOf(t, whole(1, host('a')))
    const { result, asked } = await fetched(t, withChanges(whole(2, host('b')), changes), zone)
    assert.deepEqual(asked, [TYPE.SOA, TYPE.IXFR, TYPE.AXFR])
    assert.equal(result!.isWhole, true)
    assert.deepEqual(namesOf(result!.zone), ['b.example.org. 192.0.2.1'])
  })

test('a primary without changes gives all of it to the same question', async (t) => {
  const zone = await zoneOf(t, whole(1, host('a')))
  const { result, asked } = await fetched(t, honest(whole(2, host('b'))), zone)
  assert.deepEqual(asked, [TYPE.SOA, TYPE.IXFR])
  assert.deepEqual(namesOf(result!.zone), ['b.example.org. 192.0.2.1'])
})
