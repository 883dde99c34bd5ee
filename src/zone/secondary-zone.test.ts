/** A secondary zone over weeks, in moments: time is in the test's hand, the primary is a real socket. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { eventually } from '../../test/harness/eventually.ts'
import { TYPE } from '../wire/dns/codes.ts'
import { SecondaryZone } from './secondary-zone.ts'
import type { ServerAddress } from './tcp-link.ts'
import { honest, host, ns, ORIGIN, scriptedPrimary, soa } from './testing/scripted-primary.ts'
import { Turns } from './turns.ts'

const S = 1000

function inHand(t: TestContext, primaries: readonly ServerAddress[]) {
  let nowMs = 1_000_000
  let waiting: { atMs: number; work: () => void }[] = []
  const logged: string[] = []
  const changes: string[] = []
  const say = (level: string) => (text: string) => void logged.push(`${level} ${text}`)
  const zone = new SecondaryZone(ORIGIN, primaries, {
    timers: {
      later(ms, work) {
        const one = { atMs: nowMs + ms, work }
        waiting.push(one)
        return () => void (waiting = waiting.filter((other) => other !== one))
      },
    },
    steadyNow: () => nowMs,
    random: () => 0.5,
    turns: new Turns(1),
    limits: { silenceMs: 2000, wholeMs: 10_000, bytesMax: 1e6 },
    log: { info: say('info'), warn: say('warn'), error: say('error') },
    onChange: (origin) => void changes.push(origin.toString()),
  })
  t.after(() => zone.stop())
  return {
    zone,
    serial: () => zone.zone?.serial,
    logged,
    changes,
    /** What is waited for next, in seconds from now. */
    nextS: () => Math.min(...waiting.map(({ atMs }) => (atMs - nowMs) / S)),
    isWaiting: () => waiting.length > 0,
    pass(seconds: number) {
      nowMs += seconds * S
      const due = waiting.filter(({ atMs }) => atMs <= nowMs)
      waiting = waiting.filter(({ atMs }) => atMs > nowMs)
      for (const { work } of due) work()
    },
  }
}

const records = (serial: number, ...more: ReturnType<typeof host>[]) => [
  soa(serial, [600, 60, 3600, 30]),
  ns,
  ...more,
]
const to = (port: number): ServerAddress => ({ host: '127.0.0.1', port })

test('it is fetched, looked at after refresh, and after retry where nobody answers; then it expires, and comes back', async (t) => {
  const primary = await scriptedPrimary(t, honest(records(1)))
  const hand = inHand(t, [to(primary.port)])
  hand.zone.start()
  assert.equal(hand.zone.zone, undefined)
  await eventually(() => hand.isWaiting())
  assert.equal(hand.serial(), 1)
  assert.deepEqual(hand.changes, ['example.org.'])
  assert.equal(hand.nextS(), 600 + 2.5)

  hand.pass(603)
  await eventually(() => hand.isWaiting())
  assert.deepEqual(
    primary.asked.map(({ question }) => question[0]!.type),
    [TYPE.AXFR, TYPE.SOA],
  )
  assert.equal(hand.changes.length, 1)

  primary.script = (_, socket) => void socket.destroy()
  hand.pass(603)
  await eventually(() => hand.isWaiting())
  assert.equal(hand.nextS(), 60 + 1)
  assert.equal(hand.serial(), 1)
  assert.match(
    hand.logged.at(-1)!,
    /warn example\.org\. cannot be fetched from 127\.0\.0\.1:\d+: the connection ended/,
  )

  hand.pass(2990)
  await eventually(() => hand.isWaiting())
  assert.equal(hand.serial(), 1)
  hand.pass(61)
  await eventually(() => hand.isWaiting())
  assert.equal(hand.zone.zone, undefined)
  assert.ok(hand.zone.isExpired)
  assert.match(hand.logged.at(-1)!, /error example\.org\. has expired/)

  // What has expired is taken even where its serial is the same, or has gone back meanwhile.
  primary.script = honest(records(1))
  hand.pass(61)
  await eventually(() => hand.isWaiting())
  assert.equal(hand.serial(), 1)
})

test('a transfer that is cut in the middle leaves the former zone, and the next primary is asked', async (t) => {
  const first = await scriptedPrimary(t, honest(records(1, host('old'))))
  const second = await scriptedPrimary(t, honest(records(1, host('old'))))
  const hand = inHand(t, [to(first.port), to(second.port)])
  hand.zone.start()
  await eventually(() => hand.isWaiting())
  assert.equal(second.asked.length, 0)
  const cut: typeof first.script = (query, socket) => {
    if (query.question[0]!.type === TYPE.SOA) return honest(records(2))(query, socket)
    void honest(records(2, host('new')))(query, {
      write: (bytes: Buffer) => socket.end(bytes.subarray(0, bytes.length - 20)),
    } as never)
  }
  first.script = cut
  second.script = cut
  hand.pass(603)
  await eventually(() => hand.isWaiting())
  assert.equal(hand.serial(), 1)
  assert.ok(second.asked.length > 0)
  second.script = honest(records(2, host('new')))
  hand.pass(61)
  await eventually(() => hand.isWaiting())
  assert.equal(hand.serial(), 2)
})

test('until it was there once it is asked for again soon, and less and less often', async (t) => {
  const primary = await scriptedPrimary(t, (_, socket) => void socket.destroy())
  const hand = inHand(t, [to(primary.port)])
  hand.zone.start()
  const waits: number[] = []
  for (let n = 0; n < 9; n++) {
    await eventually(() => hand.isWaiting())
    waits.push(hand.nextS())
    hand.pass(hand.nextS())
  }
  assert.ok(waits[0]! <= 0.25)
  assert.ok(waits[8]! > 5 && waits[8]! <= 10, String(waits))
})

test('whoever says that it changed has it looked at, but no more than twice a second', async (t) => {
  const primary = await scriptedPrimary(t, honest(records(1)))
  const hand = inHand(t, [to(primary.port)])
  hand.zone.start()
  await eventually(() => hand.isWaiting())
  primary.script = honest(records(2))
  hand.pass(1)
  hand.zone.notified()
  await eventually(() => hand.serial() === 2 && hand.isWaiting())
  const asked = primary.asked.length
  for (let n = 0; n < 100; n++) hand.zone.notified()
  assert.equal(hand.nextS(), 0.5)
  assert.equal(primary.asked.length, asked)
  primary.script = honest(records(3))
  hand.pass(0.5)
  await eventually(() => hand.serial() === 3)
})

test('an SOA that wants to be looked at all the time, or never, is not obeyed', async (t) => {
  for (const [refreshS, least, most] of [
    [0, 1, 10],
    [0xffff_ffff, 80_000, 90_000],
  ] as const) {
    const primary = await scriptedPrimary(t, honest([soa(1, [refreshS, refreshS, 1e6, 30]), ns]))
    const hand = inHand(t, [to(primary.port)])
    hand.zone.start()
    await eventually(() => hand.isWaiting())
    assert.ok(hand.nextS() >= least && hand.nextS() <= most, String(hand.nextS()))
  }
})
