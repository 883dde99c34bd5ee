/** The sequences by which these algorithms are shown everywhere, whose packets come exactly when a decision changes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAlgorithm, type RatePlan } from './algorithm.ts'

/** Which of so many packets are forwarded; packet i comes at `from + stepMs · (i + 1)`. */
function forwarded(plan: RatePlan, stepMs: number, packets: number, from = 0): number[] {
  const algorithm = createAlgorithm(plan)
  const state = new Float64Array(algorithm.words)
  const numbers = Array.from({ length: packets }, (_, index) => index)
  return numbers.filter((index) => algorithm.take(state, 0, 1, from + stepMs * (index + 1)).allowed)
}

const ONE_A_SECOND = { count: 1, windowMs: 1000 }
/** As clocks are: from their start on, in the seventies, today. */
const STARTS = [0, 1_000_000, 1_790_000_000_000]

for (const plan of [
  { algorithm: 'token-bucket', ...ONE_A_SECOND },
  { algorithm: 'leaky-bucket', ...ONE_A_SECOND },
  { algorithm: 'gcra', burst: 0, ...ONE_A_SECOND },
  { algorithm: 'sliding-log', ...ONE_A_SECOND },
] as const)
  test(`${plan.algorithm}: of a packet each 200 ms at one a second, every fifth is forwarded`, () => {
    for (const start of [...STARTS, 17, 999])
      assert.deepEqual(forwarded(plan, 200, 25, start), [0, 5, 10, 15, 20], `from ${start}`)
  })

test('fixed window: a clock that starts on a second forwards 0 4 9 14 19', () => {
  for (const start of STARTS)
    assert.deepEqual(
      forwarded({ algorithm: 'fixed-window', ...ONE_A_SECOND }, 200, 23, start),
      [0, 4, 9, 14, 19],
    )
})

test('fixed window: a clock that starts 200 to 399 ms into a second forwards 0 3 8 13', () => {
  const plan = { algorithm: 'fixed-window', ...ONE_A_SECOND } as const
  for (let into = 0; into < 1000; into += 1) {
    const first = forwarded(plan, 200, 18, 1_790_000_000_000 + into)
    const isSo = into >= 200 && into < 400
    assert.equal(String(first) === '0,3,8,13', isSo, `${into} ms into a second: ${first}`)
  }
})

test('sliding window: five a second, a packet each 100 ms, the window before full: 0, then every odd one', () => {
  const plan = { algorithm: 'sliding-window', count: 5, windowMs: 1000, startFull: true } as const
  for (const start of STARTS)
    assert.deepEqual(forwarded(plan, 100, 24, start), [0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23])
  // Windows that are counted from another moment.
  const late = { ...plan, startMs: 1_790_000_000_437 }
  assert.deepEqual(forwarded(late, 100, 6, 1_790_000_000_437), [0, 1, 3, 5])
})

test('sliding window: 50 a minute, 50 in the window before and 20 in this: 160/3 is above, 110/3 is not', () => {
  const algorithm = createAlgorithm({ algorithm: 'sliding-window', count: 50, windowMs: 60_000 })
  const state = new Float64Array(algorithm.words)
  algorithm.take(state, 0, 50, 0)
  assert.equal(algorithm.take(state, 0, 20, 120_000 - 1).allowed, true)
  assert.deepEqual(algorithm.take(Float64Array.of(60_001, 20, 50), 0, 1, 80_000), {
    allowed: false,
    remaining: 0,
    // The estimate is 50 at 24 s: 50 · 36/60 + 20.
    retryAfterMs: 4000,
    // 20 · (60 − e)/60 ≤ 1 at 57 s into the next window.
    resetMs: 40_000 + 57_000,
  })
  assert.equal(algorithm.take(Float64Array.of(60_001, 20, 50), 0, 1, 84_000 - 1).allowed, false)
  assert.equal(algorithm.take(Float64Array.of(60_001, 20, 50), 0, 1, 84_000).allowed, true)
  const later = algorithm.take(Float64Array.of(60_001, 20, 50), 0, 1, 100_000)
  assert.deepEqual([later.allowed, later.remaining], [true, 13])
})

test('sliding window: a new key takes its limit at once, and no more; one that starts full takes none of it', () => {
  const plan = { algorithm: 'sliding-window', count: 5, windowMs: 1000 } as const
  assert.deepEqual(forwarded(plan, 0, 10), [0, 1, 2, 3, 4])
  // The estimate is the limit itself, which one more may come at.
  assert.deepEqual(forwarded({ ...plan, startFull: true }, 0, 10), [0])
})

test('leaky queue: five that come at once leave 200 ms apart, and the sixth has to come later', () => {
  const algorithm = createAlgorithm({ algorithm: 'leaky-queue', count: 5, windowMs: 1000, queue: 4 })
  const state = new Float64Array(algorithm.words)
  const waits = Array.from({ length: 5 }, () => algorithm.take(state, 0, 1, 100).waitMs)
  assert.deepEqual(waits, [undefined, 200, 400, 600, 800])
  assert.deepEqual(algorithm.take(state, 0, 1, 100), {
    allowed: false,
    remaining: 0,
    retryAfterMs: 200,
    resetMs: 1000,
  })
  assert.equal(algorithm.take(state, 0, 1, 299).allowed, false)
  assert.equal(algorithm.take(state, 0, 1, 300).waitMs, 800)
})

test('leaky queue: an interval that is no whole milliseconds is kept on average, and nobody is early', () => {
  const algorithm = createAlgorithm({ algorithm: 'leaky-queue', count: 3, windowMs: 1000, queue: 100 })
  const state = new Float64Array(algorithm.words)
  const leaves = Array.from({ length: 7 }, () => algorithm.take(state, 0, 1, 0).waitMs ?? 0)
  assert.deepEqual(leaves, [0, 334, 667, 1000, 1334, 1667, 2000])
})

test('(r, t) shaping: a frame sends its share at once, and what is more waits for the next', () => {
  const algorithm = createAlgorithm({ algorithm: 'shaper', count: 3, windowMs: 1000, queue: 6 })
  const state = new Float64Array(algorithm.words)
  const waits = Array.from({ length: 9 }, () => algorithm.take(state, 0, 1, 1400).waitMs ?? 0)
  assert.deepEqual(waits, [0, 0, 0, 600, 600, 600, 1600, 1600, 1600])
  assert.deepEqual(algorithm.take(state, 0, 1, 1400), {
    allowed: false,
    remaining: 0,
    retryAfterMs: 600,
    resetMs: 2600,
  })
  assert.equal(algorithm.take(state, 0, 1, 2000).waitMs, 2000)
})

test('(r, t) shaping: what does not fit into the rest of a frame goes into the next, and nothing overtakes it', () => {
  const algorithm = createAlgorithm({ algorithm: 'shaper', count: 3, windowMs: 1000, queue: 6 })
  const state = new Float64Array(algorithm.words)
  const waits = [2, 2, 1, 1].map((cost) => algorithm.take(state, 0, cost, 0).waitMs ?? 0)
  assert.deepEqual(waits, [0, 1000, 1000, 2000])
  assert.equal(algorithm.take(state, 0, 4, 0).retryAfterMs, Infinity)
})
