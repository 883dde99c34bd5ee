/** What a worker has of limits over all nodes: metrics, what is loaded when, and files that cannot be read. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { eventually } from '../../../test/harness/eventually.ts'
import { redisIsMissing, type RedisServer, startRedis } from '../../../test/harness/redis.ts'
import { overshootOf, planOf, startWorker } from './cluster.support.ts'

const rate = { algorithm: 'token-bucket', count: 10, windowMs: 3_600_000 } as const

test('what speaks to Redis is loaded with the first limit that needs it', async () => {
  const program = `
    import { createRequire } from 'node:module'
    import { systemClock } from './src/base/clock.ts'
    import { systemTimers } from './src/base/timers.ts'
    import { ClusterLimits } from './src/limit/cluster/cluster-limits.ts'
    const { cache } = createRequire(process.cwd() + '/')
    const isLoaded = () => Object.keys(cache).some((path) => path.includes('@redis'))
    const config = { url: ['redis://127.0.0.1:1'], prefix: 'x', timeout: 50, settle: 100 }
    const limits = new ClusterLimits(config, { clock: systemClock, timers: systemTimers, random: Math.random, warn() {} })
    await limits.ready()
    const before = isLoaded()
    const rate = { algorithm: 'gcra', count: 1, windowMs: 1000 }
    limits.limiter({ id: 'a', mode: 'exact', rate, v4: [], v6: [] }, { take() {} })
    await limits.ready()
    console.log(before, isLoaded())
    limits.close()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  assert.equal(stdout, 'false true\n')
})

test('metrics say how Redis is, and who decided', { skip: redisIsMissing }, async (t) => {
  const redis = await startRedis(t)
  const { limits, limiter } = await startWorker(t, [redis], { timeout: '10s' })
  assert.deepEqual(limits.samples(), [])
  const { take } = limiter(planOf(rate, { id: 'example.org\nlogin' }))
  take('before it is connected')
  await limits.ready()
  await take('eli')
  await take('eli')
  const labels = { site: 'example.org', limit: 'login' }
  assert.deepEqual(limits.samples(), [
    { name: 'orla_limit_redis_state', labels: { state: 'there' }, value: 1 },
    { name: 'orla_limit_redis_decisions_total', labels: { ...labels, by: 'cluster' }, value: 2 },
    { name: 'orla_limit_redis_decisions_total', labels: { ...labels, by: 'local' }, value: 1 },
  ])
})

test('a file of `tls` that cannot be read is told by its name', async (t) => {
  const { limiter } = await startWorker(t, [{ url: 'rediss://127.0.0.1:1' } as RedisServer], {
    tls: { ca: '/nowhere/ca.pem' },
  })
  assert.throws(() => limiter(planOf(rate)), {
    code: 'file-unreadable',
    message: /edge\.limitsRedis\.tls\.ca: \/nowhere\/ca\.pem cannot be read: ENOENT/,
  })
})

test(
  'two workers that settle by the clock of the machine stay within the bound',
  { skip: redisIsMissing },
  async (t) => {
    const redis = await startRedis(t)
    const bucket = { algorithm: 'token-bucket', count: 1000, windowMs: 1000, burst: 200 } as const
    const timeoutMs = 1000
    const workers = await Promise.all(
      [0, 1].map(() => startWorker(t, [redis], { timeout: '1s', settle: '50ms' })),
    )
    const limiters = workers.map(({ limiter }) => limiter(planOf(bucket, { mode: 'batched' })))
    await Promise.all(workers.map(({ limits }) => limits.ready()))
    const taken: [number, number][] = []
    let asked = 0
    let inFlight = 0
    const startMs = performance.now()
    await eventually(
      async () => {
        for (const { take } of limiters) {
          for (let n = 0; n < 10 && inFlight < 500; n++) {
            asked += 1
            inFlight += 1
            // When it was allowed, and not when that was heard of.
            void Promise.resolve(take('eli')).then(({ allowed }) => {
              inFlight -= 1
              if (allowed) taken.push([performance.now(), 1])
            })
          }
        }
        return performance.now() - startMs > 2000
      },
      { everyMs: 1 },
    )
    await eventually(() => inFlight === 0)
    const overshoot = overshootOf(taken, 200, 1)
    const bound = 2 * 50 + 2 * timeoutMs + 20
    assert.ok(overshoot <= bound, `${overshoot} above, and ${bound} is the bound`)
    assert.ok(taken.length >= 1500, `${taken.length}`)
    const questions = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.cli('INFO', 'commandstats'))?.[1])
    assert.ok(questions < asked / 10, `${questions} questions for ${asked} requests`)
  },
)
