/** Limits that give out of shares: how much more than the limit all of them together let through. */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { redisIsMissing, type RedisServer, sharedBy, startRedis } from '../../../test/harness/redis.ts'
import { seededRandom } from '../../wire/http1/fuzz/random.ts'
import type { AlgorithmName, RatePlan } from '../algorithms/algorithm.ts'
import { BatchedLimiter } from './batched-limiter.ts'
import { HandTime, localCounter, overshootOf, planOf, TimedServers } from './cluster.support.ts'
import { LevelKeys } from './level-keys.ts'
import { Participants } from './participants.ts'

const START_MS = 1_700_000_000_000
const SETTLE_MS = 100
/** There, and as long back: that is the time that a question has. */
const DELAY_MAX_MS = 25
const TIMEOUT_MS = 2 * DELAY_MAX_MS

describe('batched limits', { skip: redisIsMissing }, () => {
  const owner = sharedBy(after)
  let redis: RedisServer
  before(async () => {
    redis = await startRedis(owner)
  })

  /** So many workers, all of them settled in: two beats have passed. */
  async function workersOf(t: TestContext, count: number, rate: RatePlan, seed: number) {
    const time = new HandTime(START_MS)
    const random = seededRandom(seed)
    const servers = new TimedServers(redis, time, () => random.below(DELAY_MAX_MS + 1))
    await servers.open(t)
    const prefix = 'test:'
    const made = Array.from({ length: count }, (_, n) => {
      const shared = { counters: servers, clock: time, timers: time }
      const participants = new Participants({ ...shared, prefix, id: `worker ${n}` })
      participants.start()
      const counts = { cluster: 0, local: 0 }
      const local = localCounter(rate)
      const keys = new LevelKeys(planOf(rate, { mode: 'batched' }), prefix)
      const { startFull = false } = rate
      const limiter = new BatchedLimiter({
        ...shared,
        keys,
        local,
        counts,
        settleMs: SETTLE_MS,
        participants,
        startFull,
      })
      return { limiter, participants, counts, local }
    })
    for (let n = 0; n < 300; n++) {
      time.pass(10)
      await servers.settle()
    }
    for (const { participants } of made)
      assert.deepEqual([participants.count, participants.isSettled], [count, true])
    return { time, random, servers, made }
  }

  /** Requests at random workers, for `forMs`, about so many a millisecond; when and how much of each key was allowed. */
  async function hammer(
    { time, random, servers, made }: Awaited<ReturnType<typeof workersOf>>,
    {
      forMs,
      perMs,
      keys,
      costMax = 1,
    }: { forMs: number; perMs: number; keys: readonly string[]; costMax?: number },
  ) {
    const taken = new Map(keys.map((key) => [key, [] as [number, number][]]))
    let asked = 0
    let waited = 0
    for (const endMs = time.ms + forMs; time.ms < endMs;) {
      time.pass(1)
      for (let left = perMs * 2 * random.below(1000) * 1e-3; left >= 1 || random.chance(left); left -= 1) {
        if (left < 0) break
        const key = random.pick(keys)
        const cost = 1 + random.below(costMax)
        asked += 1
        const decision = random.pick(made).limiter.take(key, cost, time.ms)
        const note = (allowed: boolean) => allowed && taken.get(key)!.push([time.ms, cost])
        if (decision instanceof Promise) {
          waited += 1
          void decision.then(({ allowed }) => note(allowed))
        } else note(decision.allowed)
      }
      await servers.settle()
    }
    return { taken, asked, waited }
  }

  for (const algorithm of ['token-bucket', 'leaky-bucket', 'gcra'] as const)
    test(`three workers let through no more than the bound, in no interval: ${algorithm}`, async (t) => {
      const rate: RatePlan = { algorithm, count: 200, windowMs: 1000, burst: 100 }
      const full = algorithm === 'gcra' ? 101 : 100
      const stand = await workersOf(t, 3, rate, 7)
      const { taken, asked } = await hammer(stand, { forMs: 4000, perMs: 2, keys: ['a', 'b'], costMax: 3 })
      const perMs = 0.2
      const bound = perMs * (2 * SETTLE_MS + 2 * TIMEOUT_MS) + full / 10
      for (const [key, units] of taken) {
        const overshoot = overshootOf(units, full, perMs)
        assert.ok(overshoot <= bound, `${key}: ${overshoot} above, and ${bound} is the bound`)
        const sum = units.reduce((all, [, one]) => all + one, 0)
        assert.ok(sum >= 0.85 * (full + perMs * 4000), `${key}: only ${sum} of ${full + perMs * 4000}`)
      }
      assert.ok(stand.servers.asked < asked / 4, `${stand.servers.asked} questions for ${asked} requests`)
      assert.equal(
        stand.made.reduce((sum, { counts }) => sum + counts.local, 0),
        0,
      )
    })

  for (const algorithm of ['fixed-window', 'sliding-window'] as const)
    test(`three workers let through no more than a tenth above the count, in no window: ${algorithm}`, async (t) => {
      const rate: RatePlan = { algorithm, count: 300, windowMs: 1000 }
      const stand = await workersOf(t, 3, rate, 11)
      const { taken } = await hammer(stand, { forMs: 5000, perMs: 2, keys: ['a', 'b'] })
      for (const [key, units] of taken) {
        const byWindow = new Map<number, number>()
        for (const [atMs, one] of units) {
          const window = Math.floor(atMs / 1000)
          byWindow.set(window, (byWindow.get(window) ?? 0) + one)
        }
        const worst = Math.max(...byWindow.values())
        assert.ok(worst <= 330, `${key}: ${worst} in a window`)
        const sum = [...byWindow.values()].reduce((all, one) => all + one, 0)
        assert.ok(sum >= 0.7 * 5 * 300, `${key}: only ${sum}`)
      }
    })

  test('clients that come seldom, to one worker after the other, get no more than the limit and its bound', async (t) => {
    // Each worker forgets the key in between, as far as it may, and is asked for the first time again and again.
    const rate: RatePlan = { algorithm: 'token-bucket', count: 2, windowMs: 1000, burst: 40 }
    const stand = await workersOf(t, 4, rate, 3)
    const { taken } = await hammer(stand, { forMs: 30_000, perMs: 0.01, keys: ['a'] })
    const perMs = 0.002
    const bound = perMs * (2 * SETTLE_MS + 2 * TIMEOUT_MS) + 4
    const overshoot = overshootOf(taken.get('a')!, 40, perMs)
    assert.ok(overshoot <= bound, `${overshoot} above, and ${bound} is the bound`)
  })

  test('where the limit is small beside the number of workers, each request waits for an answer, and nothing is given too much', async (t) => {
    const rate: RatePlan = { algorithm: 'fixed-window', count: 5, windowMs: 10_000 }
    const stand = await workersOf(t, 3, rate, 5)
    const { taken } = await hammer(stand, {
      forMs: 9_000 - (stand.time.ms % 10_000),
      perMs: 0.2,
      keys: ['a'],
    })
    assert.equal(taken.get('a')!.length, 5)
  })

  test('the first request of a key that is new is answered at once, and told behind', async (t) => {
    const rate: RatePlan = { algorithm: 'token-bucket', count: 100, windowMs: 60_000 }
    const { made, servers, time } = await workersOf(t, 2, rate, 1)
    const [one, other] = made
    const asked = servers.asked
    const first = one!.limiter.take('a', 5, time.ms)
    assert.ok(!(first instanceof Promise) && first.allowed)
    assert.equal(servers.asked, asked + 1)
    // A twentieth of the allowance is this worker's: more has to be asked for.
    const second = one!.limiter.take('a', 1, time.ms)
    assert.ok(second instanceof Promise)
    for (let n = 0; n < 4 * DELAY_MAX_MS; n++) {
      time.pass(1)
      await servers.settle()
    }
    assert.equal((await second).allowed, true)
    const all = other!.limiter.take('a', 95, time.ms)
    for (let n = 0; n < 2 * DELAY_MAX_MS; n++) {
      time.pass(1)
      await servers.settle()
    }
    const { allowed, remaining } = await all
    // What was set aside for the first worker is not given to the other.
    assert.deepEqual([allowed, remaining <= 94], [false, true])
  })

  test('what was set aside and not taken goes back', async (t) => {
    const rate: RatePlan = { algorithm: 'fixed-window', count: 1000, windowMs: 3_600_000 }
    const { made, servers, time } = await workersOf(t, 2, rate, 2)
    const run = async (ms: number) => {
      for (let n = 0; n < ms; n++) {
        time.pass(1)
        await servers.settle()
      }
    }
    let taken = 0
    for (let n = 0; n < 200; n++) {
      const asked = made[0]!.limiter.take('a', 1, time.ms)
      await run(asked instanceof Promise ? 2 * DELAY_MAX_MS : 1)
      if ((await asked).allowed) taken += 1
    }
    await run(1000)
    const decision = made[1]!.limiter.take('a', 0, time.ms)
    await run(100)
    assert.equal((await decision).remaining, 1000 - taken)
  })

  test('what no plan may ask for is refused with what would be right', () => {
    const modes: [AlgorithmName, 'exact' | 'batched', RegExp][] = [
      [
        'leaky-queue',
        'exact',
        /"leaky-queue" lets requests wait in the memory of one node; over all nodes expected one of token-bucket/,
      ],
      ['shaper', 'batched', /"shaper" lets requests wait/],
      ['sliding-log', 'batched', /mode: "sliding-log" keeps the moment of each request/],
    ]
    for (const [algorithm, mode, message] of modes) {
      const plan = planOf({ algorithm, count: 10, windowMs: 1000 }, { mode })
      assert.throws(() => new LevelKeys(plan, 'x:'), { name: 'RangeError', message })
    }
    const long = planOf({ algorithm: 'sliding-window', count: 1_000_000_000, windowMs: 2_592_000_000 })
    assert.throws(() => new LevelKeys(long, 'x:'), /counts to 1737499, not to 1000000000/)
  })
})
