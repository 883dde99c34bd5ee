import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALGORITHM_NAMES, createAlgorithm } from './algorithms/algorithm.ts'
import { laid, PLAN, randomFrom } from './limits.support.ts'
import { forgetWorker, layoutOf, layRegion, type LimiterPlan, regionIdentity, regionWords } from './region.ts'
import { SharedLimiter } from './shared-limiter.ts'
import { acquire, beginWrite } from './shared-lock.ts'
import { bucketWords, keysInUse } from './table.ts'

/** What each key was allowed, of questions that come key after key, round after round. */
function allowedOf(limiter: SharedLimiter, keys: number, rounds: number, now: (round: number) => number) {
  const allowed = new Map<string, number>()
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < keys; i++) {
      const key = `key ${i}`
      if (limiter.take(key, 1, now(round)).allowed) allowed.set(key, (allowed.get(key) ?? 0) + 1)
    }
  return allowed
}

test('with a place for each key, a table decides as the algorithm alone does', () => {
  for (const algorithm of ALGORITHM_NAMES) {
    const { limiter } = laid({ algorithm })
    const alone = createAlgorithm({ ...PLAN, algorithm })
    const states = new Map<string, Float64Array>()
    const random = randomFrom(7)
    let now = 5000
    for (let i = 0; i < 10_000; i++) {
      now += random(13)
      const key = `key ${random(37)}`
      const state = states.get(key) ?? new Float64Array(alone.words)
      states.set(key, state)
      const cost = random(4)
      assert.deepEqual(limiter.take(key, cost, now), alone.take(state, 0, cost, now), `${algorithm} ${i}`)
    }
  }
})

test('windows on a sketch decide as the algorithm does, while keys do not share all of their cells', () => {
  for (const algorithm of ['fixed-window', 'sliding-window'] as const) {
    const { limiter } = laid({ algorithm, store: 'sketch' })
    const { limiter: exact } = laid({ algorithm })
    const random = randomFrom(11)
    let now = 5000
    for (let i = 0; i < 20_000; i++) {
      now += random(13)
      const key = `key ${random(37)}`
      const cost = random(4)
      assert.deepEqual(limiter.take(key, cost, now), exact.take(key, cost, now), `${algorithm} ${i}`)
    }
  }
})

test('more keys than places: being evicted is no way around the limit, whatever the algorithm', () => {
  for (const algorithm of ALGORITHM_NAMES)
    for (const replacement of ['s3-fifo', 'lru'] as const) {
      const changes = { algorithm, replacement, keysMax: 64, count: 5, queue: 5, windowMs: 3_600_000 }
      const sketch = { width: 4096, depth: 4, cellBits: 16 } as const
      const { words, limiter } = laid({ ...changes, sketch })
      const allowed = allowedOf(limiter, 1000, 20, (round) => 7_200_000 + round)
      const alone = createAlgorithm({ ...PLAN, ...changes })
      const state = new Float64Array(alone.words)
      let most = 0
      while (alone.take(state, 0, 1, 7_200_000).allowed) most += 1
      assert.ok(Math.max(...allowed.values()) <= most, `${algorithm} ${replacement}`)
      // And it is little stricter than it has to be.
      const sum = [...allowed.values()].reduce((a, b) => a + b, 0)
      assert.ok(sum >= 0.97 * 1000 * most, `${algorithm} ${replacement}: ${sum} of ${1000 * most}`)
      const { table, tableAt, levels } = layoutOf({ ...PLAN, ...changes, sketch })
      const algorithms = levels.map(({ algorithm }) => algorithm)
      assert.equal(keysInUse(words, tableAt, table!, algorithms, 7_200_020), 128)
    }
})

test('more keys than places, while time goes on: no key is given more than its rate', () => {
  const { limiter } = laid({ keysMax: 64, count: 10, windowMs: 10_000, burst: 5 })
  const rounds = 400
  const allowed = allowedOf(limiter, 300, rounds, (round) => 1_000_000 + round * 250)
  const most = 5 + Math.floor(((rounds - 1) * 250) / 1000)
  assert.ok(Math.max(...allowed.values()) <= most)
  assert.ok(Math.max(...allowed.values()) > 5)
})

test('an idle key goes first: nothing is lost with it', () => {
  const { limiter } = laid({ keysMax: 64, count: 10, windowMs: 1000 })
  for (let i = 0; i < 10_000; i++) limiter.take(`passing ${i}`, 1, 1000 + i * 100)
  // All of them are full again by now, and no cell of the sketch holds anything.
  for (let i = 0; i < 200; i++) assert.equal(limiter.take(`new ${i}`, 0, 2_000_000).remaining, 10, `new ${i}`)
})

test('keys of 0 bytes and of 64 KiB are keys like others', () => {
  for (const store of ['exact', 'sketch'] as const) {
    const { limiter } = laid({ store, algorithm: 'fixed-window', count: 2 })
    const long = 'k'.repeat(65_536)
    for (const key of ['', long, `${long.slice(1)}l`, 'é', '\u0000', '\u0000\u0000']) {
      const given = [1, 2, 3].map(() => limiter.take(key, 1, 1000).allowed)
      assert.deepEqual(given, [true, true, false], `${store} ${key.length}`)
    }
  }
})

test('a clock that jumps ahead or back loses no decision and gives nothing twice', () => {
  for (const store of ['exact', 'sketch'] as const) {
    const { limiter } = laid({ store, algorithm: 'sliding-window', count: 5, windowMs: 60_000 })
    const start = 1_000_000_000
    const takeAll = (now: number) => {
      let given = 0
      while (limiter.take('key', 1, now).allowed) given += 1
      return given
    }
    assert.equal(takeAll(start), 5, store)
    // A little back, and far back: what was used stays used.
    assert.equal(takeAll(start - 5000), 0, store)
    assert.equal(takeAll(start - 900_000_000), 0, store)
    // Time goes on from there.
    assert.equal(takeAll(start - 900_000_000 + 180_000), 5, store)
    // Ahead by 30 days and more.
    assert.equal(takeAll(start + 3_000_000_000), 5, store)
    assert.equal(takeAll(start + 3_000_000_000), 0, store)
  }
})

test('windows of 1 ms and of 30 days', () => {
  const { limiter: short } = laid({ windowMs: 1, count: 3, algorithm: 'fixed-window' })
  for (let now = 100; now < 120; now++)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => short.take('key', 1, now).allowed),
      [true, true, true, false],
    )
  for (const store of ['exact', 'sketch'] as const) {
    const days = 24 * 3_600_000
    const { limiter: long } = laid({ store, windowMs: 30 * days, count: 2, algorithm: 'fixed-window' })
    assert.deepEqual(
      [0, 1, 29, 30].map((day) => long.take('key', 1, day * days).allowed),
      [true, true, false, true],
      store,
    )
  }
})

test('who died in the middle of writing a state leaves it used up, and nothing else is touched', () => {
  const { words, limiter } = laid({ keysMax: 4 })
  const other = new SharedLimiter({ ...PLAN, keysMax: 4 }, words, { worker: 7 })
  limiter.take('key', 1, 1000)
  other.take('another', 1, 1000)
  // The bucket is the only one, and the first key is in its first place.
  const bucket = words.length - bucketWords(2)
  const held = acquire(words, bucket, 99)
  assert.notEqual(beginWrite(words, bucket, held, 0), 0)
  forgetWorker(words, 98)
  assert.equal(limiter.take('key', 1, 1000).allowed, false)
  assert.equal(limiter.take('another', 0, 1000).remaining, 9)
  assert.equal(limiter.take('key', 1, 1100).allowed, true)
})

test('a lock whose owner is gone without a word is taken over', () => {
  const { words, limiter } = laid({ keysMax: 4 })
  const bucket = words.length - bucketWords(2)
  // No process has this number.
  acquire(words, bucket, 99)
  assert.equal(limiter.take('key', 1, 1000).remaining, 9)
  beginWrite(words, bucket, acquire(words, bucket, 99), 5)
  assert.equal(limiter.take('key', 1, 1000).remaining, 8)
})

test('another count or burst goes on with the same region, another shape does not', () => {
  const { plan, words, limiter } = laid()
  for (let i = 0; i < 4; i++) limiter.take('key', 1, 1000)
  const larger = { ...plan, count: 20 }
  assert.equal(regionIdentity(larger), regionIdentity(plan))
  assert.equal(new SharedLimiter(larger, words, { worker: 0 }).take('key', 0, 1000).remaining, 16)
  const others: Partial<LimiterPlan>[] = [
    { windowMs: 2000 },
    { algorithm: 'fixed-window' },
    { keysMax: 1001 },
    { replacement: 'lru' },
    { sketch: { width: 2048, depth: 4, cellBits: 16 } },
    { prefixes: { v4: [{ length: 32, count: 10, windowMs: 1000 }], v6: [] } },
  ]
  for (const other of others) {
    assert.notEqual(regionIdentity({ ...plan, ...other }), regionIdentity(plan), JSON.stringify(other))
    assert.throws(
      () => new SharedLimiter({ ...plan, ...other }, words, { worker: 0 }),
      /the memory of this limit/,
    )
  }
  assert.throws(() => new SharedLimiter(plan, new Int32Array(words.length), { worker: 0 }), /not laid out/)
})

test('what of a plan cannot be is said, with what would be right', () => {
  const cases: readonly (readonly [Partial<LimiterPlan>, RegExp])[] = [
    [{ count: 0 }, /^count: expected a whole number from 1/],
    [{ count: -1 }, /^count: /],
    [{ count: 1.5 }, /^count: /],
    [{ count: 1e300 }, /^count: /],
    [{ windowMs: 0 }, /^windowMs: /],
    [{ keysMax: 0 }, /^keysMax: expected a whole number from 1 to 16000000, not 0/],
    [{ keysMax: 2.5 }, /^keysMax: /],
    [{ store: 'disk' as 'exact' }, /^store: expected "exact" or "sketch", not "disk"/],
    [{ replacement: 'fifo' as 'lru' }, /^replacement: /],
    [{ sketch: { width: 0, depth: 4, cellBits: 16 } }, /^sketch\.width: /],
    [{ sketch: { width: 64, depth: 9, cellBits: 16 } }, /^sketch\.depth: /],
    [{ sketch: { width: 64, depth: 4, cellBits: 12 as 16 } }, /^sketch\.cellBits: expected 8, 16 or 32/],
    [{ store: 'sketch' }, /^algorithm: a sketch counts windows/],
    [
      { store: 'sketch', algorithm: 'fixed-window', count: 70_000 },
      /^cells of 16 bits count to 65535.*32 bits/,
    ],
    [{ store: 'sketch', algorithm: 'fixed-window', windowMs: 50 }, /^a sketch is cleared .*at least 100 ms/],
    [{ algorithm: 'sliding-log', count: 4096, keysMax: 1_000_000 }, /MiB of memory.*fewer keys/],
    [
      { prefixes: { v4: [{ length: 33, count: 1, windowMs: 1 }], v6: [] } },
      /^prefixes\.v4\[0\]\.length: .*32, not 33/,
    ],
    [{ prefixes: { v4: [], v6: [{ length: 0, count: 1, windowMs: 1 }] } }, /^prefixes\.v6\[0\]\.length: /],
    [
      { prefixes: { v4: [], v6: [64, 64].map((length) => ({ length, count: 1, windowMs: 1 })) } },
      /^prefixes\.v6: \/64 stands there twice/,
    ],
  ]
  for (const [changes, expected] of cases)
    assert.throws(
      () => regionWords({ ...PLAN, ...changes }),
      { name: 'RangeError', message: expected },
      JSON.stringify(changes),
    )
  const words = new Int32Array(regionWords(PLAN))
  assert.throws(() => layRegion(words, PLAN, Buffer.alloc(8)), /^RangeError: seed: expected 16/)
  assert.throws(() => layRegion(new Int32Array(5), PLAN, Buffer.alloc(16)), /^RangeError: words: /)
})

test('what of a question cannot be is said', () => {
  const { plan, words, limiter } = laid()
  for (const cost of [-1, 0.5, Number.NaN, Infinity])
    assert.throws(() => limiter.take('key', cost, 0), /^RangeError: cost: /)
  for (const now of [-1, 0.5, Number.NaN, 1e20])
    assert.throws(() => limiter.take('key', 1, now), /^RangeError: now: /)
  assert.equal(limiter.take('key', Number.MAX_SAFE_INTEGER, 0).retryAfterMs, Infinity)
  assert.throws(() => new SharedLimiter(plan, words, { worker: 1023 }), /^RangeError: worker: /)
})
