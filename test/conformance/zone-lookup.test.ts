/**
 * A thorny zone, asked some two thousand questions: ours, Knot DNS and BIND serve the same records, and the code, AA, answer and authority have to be the same.
 * Where those two differ from each other, ours has to be as one of them. Signed with NSEC and with NSEC3 as well, by BIND's tools.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { rcodeName, TYPE, typeName } from '../../src/wire/dns/codes.ts'
import { DnsMessage } from '../../src/wire/dns/message.ts'
import { DnsName } from '../../src/wire/dns/name.ts'
import type { DnsRecord } from '../../src/wire/dns/record.ts'
import { lookUp } from '../../src/zone/lookup.ts'
import { ASKED, THORNY } from '../../src/zone/testing/thorny.ts'
import { transferIn } from '../../src/zone/transfer-in.ts'
import { readZoneFile } from '../../src/zone/zone-file.ts'
import { Zone } from '../../src/zone/zone.ts'
import {
  askUdp,
  bindIsMissing,
  knotIsMissing,
  type NameServer,
  startBind,
  startKnot,
} from '../harness/name-servers.ts'

const TYPES = [
  TYPE.A,
  TYPE.AAAA,
  TYPE.NS,
  TYPE.MX,
  TYPE.TXT,
  TYPE.CNAME,
  TYPE.DNAME,
  TYPE.DS,
  TYPE.SOA,
  TYPE.SRV,
]
const ZONE = 'thorny.example'

const shownRecord = (record: DnsRecord): string =>
  `${record.name.key.length} ${record.name.toString().toLowerCase()} ${record.ttl} ${typeName(record.type)} ${shownData(record)}`

/** Names in data are compared without their case: those that are compressed take that of the question. */
const shownData = ({ type, rdata }: DnsRecord): string =>
  type === TYPE.TXT ? rdata.toString('hex') : rdata.toString('latin1').toLowerCase()

const shown = (message: DnsMessage): string =>
  [
    `${rcodeName(message.rcode)} ${message.isAuthoritative ? 'AA' : '--'}`,
    ...message.answer.map((record) => `answer ${shownRecord(record)}`).toSorted(),
    ...message.authority.map((record) => `authority ${shownRecord(record)}`).toSorted(),
  ]
    .join('\n')
    .replaceAll('\0', '\\0')

function ours(zone: Zone, name: DnsName, type: number, isDo: boolean): DnsMessage {
  const reply = new DnsMessage()
  reply.question.push({ name, type, class: 1 })
  lookUp(zone, name, type, isDo, reply)
  return reply
}

function zoneIn(text: string): Zone {
  const folder = mkdtempSync(join(tmpdir(), 'zone-'))
  try {
    writeFileSync(join(folder, 'zone'), text)
    const read = readZoneFile({ path: join(folder, 'zone'), origin: DnsName.parse(ZONE).wire })
    assert.ok(read.kind === 'zone')
    return new Zone(read.data)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The zone as BIND's tools sign it. */
function signed(more: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'signed-'))
  try {
    const run = (command: string, ...args: string[]) =>
      execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }).toString()
    const keys = [
      run('dnssec-keygen', '-a', 'ECDSAP256SHA256', '-f', 'KSK', ZONE),
      run('dnssec-keygen', '-a', 'ECDSAP256SHA256', ZONE),
    ]
    const text = keys.map((key) => readFileSync(join(folder, `${key.trim()}.key`), 'utf8')).join('')
    writeFileSync(join(folder, 'zone'), THORNY + text)
    run('dnssec-signzone', ...more, '-P', '-O', 'full', '-o', ZONE, '-f', 'signed', 'zone')
    return readFileSync(join(folder, 'signed'), 'utf8')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const KINDS: readonly (readonly [string, () => string, boolean])[] = [
  ['without signatures', () => THORNY, false],
  ['signed, with NSEC', () => signed([]), true],
  ['signed, with NSEC3', () => signed(['-3', 'aabbccdd', '-H', '3']), true],
  ['signed, with NSEC3 and opt-out', () => signed(['-3', '-', '-H', '0', '-A']), true],
]

for (const [kind, textOf, isSigned] of KINDS)
  describe(`a zone ${kind}`, { skip: knotIsMissing || bindIsMissing }, () => {
    let knot: NameServer
    let bind: NameServer
    let zone: Zone
    let fromKnot: Zone
    const ends: (() => unknown)[] = []
    const owner = { after: (work: () => unknown) => void ends.push(work) }
    after(async () => {
      for (const end of ends.toReversed()) await end()
    })
    before(async () => {
      const text = textOf()
      knot = await startKnot(owner, [{ name: ZONE, text, more: '    acl: [all]' }])
      bind = await startBind(owner, [{ name: ZONE, text }])
      const fetched = await transferIn({
        origin: DnsName.parse(ZONE),
        from: { host: '127.0.0.1', port: knot.port },
        silenceMs: 10_000,
        wholeMs: 60_000,
        bytesMax: 1e9,
        random: Math.random,
      })
      fromKnot = fetched!.zone
      zone = zoneIn(text)
    })

    test('a file is read as Knot DNS reads it', () => {
      const all = (one: Zone) => [...one.all()].map(shownRecord).toSorted()
      assert.deepEqual(all(zone), all(fromKnot))
    })

    for (const isDo of isSigned ? [true, false] : [false])
      test(`answers are those of Knot DNS or of BIND${isDo ? ', with proofs' : ''}`, async () => {
        const wrong: string[] = []
        let count = 0
        for (const asked of ASKED)
          for (const type of TYPES) {
            const name = DnsName.parse(asked === '' ? ZONE : `${asked}.${ZONE}`)
            const [byKnot, byBind] = await Promise.all([
              askUdp(knot.port, name.toString(), type, { isDo }),
              askUdp(bind.port, name.toString(), type, { isDo }),
            ])
            count += 1
            const own = shown(ours(zone, name, type, isDo))
            const others = [shown(byKnot), shown(byBind)]
            if (!others.includes(own))
              wrong.push(
                `${name.toString()} ${typeName(type)}\n--- ours\n${own}\n--- Knot DNS\n${others[0]}\n--- BIND\n${others[1]}\n`,
              )
          }
        assert.ok(count > 700)
        assert.equal(
          wrong.length,
          0,
          `${wrong.length} of ${count} differ:\n${wrong.slice(0, Number(process.env['SHOWN'] ?? 5)).join('\n')}`,
        )
      })
  })
