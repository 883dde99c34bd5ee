/** The scripts in a real Redis, by a clock of the test, beside the algorithms that decide on a node. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createClient } from '@redis/client'
import { eventually } from '../../../test/harness/eventually.ts'
import { redisIsMissing, type RedisServer, sharedBy, startRedis } from '../../../test/harness/redis.ts'
import { seededRandom } from '../../wire/http1/fuzz/random.ts'
import { type AlgorithmName, createAlgorithm, type RatePlan } from '../algorithms/algorithm.ts'
import type { Decision } from '../limiter.ts'
import { waitOf } from './cluster-limiter.ts'
import { levelShape } from './plan.ts'
import { JOIN, SCRIPTS } from './scripts.ts'
import { timed } from './timed.support.ts'

const timedTake = (plan: RatePlan) => timed(SCRIPTS.get(plan.algorithm)!.take)
const timedSettle = (plan: RatePlan) => timed(SCRIPTS.get(plan.algorithm)!.settle)
const START_MS = 1_700_000_000_000

describe('scripts', { skip: redisIsMissing }, () => {
  const owner = sharedBy(after)
  let redis: RedisServer
  let client: Awaited<ReturnType<typeof connect>>
  const connect = () => createClient({ url: redis.url, RESP: 2 }).connect()
  before(async () => {
    redis = await startRedis(owner)
    client = await connect()
    owner.after(() => client.destroy())
  })

  const evalText = (text: string, keys: readonly string[], args: readonly (string | number)[]) =>
    client.sendCommand<readonly number[]>(['EVAL', text, String(keys.length), ...keys, ...args.map(String)])

  const levelArgs = (plan: RatePlan) => {
    const { full, windowMs, unit, perMs, startFull } = levelShape(plan, 'exact')
    return [full, windowMs, unit, perMs, Number(startFull)]
  }

  async function takeAt(key: string, plan: RatePlan, cost: number, now: number): Promise<Decision> {
    const reply = await evalText(timedTake(plan), [key], [cost, ...levelArgs(plan), now])
    const [allowed, remaining, wait, full] = reply
    return {
      allowed: allowed === 1,
      remaining: remaining!,
      retryAfterMs: waitOf(wait!),
      resetMs: full!,
    }
  }

  const plans: readonly RatePlan[] = [
    { algorithm: 'token-bucket', count: 1, windowMs: 1000 },
    { algorithm: 'token-bucket', count: 7, windowMs: 1000, burst: 3 },
    { algorithm: 'token-bucket', count: 1_000_000_000, windowMs: 2_592_000_000, burst: 1_000_000 },
    { algorithm: 'token-bucket', count: 3, windowMs: 1 },
    { algorithm: 'leaky-bucket', count: 5, windowMs: 700, burst: 9 },
    { algorithm: 'gcra', count: 1, windowMs: 1000, burst: 0 },
    { algorithm: 'gcra', count: 3, windowMs: 1000 },
    { algorithm: 'fixed-window', count: 4, windowMs: 1000 },
    { algorithm: 'fixed-window', count: 2, windowMs: 1 },
    { algorithm: 'sliding-window', count: 5, windowMs: 1000 },
    { algorithm: 'sliding-window', count: 5, windowMs: 1000, startFull: true },
    { algorithm: 'sliding-window', count: 50, windowMs: 60_000 },
    { algorithm: 'sliding-log', count: 5, windowMs: 1000 },
    { algorithm: 'sliding-log', count: 1, windowMs: 300 },
  ]

  for (const plan of plans)
    test(`Redis decides as a node does: ${JSON.stringify(plan)}`, async () => {
      const algorithm = createAlgorithm(plan)
      for (let seed = 1; seed <= 3; seed++) {
        const random = seededRandom(seed)
        const state = new Float64Array(algorithm.words)
        const key = `${JSON.stringify(plan)} ${seed}`
        let now = START_MS
        for (let step = 0; step < 150; step++) {
          // Now and then the clock steps back; sometimes much further than two clocks are apart. A log in Redis knows no moment but those of its stamps.
          const luck = random.below(1e6) / 1e6
          const chance = plan.algorithm === 'sliding-log' ? 0.06 + luck * 0.94 : luck
          if (chance < 0.04) now -= Math.floor((random.below(1e6) / 1e6) * 9_000)
          else if (chance < 0.06) now -= 11_000 + Math.floor((random.below(1e6) / 1e6) * 100_000)
          else now += Math.floor((random.below(1e6) / 1e6) * plan.windowMs * (chance < 0.9 ? 0.5 : 3))
          const cost = chance > 0.97 ? 0 : 1 + random.below(1 + random.below(algorithm.costMax))
          const before = state.slice()
          const here = algorithm.take(state, 0, cost, now)
          // In Redis what is refused is not written, unless the clock was set; a node notes the moment.
          if (!here.allowed && before[0]! - 1 - now <= 10_000) state.set(before)
          const there = await takeAt(key, plan, cost, now)
          const { allowed, remaining, retryAfterMs, resetMs } = here
          assert.deepEqual(
            there,
            { allowed, remaining, retryAfterMs, resetMs },
            `seed ${seed}, step ${step}: ${cost} at ${now - START_MS}`,
          )
        }
      }
    })

  test('a clock that is set back by hours lets go on from there, with what was used', async () => {
    const algorithms: readonly AlgorithmName[] = [
      'token-bucket',
      'fixed-window',
      'sliding-window',
      'sliding-log',
    ]
    for (const algorithm of algorithms) {
      const plan: RatePlan = { algorithm, count: 2, windowMs: 1000 }
      const key = `back ${algorithm}`
      assert.equal((await takeAt(key, plan, 2, START_MS)).allowed, true)
      const back = START_MS - 3_600_000
      const { allowed, retryAfterMs } = await takeAt(key, plan, 1, back)
      assert.equal(allowed, false, algorithm)
      assert.ok(retryAfterMs <= 2000, `${algorithm}: ${retryAfterMs}`)
      assert.equal((await takeAt(key, plan, 1, back + 2000)).allowed, true, algorithm)
    }
  })

  test('what is no state counts as used up', async () => {
    for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window'] as const) {
      const key = `noise ${algorithm}`
      await client.set(key, 'noise')
      const plan: RatePlan = { algorithm, count: 2, windowMs: 1000 }
      assert.equal((await takeAt(key, plan, 1, START_MS)).allowed, false, algorithm)
      assert.equal((await takeAt(key, plan, 1, START_MS + 2000)).allowed, true, algorithm)
    }
  })

  test('levels are asked from the widest on; where one refuses, nothing is taken of any', async () => {
    const wide: RatePlan = { algorithm: 'token-bucket', count: 2, windowMs: 100_000 }
    const fine: RatePlan = { ...wide, count: 1 }
    const args = [1, ...levelArgs(wide), ...levelArgs(fine), START_MS]
    const take = (finest: string) => evalText(timedTake(wide), ['{w}', `{w}${finest}`], args)
    assert.deepEqual(await take('a'), [1, 0, 0, 100_000, 2])
    assert.deepEqual(await take('a'), [0, 0, 100_000, 100_000, 2])
    assert.deepEqual(await take('b'), [1, 0, 0, 100_000, 1])
    assert.deepEqual(await take('c'), [0, 0, 50_000, 100_000, 1])
    assert.equal(await client.exists('{w}c'), 0)
  })

  test('nothing stays in Redis once it says no more than what is not there', async () => {
    const at: Record<string, RatePlan> = {
      'gone bucket': { algorithm: 'token-bucket', count: 100, windowMs: 1000 },
      'gone fixed': { algorithm: 'fixed-window', count: 100, windowMs: 50 },
      'gone sliding': { algorithm: 'sliding-window', count: 100, windowMs: 50 },
      'gone log': { algorithm: 'sliding-log', count: 100, windowMs: 50 },
    }
    for (const [key, plan] of Object.entries(at)) {
      await evalText(SCRIPTS.get(plan.algorithm)!.take.text, [key], [3, ...levelArgs(plan)])
      assert.ok(Number(await client.pTTL(key)) > 0, key)
    }
    await evalText(JOIN.text, ['gone set'], ['one', 100])
    await eventually(async () => (await client.exists([...Object.keys(at), 'gone set'])) === 0)
  })

  describe('settling', () => {
    const bucket: RatePlan = { algorithm: 'token-bucket', count: 100, windowMs: 1000 }
    const fixed: RatePlan = { algorithm: 'fixed-window', count: 100, windowMs: 1000 }
    interface Ask {
      readonly given?: number
      readonly cost?: number
      readonly needed?: number
      readonly wanted?: number
      readonly divisor?: number
      readonly back?: number
      readonly backAt?: number
    }
    async function settleAt(key: string, plan: RatePlan, now: number, ask: Ask) {
      const { given = 0, cost = 0, needed = 0, wanted = 0, divisor = 1, back = 0, backAt = 0 } = ask
      const numbers = [given, cost, needed, wanted, divisor, back, backAt]
      const reply = await evalText(timedSettle(plan), [key], [...numbers, ...levelArgs(plan), now])
      const [allowed, aside, remaining, wait, full, still, at] = reply
      return { allowed, aside, remaining, wait, full, still, at }
    }

    test('what is set aside is counted at once, and a part of what remains is left to others', async () => {
      assert.deepEqual(
        await settleAt('s1', bucket, START_MS, { cost: 1, needed: 9, wanted: 80, divisor: 3 }),
        {
          allowed: 1,
          aside: 9 + 30,
          remaining: 60,
          wait: 0,
          full: 400,
          still: -1,
          at: START_MS,
        },
      )
      assert.equal((await takeAt('s1', bucket, 61, START_MS)).allowed, false)
      assert.equal((await takeAt('s1', bucket, 60, START_MS)).allowed, true)
    })

    test('what was given unasked is owed: it is paid before anybody gets more', async () => {
      const first = await settleAt('s2', bucket, START_MS, { given: 10, cost: 100 })
      assert.deepEqual([first.allowed, first.aside, first.remaining, first.wait], [0, 0, 90, 100])
      await settleAt('s2', bucket, START_MS, { cost: 90 })
      await settleAt('s2', bucket, START_MS, { given: 10 })
      // 110 of 100: a tenth of a second more.
      assert.equal((await takeAt('s2', bucket, 1, START_MS)).retryAfterMs, 110)
    })

    test('of a bucket comes back what time has not brought back already', async () => {
      await settleAt('s3', bucket, START_MS, { wanted: 50 })
      const later = await settleAt('s3', bucket, START_MS + 200, { back: 50, backAt: START_MS })
      // 50 less 20 by time; of the 50 that come back, 30 had not come back by then.
      assert.equal(later.remaining, 100)
      await settleAt('s4', bucket, START_MS, { wanted: 50 })
      await takeAt('s4', bucket, 50, START_MS)
      assert.equal(
        (await settleAt('s4', bucket, START_MS + 200, { back: 50, backAt: START_MS })).remaining,
        50,
      )
      // From a time that has not come, nothing does.
      assert.equal(
        (await settleAt('s4', bucket, START_MS + 200, { back: 50, backAt: START_MS + 999 })).remaining,
        50,
      )
    })

    test('of a window comes back what was set aside in it, and it is told how long that is good for', async () => {
      const first = await settleAt('s5', fixed, START_MS + 900, { wanted: 40 })
      assert.deepEqual([first.aside, first.still], [40, 100])
      assert.equal(
        (await settleAt('s5', fixed, START_MS + 950, { back: 30, backAt: START_MS + 900 })).remaining,
        90,
      )
      await settleAt('s5', fixed, START_MS + 1100, { cost: 5 })
      assert.equal(
        (await settleAt('s5', fixed, START_MS + 1200, { back: 10, backAt: START_MS + 900 })).remaining,
        95,
      )
    })

    test('where it was refused, what was given is counted all the same', async () => {
      await settleAt('s6', fixed, START_MS, { cost: 95 })
      const { allowed, remaining, wait } = await settleAt('s6', fixed, START_MS, {
        given: 3,
        cost: 3,
        wanted: 9,
      })
      assert.deepEqual([allowed, remaining, wait], [0, 2, 1000])
      assert.equal((await takeAt('s6', fixed, 2, START_MS)).allowed, true)
      assert.equal((await takeAt('s6', fixed, 1, START_MS)).allowed, false)
    })
  })

  test('the scripts are as Redis names them', async () => {
    const all = [...SCRIPTS.values()].flatMap(({ take, settle }) => [take, settle])
    for (const { text, sha } of [...all, JOIN])
      assert.equal(await client.sendCommand(['SCRIPT', 'LOAD', text]), sha)
  })
})
