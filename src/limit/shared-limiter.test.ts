import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { parseIp } from '../base/ip-address.ts'
import { createAlgorithm } from './algorithms/algorithm.ts'
import { layRegion, type LimiterPlan, regionWords } from './region.ts'
import { SharedLimiter } from './shared-limiter.ts'

const PLAN: LimiterPlan = {
  algorithm: 'token-bucket',
  count: 10,
  windowMs: 1000,
  store: 'exact',
  keysMax: 1000,
  replacement: 's3-fifo',
  sketch: { width: 1024, depth: 4, cellBits: 16 },
}

function limiterOf(changes: Partial<LimiterPlan> = {}): SharedLimiter {
  const plan = { ...PLAN, ...changes }
  const words = new Int32Array(regionWords(plan))
  layRegion(words, plan, randomBytes(16))
  return new SharedLimiter(plan, words, { worker: 0 })
}

test('a table decides as the algorithm alone does', () => {
  for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window'] as const) {
    const limiter = limiterOf({ algorithm })
    const alone = createAlgorithm({ ...PLAN, algorithm })
    const states = new Map<string, Float64Array>()
    let now = 5000
    for (let i = 0; i < 20_000; i++) {
      now += (i * 7) % 13
      const key = `key ${(i * i) % 37}`
      const state = states.get(key) ?? new Float64Array(alone.words)
      states.set(key, state)
      assert.deepEqual(limiter.take(key, i % 3, now), alone.take(state, 0, i % 3, now), `${algorithm} ${i}`)
    }
  }
})

test('more keys than places: nobody gets more than the limit', () => {
  for (const replacement of ['s3-fifo', 'lru'] as const) {
    const limiter = limiterOf({ keysMax: 64, replacement, count: 5, windowMs: 3_600_000 })
    const given = new Map<string, number>()
    for (let round = 0; round < 20; round++)
      for (let i = 0; i < 1000; i++)
        if (limiter.take(`key ${i}`, 1, 10_000_000 + round).allowed)
          given.set(`key ${i}`, (given.get(`key ${i}`) ?? 0) + 1)
    console.log(
      replacement,
      given.size,
      Math.max(...given.values()),
      [...given.values()].reduce((a, b) => a + b, 0),
    )
    assert.ok(Math.max(...given.values()) <= 5)
  }
})

test('sketch', () => {
  for (const algorithm of ['fixed-window', 'sliding-window'] as const) {
    const limiter = limiterOf({ algorithm, store: 'sketch' })
    const exact = limiterOf({ algorithm })
    let now = 5000
    for (let i = 0; i < 20_000; i++) {
      now += (i * 7) % 13
      const key = `key ${(i * i) % 37}`
      assert.deepEqual(limiter.take(key, i % 3, now), exact.take(key, i % 3, now), `${algorithm} ${i}`)
    }
  }
})

test('prefixes', () => {
  const limiter = limiterOf({
    algorithm: 'fixed-window',
    store: 'sketch',
    prefixes: {
      v4: [{ length: 32, count: 2, windowMs: 1000 }],
      v6: [48, 56, 64].map((length, i) => ({ length, count: [6, 4, 2][i]!, windowMs: 1000 })),
    },
  })
  console.log(
    limiter.take(parseIp('2001:db8::1')!, 1, 1000),
    limiter.take(parseIp('2001:db8::2')!, 1, 1000),
    limiter.take(parseIp('2001:db8::3')!, 1, 1000),
    limiter.take(parseIp('1.2.3.4')!, 1, 1000),
  )
})
