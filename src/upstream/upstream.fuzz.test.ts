/** Answers with bytes changed, cut off and added by chance: each is an answer or a failure with a name, and nothing stays behind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../test/harness/eventually.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { DnsName } from '../wire/dns/name.ts'
import { DnsRecord } from '../wire/dns/record.ts'
import { answerTo, faultServer, framed } from './testing/fault-server.ts'
import { Upstream } from './upstream.ts'
import { parseUpstreamAddress } from './upstream-address.ts'
import { UpstreamError } from './upstream-error.ts'

const SEED = Number(process.env['ORLA_FUZZ_SEED'] ?? Date.now() % 1_000_000)
const ROUNDS = 1500

/** Mulberry32: small, and the same for the same seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function damaged(bytes: Buffer, random: (below: number) => number): Buffer {
  const changed = Buffer.from(bytes)
  // The id and the flags mostly stay: otherwise nothing behind them would be read.
  for (let left = random(4); left > 0; left--)
    changed[random(8) === 0 ? random(4) : 4 + random(changed.length - 4)] = random(256)
  if (random(4) === 0) return changed.subarray(0, random(changed.length))
  return random(4) === 0 ? Buffer.concat([changed, Buffer.alloc(random(20), random(256))]) : changed
}

const signed = (query: Buffer): Buffer =>
  answerTo(query, ({ answer, authority }) => {
    const { name } = answer[0]!
    answer.push(new DnsRecord(name, 5, 60, Buffer.from(name.wire, 'latin1')))
    authority.push(
      new DnsRecord(
        name,
        6,
        60,
        Buffer.concat([Buffer.from(name.wire + name.wire, 'latin1'), Buffer.alloc(20)]),
      ),
    )
  })

for (const isTcp of [false, true])
  test(`over ${isTcp ? 'TCP' : 'UDP'}, with the seed ${SEED}`, async (t) => {
    const random = randomFrom(SEED)
    const server = await faultServer(t, {
      onPacket: (query, send) => send(damaged(signed(query), random)),
      onFrame: (query, socket) => {
        const frame = framed(damaged(signed(query), random))
        socket.write(random(10) === 0 ? damaged(frame, random) : frame)
      },
    })
    const upstream = new Upstream(parseUpstreamAddress(server.address)!, { timeoutMs: 200, expireMs: 100 })
    t.after(() => upstream.close())
    let answered = 0
    const ask = async () => {
      const query = new DnsMessage()
      query.question.push({ name: DnsName.parse('www.example.org'), type: 1, class: 1 })
      try {
        const answer = await upstream.exchange(query, isTcp)
        assert.equal(answer.question[0]!.name.toString(), 'www.example.org.')
        answered += 1
      } catch (error) {
        assert.ok(error instanceof UpstreamError, String(error))
      }
    }
    for (let round = 0; round < ROUNDS; round += 150) await Promise.all(Array.from({ length: 150 }, ask))
    assert.ok(answered > 0)
    assert.equal(upstream.inFlight, 0)
    await eventually(() => upstream.sockets === 0)
  })
