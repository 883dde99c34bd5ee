/** Window limiters of `orla/limit` that stand on a sketch: the same decisions, in memory that does not grow. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FixedWindow, SlidingWindow, wrongRefusals } from 'orla/limit'
import { randomFrom } from './limits.support.ts'

const CLASSES = [FixedWindow, SlidingWindow] as const

test('beside few others a key is decided on a sketch as by itself, wherever windows begin', () => {
  const random = randomFrom(7)
  for (const Class of CLASSES)
    for (const startMs of [0, 777, 123_456]) {
      const options = { limit: 7, window: '1s', startMs }
      const exact = new Class(options)
      const sketched = new Class({ ...options, store: 'sketch' })
      let now = 200_000
      for (let i = 0; i < 3000; i++) {
        now += random(20) === 0 ? random(3000) : random(200)
        const key = `key ${random(3)}`
        const cost = random(4)
        assert.deepEqual(sketched.take(key, cost, now), exact.take(key, cost, now), `${startMs} ${i}`)
      }
    }
})

test('a clock that steps back gives nothing twice, and does not stop for good', () => {
  for (const Class of CLASSES)
    for (const stepMs of [1, 900, 9999, 10_001, 86_400_000]) {
      const limiter = new Class({ limit: 7, window: '1s', store: 'sketch' })
      let allowed = 0
      const start = 100_000_000
      for (const now of [start, start - stepMs, start, start - stepMs])
        for (let i = 0; i < 9; i++) if (limiter.take('ana', 1, now).allowed) allowed += 1
      assert.ok(allowed >= 7 && allowed <= (stepMs > 10_000 ? 14 : 7), `${Class.name} ${stepMs} ${allowed}`)
      assert.equal(limiter.take('ana', 1, start + 2000).allowed, true)
    }
})

test('a sliding window on a sketch can start full, and hands items on', () => {
  let now = 0
  const forwarded: number[] = []
  const window = new SlidingWindow<number>({
    limit: 5,
    window: '1s',
    startFull: true,
    store: 'sketch',
    clock: () => now,
    forward: (packet) => forwarded.push(packet),
  })
  for (let packet = 0; packet < 24; packet++) {
    now += 100
    window.handle(packet)
  }
  assert.equal(forwarded.join(' '), '0 1 3 5 7 9 11 13 15 17 19 21 23')
  assert.equal(window.size, 0)
})

test('a fresh key is wrongly refused as often as the formula says', () => {
  const size = { width: 1024, depth: 3 }
  const over = 700
  let refused = 0
  for (let round = 0; round < 10; round++) {
    const window = new FixedWindow({ limit: 2, window: '1h', store: 'sketch', sketch: size, clock: () => 0 })
    for (let i = 0; i < over; i++) window.take(`over ${i}`, 2)
    for (let i = 0; i < 1000; i++) if (window.take(`fresh ${i}`, 0).remaining === 0) refused += 1
  }
  const chance = wrongRefusals(size, over)
  // Ten thousand keys at 0.12, in sketches of their own: within 0.02 unless something is wrong.
  assert.ok(Math.abs(refused / 10_000 - chance) < 0.02, `${refused / 10_000} ${chance}`)
})

test('what a sketch cannot be is said', () => {
  const options = { limit: 5, window: '1s', store: 'sketch' }
  const cases: readonly (readonly [object, string, RegExp])[] = [
    [{ store: 'redis' }, 'RangeError', /^store: expected "exact" or "sketch", not "redis"/],
    [{ store: 'exact', sketch: {} }, 'TypeError', /^sketch: expected with store: 'sketch' alone/],
    [{ keysMax: 10 }, 'TypeError', /^keysMax: a sketch has no places for keys/],
    [{ window: 50 }, 'RangeError', /^a sketch is cleared in each window/],
    [{ sketch: { rows: 4 } }, 'TypeError', /^rows: a sketch has no such option/],
    [{ sketch: null }, 'TypeError', /^sketch: expected an object, not null/],
    [{ sketch: { depth: 0 } }, 'RangeError', /^sketch\.depth: /],
    [{ limit: 300, sketch: { cellBits: 8 } }, 'RangeError', /^cells of 8 bits count to 255/],
  ]
  for (const Class of CLASSES)
    for (const [changes, name, message] of cases)
      assert.throws(() => new Class({ ...options, ...changes } as never), { name, message })
  assert.equal(new FixedWindow({ limit: 70_000, window: '1h', store: 'sketch' }).take('a').remaining, 69_999)
})
