import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CountMinSketch } from './count-min-sketch.ts'
import { randomFrom } from './limits.support.ts'

test('what was added twice is there twice', () => {
  for (const sketch of [new CountMinSketch(10, 10), new CountMinSketch({ width: 10, depth: 10 })]) {
    const address = '2001:0db8:85a3:0000:0000:8a2e:0370:7334'
    assert.equal(sketch.get(address), 0)
    sketch.add(address, 1)
    sketch.add(address, 1)
    assert.equal(sketch.get(address), 2)
    assert.equal(sketch.add(address), 3)
    sketch.clear()
    assert.equal(sketch.get(address), 0)
  }
})

test('a count is never too low, and rarely too high by more than was asked for', () => {
  const [epsilon, delta] = [0.001, 0.01]
  const sketch = new CountMinSketch({ epsilon, delta })
  assert.deepEqual([sketch.width, sketch.depth], [2719, 5])
  const counts = new Map<string, number>()
  const random = randomFrom(3)
  let sum = 0
  for (let i = 0; i < 50_000; i++) {
    const key = `key ${random(random(20_000) + 1)}`
    const n = random(3)
    counts.set(key, (counts.get(key) ?? 0) + n)
    sketch.add(key, n)
    sum += n
  }
  let high = 0
  for (const [key, count] of counts) {
    assert.ok(sketch.get(key) >= count)
    if (sketch.get(key) > count + epsilon * sum) high += 1
  }
  assert.ok(high <= delta * counts.size)
})

test('cells stay at their largest value', () => {
  const sketch = new CountMinSketch({ width: 8, depth: 2, cellBits: 8 })
  sketch.add('key', 200)
  assert.equal(sketch.add('key', 100), 255)
  assert.equal(sketch.get('key'), 255)
})

test('keys of 0 bytes and of 64 KiB are keys', () => {
  const sketch = new CountMinSketch(1000, 4)
  const long = 'x'.repeat(65_536)
  sketch.add('', 2)
  sketch.add(long, 3)
  assert.deepEqual([sketch.get(''), sketch.get(long), sketch.get(`${long}x`)], [2, 3, 0])
})

test('what cannot be is said', () => {
  const cases: readonly (readonly [() => unknown, RegExp])[] = [
    [() => new CountMinSketch(0, 4), /^width: expected a whole number from 1 to 16777216, not 0/],
    [() => new CountMinSketch(10), /^depth: .*not undefined/],
    [() => new CountMinSketch(10, 2.5), /^depth: /],
    [
      () => new CountMinSketch({ epsilon: 0, delta: 0.1 }),
      /^epsilon: expected a number between 0 and 1, not 0/,
    ],
    [() => new CountMinSketch({ epsilon: 0.1, delta: 1 }), /^delta: /],
    [() => new CountMinSketch({ width: 1, depth: 1, cellBits: 4 as 8 }), /^cellBits: /],
    [() => new CountMinSketch({ epsilon: '0.1', delta: 0.1 } as never), /^epsilon: .*not "0\.1"/],
    [() => new CountMinSketch({ epsilon: 1e-9, delta: 0.1 }), /^epsilon: .* expected 1\.7e-7 or more/],
    [
      () => new CountMinSketch({ epsilon: 0.1, delta: 1e-99 }),
      /^delta: .*228 rows.* expected 1\.3e-14 or more/,
    ],
    [() => new CountMinSketch({ delta: 0.1 } as never), /^epsilon: .*not undefined/],
    [() => new CountMinSketch(10, 10).add('key', -1), /^n: /],
    [() => new CountMinSketch(10, 10).add('key', 0.5), /^n: /],
  ]
  for (const [call, message] of cases) assert.throws(call, { name: 'RangeError', message })
  const unknown: readonly (readonly [() => unknown, RegExp])[] = [
    [
      () => new CountMinSketch({ w: 10, d: 10 } as never),
      /^w: .*\(known: width, depth, cellBits, epsilon, delta\)/,
    ],
    [() => new CountMinSketch({ width: 10, depth: 5, delta: 0.1 } as never), /^expected either .* not both/],
    [() => new CountMinSketch(10, 10).add(5 as never), /^key: expected a string, not 5/],
    [() => new CountMinSketch(10, 10).get(undefined as never), /^key: expected a string/],
  ]
  for (const [call, message] of unknown) assert.throws(call, { name: 'TypeError', message })
  // The smallest shares that the messages speak of.
  const { width, depth } = new CountMinSketch({ epsilon: 1.7e-7, delta: 0.5, cellBits: 8 })
  assert.deepEqual([width < 2 ** 24, depth], [true, 1])
  assert.equal(new CountMinSketch({ epsilon: 0.5, delta: 1.3e-14 }).depth, 32)
})
