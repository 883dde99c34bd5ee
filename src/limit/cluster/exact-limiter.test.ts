/** Limits that ask a real Redis for every decision. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '../../../test/harness/eventually.ts'
import {
  redisIsMissing,
  type RedisServer,
  sharedBy,
  startRedis,
  startRedisCluster,
} from '../../../test/harness/redis.ts'
import { parseIp } from '../../base/ip-address.ts'
import type { Decision } from '../limiter.ts'
import { decidedBy, localCounter, planOf, startWorker } from './cluster.support.ts'
import { slotOf } from './slot.ts'

/** A machine that stands still is not what these are about. */
const PATIENT = { timeout: '10s' } as const
const HOUR_MS = 3_600_000

describe('exact limits', { skip: redisIsMissing }, () => {
  const owner = sharedBy(after)
  let redis: RedisServer
  before(async () => {
    redis = await startRedis(owner)
  })
  const calls = async () => {
    const line = (await redis.cli('INFO', 'commandstats'))
      .split('\n')
      .find((one) => one.startsWith('cmdstat_evalsha:'))
    return Number(/calls=(\d+)/.exec(line ?? '')?.[1] ?? 0)
  }

  test('two nodes together let through what the limit says, however many ask at once', async (t) => {
    const workers = await Promise.all([0, 1, 2].map(() => startWorker(t, [redis], PATIENT)))
    const plan = planOf({ algorithm: 'token-bucket', count: 50, windowMs: HOUR_MS }, { id: 'a\nb' })
    const limiters = workers.map(({ limiter }) => limiter(plan))
    await Promise.all(workers.map(({ limits }) => limits.ready()))
    const asked = Array.from({ length: 300 }, (_, n) => limiters[n % 3]!.take('eli'))
    const decisions = await Promise.all(asked)
    assert.equal(decisions.filter(({ allowed }) => allowed).length, 50)
    // What was allowed is counted here, too.
    assert.deepEqual(
      limiters.reduce((sum, { local }) => sum + local.taken, 0),
      50,
    )
    assert.equal(
      workers.reduce((sum, { limits }) => sum + decidedBy(limits, 'cluster'), 0),
      300,
    )
    assert.deepEqual(
      workers.flatMap(({ lines }) => lines),
      [],
    )
  })

  test('more decisions than may wait at once, one after the other, are all made by Redis', async (t) => {
    const { limiter, limits } = await startWorker(t, [redis], PATIENT)
    const { take } = limiter(
      planOf({ algorithm: 'fixed-window', count: 1_000_000, windowMs: HOUR_MS }, { id: 'many' }),
    )
    await limits.ready()
    for (let n = 0; n < 60; n++) await Promise.all(Array.from({ length: 200 }, () => take('eli')))
    assert.equal(decidedBy(limits, 'local'), 0)
    // And more than that at once are decided here, instead of waiting without end.
    await Promise.all(Array.from({ length: 10_100 }, () => take('eli')))
    assert.deepEqual([decidedBy(limits, 'local'), limits.state], [100, 'there'])
  })

  test('a limit of the same name at another site is another, and so is one with another window', async (t) => {
    const { limiter, limits } = await startWorker(t, [redis], PATIENT)
    const rate = { algorithm: 'fixed-window', count: 1, windowMs: HOUR_MS } as const
    const one = limiter(planOf(rate, { id: 'one\nlogin' }))
    const other = limiter(planOf(rate, { id: 'other\nlogin' }))
    const longer = limiter(planOf({ ...rate, windowMs: 2 * HOUR_MS }, { id: 'one\nlogin' }))
    await limits.ready()
    for (const { take } of [one, other, longer]) assert.equal((await take('eli')).allowed, true)
    assert.equal((await one.take('eli')).allowed, false)
    // The count alone may change: what was used stays used.
    const more = limiter(planOf({ ...rate, count: 3 }, { id: 'one\nlogin' }))
    assert.deepEqual((await more.take('eli')).remaining, 1)
  })

  test('who was told to come back later is told so again without a question', async (t) => {
    const { limiter, limits } = await startWorker(t, [redis], PATIENT)
    const { take } = limiter(planOf({ algorithm: 'gcra', count: 1, windowMs: HOUR_MS }, { id: 'again' }))
    await limits.ready()
    await take('eli')
    const first = await take('eli')
    const asked = await calls()
    const again = take('eli')
    assert.ok(!(again instanceof Promise))
    assert.deepEqual([first.allowed, again.allowed, again.remaining], [false, false, 0])
    assert.ok(again.retryAfterMs <= first.retryAfterMs && again.retryAfterMs > first.retryAfterMs - 60_000)
    assert.equal(await calls(), asked)
    // A second later it is asked for again: somebody may have changed it.
    await redis.cli('FLUSHALL')
    await eventually(async () => (await take('eli')).allowed)
  })

  test('scripts that Redis has forgotten are sent again', async (t) => {
    const { limiter, limits, lines } = await startWorker(t, [redis], PATIENT)
    const { take } = limiter(
      planOf({ algorithm: 'sliding-log', count: 5, windowMs: HOUR_MS }, { id: 'forgot' }),
    )
    await limits.ready()
    assert.equal((await take('eli')).remaining, 4)
    await redis.cli('SCRIPT', 'FLUSH')
    const both = await Promise.all([take('eli'), take('eli')])
    assert.deepEqual(
      both.map(({ remaining }) => remaining),
      [3, 2],
    )
    assert.equal((await take('eli')).remaining, 1)
    assert.equal(decidedBy(limits, 'local'), 0)
    assert.deepEqual(lines, [])
  })

  test('an address counts for all of its prefixes, in one question', async (t) => {
    const { limits } = await startWorker(t, [redis], PATIENT)
    const rate = { algorithm: 'token-bucket', count: 2, windowMs: HOUR_MS } as const
    const v6 = [
      { length: 64, count: 2, windowMs: HOUR_MS },
      { length: 56, count: 4, windowMs: HOUR_MS },
      { length: 48, count: 5, windowMs: HOUR_MS },
    ]
    const limiter = limits.limiter(planOf(rate, { id: 'levels', v6 }), localCounter(rate))
    await limits.ready()
    const asked = await calls()
    const ask = async (text: string, beside?: string): Promise<Decision> =>
      limiter.take(parseIp(text)!, 1, 1, beside)
    const allowed = async (text: string) => (await ask(text)).allowed
    for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::1', '2001:db8:0:1::2'])
      assert.equal(await allowed(address), true, address)
    assert.equal(await allowed('2001:db8:0:2::1'), false, 'the /56 is used up')
    assert.equal(await allowed('2001:db8:0:100::1'), true)
    assert.equal(await allowed('2001:db8:0:200::1'), false, 'the /48 is used up')
    assert.equal(await allowed('2001:db8:1::1'), true)
    assert.equal((await ask('2001:db8:0:200::1', 'another path')).allowed, true)
    assert.equal(await calls(), asked + 9)
    assert.equal(await allowed('192.0.2.1'), true)
    assert.equal(await allowed('::ffff:192.0.2.1'), true)
    assert.equal(await allowed('192.0.2.1'), false)
  })

  test('keys of no byte and of 64 KiB, and costs that are none', async (t) => {
    const { limiter, limits } = await startWorker(t, [redis], PATIENT)
    const { take } = limiter(
      planOf({ algorithm: 'token-bucket', count: 2, windowMs: 60_000 }, { id: 'keys' }),
    )
    await limits.ready()
    await redis.cli('FLUSHALL')
    const long = 'é'.repeat(65_536)
    for (const key of ['', long, `${long}x`, '{', '}{\r\n']) assert.equal((await take(key)).remaining, 1)
    for (const key of (await redis.cli('KEYS', '*')).split('\n'))
      if (!key.includes('probe')) assert.match(key, /^orla:limit:\{[\w.-]{34}\}$/)
    await eventually(async () => (await redis.cli('DBSIZE')) === '5')
    assert.deepEqual([(await take('', 0)).remaining, (await take('', 3)).retryAfterMs], [1, Infinity])
    for (const cost of [-1, 0.5, Number.NaN, Infinity, 2 ** 53])
      assert.throws(() => take('', cost), RangeError)
  })

  test('a user that may do no more than the guide says is enough, and another database', async (t) => {
    await redis.cli(
      'ACL',
      'SETUSER',
      'limits',
      'on',
      '>secret',
      '~orla:limit:*',
      '+evalsha',
      '+eval',
      '+script|load',
    )
    await redis.cli(
      'ACL',
      'SETUSER',
      'limits',
      '+time',
      '+get',
      '+set',
      '+del',
      '+lindex',
      '+llen',
      '+lpop',
      '+lrange',
    )
    await redis.cli('ACL', 'SETUSER', 'limits', '+rpush', '+pexpire', '+zadd', '+zremrangebyscore', '+zcard')
    await redis.cli('ACL', 'SETUSER', 'limits', '+select', '+cluster|slots', '+asking')
    await redis.cli('FLUSHALL')
    const server = { url: `redis://limits:secret@${redis.address}/3` } as RedisServer
    const { limiter, limits, lines } = await startWorker(t, [server], PATIENT)
    for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window', 'sliding-log'] as const) {
      const { take } = limiter(planOf({ algorithm, count: 1, windowMs: HOUR_MS }, { id: `may ${algorithm}` }))
      await limits.ready()
      assert.deepEqual([(await take('eli')).allowed, (await take('eli')).allowed], [true, false], algorithm)
    }
    assert.equal(decidedBy(limits, 'local'), 0)
    assert.deepEqual(lines, [])
    // What was tried at first is gone after a millisecond.
    await eventually(async () => (await redis.cli('-n', '3', 'DBSIZE')) === '4')
  })

  test('in a Cluster, keys lie on all masters, and those of one address on one', async (t) => {
    const cluster = await startRedisCluster(t)
    // One of them is enough to find the others.
    const workers = await Promise.all([0, 4].map((n) => startWorker(t, [cluster.members[n]!], PATIENT)))
    const v6 = [64, 56, 48].map((length) => ({ length, count: 3, windowMs: HOUR_MS }))
    const rate = { algorithm: 'sliding-window', count: 3, windowMs: HOUR_MS } as const
    const limiters = workers.map(({ limits }) => limits.limiter(planOf(rate, { v6 }), localCounter(rate)))
    await Promise.all(workers.map(({ limits }) => limits.ready()))
    const allowed = await Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        const ip = parseIp(`2001:db8:${(n % 50).toString(16)}::1`)!
        return (await limiters[n % 2]!.take(ip, 1, 1)).allowed
      }),
    )
    assert.equal(allowed.filter(Boolean).length, 150)
    assert.equal(
      workers.reduce((sum, { limits }) => sum + decidedBy(limits, 'local'), 0),
      0,
    )
    const sizes = await Promise.all(cluster.members.slice(0, 3).map((master) => master.cli('DBSIZE')))
    assert.ok(
      sizes.every((size) => Number(size) >= 3),
      String(sizes),
    )
    assert.equal(
      slotOf('user1000'),
      Number(await cluster.members[0]!.cli('CLUSTER', 'KEYSLOT', 'a{user1000}b')),
    )
  })
})
