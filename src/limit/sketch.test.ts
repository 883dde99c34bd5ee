import assert from 'node:assert/strict'
import { test } from 'node:test'
import { laid, PLAN } from './limits.support.ts'
import type { LimiterPlan } from './region.ts'
import { offendersAt, statedError, wrongRefusals } from './sketch-error.ts'
import { laySketch, SketchGenerations, type SketchShape, sketchWords } from './sketch-generations.ts'

const WINDOWS: Partial<LimiterPlan> = { store: 'sketch', algorithm: 'fixed-window', windowMs: 1000 }

function generations(shape: SketchShape, lengthMs = 1000, startsFull = false) {
  const words = new Int32Array(sketchWords(shape))
  laySketch(words, 0, lengthMs, startsFull)
  const open = (owner: number) => new SketchGenerations(words, 0, shape, { secret: [5, 7], number: 0, owner })
  return { words, open, sketch: open(1) }
}

function find(sketch: SketchGenerations, key: number): void {
  sketch.read(Int32Array.of(key, key), 0, 1)
}

function countOf(sketch: SketchGenerations, key: number): number {
  find(sketch, key)
  return sketch.current(0)
}

function raise(sketch: SketchGenerations, key: number, value: number): void {
  find(sketch, key)
  sketch.raise(0, value)
}

test('a fresh key is wrongly refused as often as the formula says', () => {
  const cases: readonly (readonly [width: number, depth: number, offenders: number])[] = [
    [1024, 1, 100],
    [1024, 2, 300],
    [1024, 3, 500],
    [1024, 4, 500],
    // In sixteen blocks.
    [16_384, 2, 4000],
  ]
  for (const [width, depth, offenders] of cases) {
    let refused = 0
    const keys = 4000
    const sketches = 8
    for (let seed = 0; seed < sketches; seed++) {
      const { limiter } = laid({ ...WINDOWS, count: 3, sketch: { width, depth, cellBits: 16 } }, seed)
      for (let i = 0; i < offenders; i++) for (let n = 0; n < 4; n++) limiter.take(`offender ${i}`, 1, 5000)
      for (let i = 0; i < keys; i++) if (limiter.take(`honest ${i}`, 0, 5000).remaining === 0) refused += 1
    }
    const measured = refused / (keys * sketches)
    const expected = wrongRefusals({ width, depth }, offenders)
    assert.ok(
      measured > 0.85 * expected && measured < 1.15 * expected,
      `${width} × ${depth}, ${offenders}: ${measured} instead of ${expected}`,
    )
  }
})

test('the error of what is no sketch is not asked for', () => {
  const size = { width: 1024, depth: 3 }
  for (const [call, message] of [
    [() => wrongRefusals({ w: 1024, d: 3 } as never, 5), /^width: expected a whole number/],
    [() => wrongRefusals({ ...size, depth: 0 }, 5), /^depth: /],
    [() => wrongRefusals(size, -1), /^offenders: /],
    [() => offendersAt(size, 2), /^chance: expected a number between 0 and 1, not 2/],
  ] as const)
    assert.throws(call, { name: 'RangeError', message })
})

test('the error is stated in a line, and turned round', () => {
  assert.ok(Math.abs(wrongRefusals({ width: 524_288, depth: 4 }, 10_000) - 1.274e-7) < 1e-10)
  const size = { width: 4096, depth: 3 }
  assert.ok(Math.abs(wrongRefusals(size, offendersAt(size, 0.01)) - 0.01) < 1e-4)
  assert.equal(wrongRefusals(size, 0), 0)
  const sketch = statedError({ ...PLAN, ...WINDOWS, sketch: { depth: 4, cellBits: 16 } })
  assert.equal(
    sketch,
    'a sketch of 524,288 × 4 cells of 16 bits, 12.0 MiB: a key that is not over its limit is wrongly refused with a probability of 0.000013 % beside 10,000 that are, and of 0.01 % beside 55,239',
  )
  assert.match(
    statedError({ ...PLAN, keysMax: 100_000, sketch: { depth: 4, cellBits: 16 } }),
    /^a table for 100,000 keys, and 12,500 × 4 cells of what evicted ones had used, 5\.\d MiB: /,
  )
})

test('a window slides over two generations, and what is older is forgotten', () => {
  const { sketch } = generations({ width: 64, depth: 4, cellBits: 16 })
  sketch.moveTo(5000)
  raise(sketch, 1, 7)
  assert.equal(countOf(sketch, 1), 7)
  sketch.moveTo(6000)
  find(sketch, 1)
  assert.deepEqual([sketch.current(0), sketch.previous(0, 9)], [0, 7])
  sketch.moveTo(7000)
  find(sketch, 1)
  assert.deepEqual([sketch.current(0), sketch.previous(0, 9)], [0, 0])
})

test('a window in which nobody asked leaves nothing of the one before', () => {
  const { sketch } = generations({ width: 64, depth: 4, cellBits: 16 })
  for (let turn = 5; turn < 50; turn += 2) {
    sketch.moveTo(turn * 1000)
    find(sketch, 1)
    assert.deepEqual([sketch.current(0), sketch.previous(0, 9)], [0, 0])
    raise(sketch, 1, 7)
  }
})

test('seeds are drawn anew at each turn: who shares cells in one generation does not in the next', () => {
  const { sketch } = generations({ width: 64, depth: 2, cellBits: 16 })
  const sharing = (turn: number): Set<number> => {
    sketch.moveTo(turn * 1000)
    raise(sketch, 1, 9)
    return new Set(Array.from({ length: 20_000 }, (_, i) => i + 2).filter((key) => countOf(sketch, key) > 0))
  }
  const [first, second] = [sharing(5), sharing(6)]
  // One in 64² by chance, or one in 64 where the two rows are one.
  for (const keys of [first, second]) assert.ok(keys.size > 0 && keys.size < 100, `${keys.size}`)
  const both = [...first].filter((key) => second.has(key))
  assert.ok(both.length <= 2, `${both.length} of ${first.size} share their cells again`)
})

test('another process that opens the same words sees the same generations', () => {
  const { open, sketch } = generations({ width: 64, depth: 4, cellBits: 16 })
  const other = open(2)
  for (let now = 1000; now < 9000; now += 700) {
    const [one, two] = now % 1400 === 0 ? [sketch, other] : [other, sketch]
    one.moveTo(now)
    raise(one, 3, now)
    two.moveTo(now)
    assert.equal(countOf(two, 3), now)
  }
})

test('cells of 8, 16 and 32 bits stay at their largest value', () => {
  for (const cellBits of [8, 16, 32] as const) {
    const { sketch } = generations({ width: 64, depth: 3, cellBits })
    sketch.moveTo(5000)
    const most = 2 ** cellBits - 1
    raise(sketch, 1, most)
    assert.equal(countOf(sketch, 1), most)
    raise(sketch, 1, most + 5)
    assert.equal(countOf(sketch, 1), most)
  }
})

test('a limiter that starts full allows no burst in its first window', () => {
  const { limiter } = laid({ ...WINDOWS, algorithm: 'sliding-window', count: 10, startFull: true })
  const given = (now: number) => {
    let count = 0
    while (limiter.take('key', 1, now).allowed) count += 1
    return count
  }
  assert.equal(given(5000), 1)
  assert.equal(given(5500), 5)
  assert.equal(given(9000), 10)
})

test('a sketch is cleared in slices while it is asked, and at a turn at the latest', () => {
  const shape: SketchShape = { width: 65_536, depth: 4, cellBits: 16 }
  const { words, sketch } = generations(shape)
  words.fill(-1, 16)
  sketch.moveTo(5000)
  assert.equal(countOf(sketch, 1), 0)
  // The generation that comes next is cleared by those who ask, a little each time.
  const third = sketchWords(shape) / 3
  const dirty = () => words.subarray(16).filter((word) => word === -1).length
  const before = dirty()
  sketch.moveTo(5001)
  assert.ok(before - dirty() <= 4096 && before > dirty())
  for (let i = 0; i < 100; i++) sketch.moveTo(5002)
  assert.ok(dirty() <= third, `${dirty()}`)
  sketch.moveTo(6000)
  assert.equal(countOf(sketch, 1), 0)
})
