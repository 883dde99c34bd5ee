/** Bans on their way into the log: they stand here, and are passed on until somebody takes them. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { EdgeError } from '../../base/errors.ts'
import type { BanOutcome } from '../../contract/bans.ts'
import { bansFor, type BansOptions, TestClock } from './bans.support.ts'
import { type PassedBan, WAITING_MAX, WaitingBans } from './waiting-bans.ts'

/** The other side: away, or there, and then it says what the test says. */
async function waitingFor(t: TestContext, options: BansOptions = {}) {
  const bans = await bansFor(t, options)
  const { folder, clock, book, log } = bans
  const passed: PassedBan[][] = []
  const other = {
    isAway: false,
    answer: (ban: PassedBan): BanOutcome => ({ prefix: ban.prefix, until: clock.wallMs + ban.forMs }),
  }
  const waiting = new WaitingBans({
    directory: folder,
    clock,
    timers: clock,
    random: () => 0,
    log,
    book,
    async pass(given) {
      passed.push([...given])
      if (other.isAway) throw new EdgeError('control-unreachable', 'nobody is there')
      return given.map(other.answer)
    },
  })
  t.after(() => waiting.stop())
  const add = (prefix: string, forMs = 600_000) =>
    waiting.add(
      prefix,
      { until: clock.wallMs + forMs, at: clock.wallMs, reason: 'x', by: 'limit login', node: 'a' },
      forMs,
    )
  /** Lets time go by, with what is asked meanwhile answered. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 50) {
      clock.pass(Math.min(50, left))
      await setImmediate()
    }
  }
  return { ...bans, waiting, passed, other, add, pass }
}

test('a ban stands at once, is passed on, and is let go of when the log has it', async (t) => {
  const { waiting, add, pass, passed, standing, book, ban } = await waitingFor(t)
  waiting.start()
  add('192.0.2.7')
  assert.deepEqual(standing(), ['192.0.2.7'])
  await pass(100)
  assert.deepEqual(
    passed.map((bans) => bans.map(({ prefix, by, node }) => [prefix, by, node])),
    [[['192.0.2.7', 'limit login', 'a']]],
  )
  assert.equal(book.waitingCount, 1)
  await ban('192.0.2.7', 500_000)
  assert.deepEqual([book.waitingCount, standing()], [0, ['192.0.2.7']])
  await pass(60_000)
  assert.equal(passed.length, 1)
})

test('while nobody takes it, it stands, is passed on less and less often, and with the time that is left', async (t) => {
  const { waiting, other, add, pass, passed, standing, warned } = await waitingFor(t)
  waiting.start()
  other.isAway = true
  add('192.0.2.7')
  await pass(120_000)
  assert.ok(passed.length > 5 && passed.length < 40, `${passed.length} times`)
  assert.deepEqual(standing(), ['192.0.2.7'])
  assert.equal(warned.filter((line) => /not in the log yet: nobody is there/.test(line)).length, 1)
  other.isAway = false
  await pass(10_000)
  const [last] = passed.at(-1)!
  assert.ok(last!.forMs <= 480_000 && last!.forMs > 460_000, String(last!.forMs))
})

test('one that ends while it waits is passed on to nobody', async (t) => {
  const { waiting, other, add, pass, passed, standing } = await waitingFor(t)
  waiting.start()
  other.isAway = true
  add('192.0.2.7', 5_000)
  await pass(60_000)
  const before = passed.length
  other.isAway = false
  await pass(60_000)
  assert.deepEqual([passed.length, standing()], [before, []])
})

test('one that is refused there ends here, and it is told why; others go on', async (t) => {
  const { waiting, other, add, pass, standing, warned } = await waitingFor(t)
  waiting.start()
  other.answer = (ban) =>
    ban.prefix === '192.0.2.7'
      ? { code: 'ban-refused', message: '192.0.2.7 is never banned: it is an office' }
      : { prefix: ban.prefix, until: 1 }
  add('192.0.2.7')
  add('192.0.2.8')
  assert.deepEqual(standing(), ['192.0.2.7', '192.0.2.8'])
  await pass(100)
  assert.deepEqual(standing(), ['192.0.2.8'])
  assert.match(warned.join(), /the ban of 192\.0\.2\.7 ends: 192\.0\.2\.7 is never banned: it is an office/)
})

test('what waits outlives a restart, and no longer than it was made for', async (t) => {
  const first = await waitingFor(t)
  first.waiting.start()
  first.other.isAway = true
  first.add('192.0.2.7', 600_000)
  first.add('192.0.2.8', 5_000)
  await first.pass(1_000)
  first.waiting.stop()
  first.close()
  const clock = new TestClock()
  clock.wallMs = first.clock.wallMs + 10_000
  const again = await waitingFor(t, { folder: first.folder, clock })
  assert.deepEqual(again.standing(), ['192.0.2.7'])
  again.waiting.start()
  await again.pass(100)
  assert.deepEqual(
    again.passed[0]!.map(({ prefix }) => prefix),
    ['192.0.2.7'],
  )
  again.waiting.stop()
  again.close()
  const earlier = new TestClock()
  earlier.wallMs = first.clock.wallMs - 30 * 24 * 3_600_000
  const back = await waitingFor(t, { folder: first.folder, clock: earlier })
  await back.pass(600_500)
  assert.deepEqual(back.standing(), [], 'a clock that was set back a month does not make it a month longer')
})

test('a thousand go at once, and no more wait than may', async (t) => {
  const { waiting, other, add, pass, passed, book } = await waitingFor(t)
  other.isAway = true
  for (let index = 0; index < WAITING_MAX; index++) add(`10.0.${index >> 8}.${index & 255}`)
  assert.throws(() => add('192.0.2.7'), { code: 'ban-limit' })
  add('10.0.0.1')
  other.isAway = false
  waiting.start()
  await pass(1_000)
  assert.deepEqual(
    passed.map(({ length }) => length),
    Array<number>(10).fill(1000),
  )
  assert.equal(book.toPass().length, 0)
})
