/** Numbers of plans: which are taken, what is said of others, and that large ones are counted exactly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../cache/seeded-random.ts'
import { ALGORITHM_NAMES, createAlgorithm, type RatePlan } from './algorithm.ts'
import { productOver } from './product.ts'

const DAYS_30 = 30 * 24 * 3_600_000

test('a plan that cannot be is refused with what would be right', () => {
  const plan = { algorithm: 'token-bucket', count: 5, windowMs: 1000 } as const
  const refused: readonly [Partial<RatePlan>, RegExp][] = [
    ...[0, -1, 1.5, NaN, Infinity, 1e9 + 1].map((count): [Partial<RatePlan>, RegExp] => [
      { count },
      /^count: expected a whole number from 1 to 1000000000, not /,
    ]),
    ...[0, -1, 0.5, NaN, DAYS_30 + 1].map((windowMs): [Partial<RatePlan>, RegExp] => [
      { windowMs },
      /^windowMs: expected a whole number from 1 to 2592000000, not /,
    ]),
    [{ burst: 0 }, /^burst: expected a whole number from 1 to 1000000000, not 0/],
    [{ algorithm: 'gcra', burst: -1 }, /^burst: expected a whole number from 0 to /],
    [
      { algorithm: 'leaky-queue', queue: 100_001 },
      /^queue: expected a whole number from 0 to 100000, not 100001/,
    ],
    [
      { algorithm: 'sliding-log', count: 4097 },
      /counts to 4096 in a window, not to 4097; sliding-window and gcra count further/,
    ],
    [{ algorithm: 'token' as 'gcra' }, /^algorithm: expected one of token-bucket, .*, not "token"/],
    [{ startMs: 0.5 }, /^startMs: /],
  ]
  for (const [change, message] of refused)
    assert.throws(
      () => createAlgorithm({ ...plan, ...change }),
      { name: 'RangeError', message },
      JSON.stringify(change),
    )
})

test('windows of 1 ms and of 30 days are counted to the unit and the millisecond', () => {
  for (const algorithm of ALGORITHM_NAMES)
    for (const windowMs of [1, DAYS_30]) {
      const one = createAlgorithm({
        algorithm,
        count: 1,
        windowMs,
        queue: 0,
        burst: algorithm === 'gcra' ? 0 : 1,
      })
      const state = new Float64Array(one.words)
      const start = 694 * DAYS_30
      assert.equal(one.take(state, 0, 1, start).allowed, true)
      const { allowed, retryAfterMs } = one.take(state, 0, 1, start)
      assert.deepEqual([allowed, retryAfterMs], [false, windowMs], `${algorithm}, ${windowMs} ms`)
      assert.equal(one.take(state, 0, 1, start + windowMs - 1).allowed, false)
      assert.equal(one.take(state, 0, 1, start + windowMs).allowed, true)
    }
})

test('a quota of ten million in 30 days is counted exactly', () => {
  for (const algorithm of ALGORITHM_NAMES.filter((name) => name !== 'sliding-log')) {
    const one = createAlgorithm({ algorithm, count: 10_000_000, windowMs: DAYS_30, queue: 0 })
    const state = new Float64Array(one.words)
    const start = 694 * DAYS_30
    const most = one.costMax
    assert.equal(one.take(state, 0, most - 1, start).remaining, 1, algorithm)
    assert.equal(one.take(state, 0, 2, start).allowed, false, algorithm)
    assert.equal(one.take(state, 0, 1, start).remaining, 0, algorithm)
    assert.equal(one.take(state, 0, 1, start).allowed, false, algorithm)
  }
})

test('a rate that cannot be counted exactly is refused, and the message says how far it could be', () => {
  const plan = { algorithm: 'token-bucket', count: 999_999_937, windowMs: DAYS_30 } as const
  assert.throws(() => createAlgorithm(plan), {
    name: 'RangeError',
    message: /up to 1737499 units at once, and 999999937 /,
  })
  assert.equal(createAlgorithm({ ...plan, burst: 1_737_499 }).costMax, 1_737_499)
  assert.throws(() => createAlgorithm({ ...plan, burst: 1_737_500 }), RangeError)
})

test('a state keeps its meaning where only count and burst change', () => {
  const plan = { algorithm: 'token-bucket', count: 10, windowMs: 1000, burst: 20 } as const
  const [before, after] = [createAlgorithm(plan), createAlgorithm({ ...plan, count: 100, burst: 5 })]
  assert.equal(after.layout, before.layout)
  const state = new Float64Array(before.words)
  before.take(state, 0, 3, 0)
  assert.equal(after.take(state, 0, 0, 0).remaining, 2)
  before.take(state, 0, 17, 0)
  // More is missing than the smaller bucket has room for: it is empty.
  assert.deepEqual(after.take(state, 0, 1, 0), {
    allowed: false,
    remaining: 0,
    retryAfterMs: 10,
    resetMs: 50,
  })
  assert.notEqual(createAlgorithm({ ...plan, windowMs: 2000 }).layout, before.layout)
})

test('a product that is larger than a float64 holds is divided exactly', () => {
  const random = seededRandom(4)
  const upTo = (most: number): number => Math.floor(random() * (most + 1))
  for (let round = 0; round < 20_000; round += 1) {
    const window = 1 + upTo(DAYS_30 - 1)
    const [a, b, c] =
      round % 2 === 0 ? [upTo(1e9), upTo(window), window] : [upTo(1e6), window, 1e6 + upTo(1e9 - 1e6)]
    assert.equal(productOver(a, b, c), Number((BigInt(a) * BigInt(b)) / BigInt(c)), `${a} · ${b} / ${c}`)
  }
})
