import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIp } from '../base/ip-address.ts'
import { HeavyHitters, mergeHitters } from './heavy-hitters.ts'
import { randomFrom } from './limits.support.ts'

test('every key with more than its share is found among many, and no count is too low', () => {
  const hitters = new HeavyHitters({ keysMax: 100 })
  const counts = new Map<string, number>()
  const random = randomFrom(5)
  let sum = 0
  for (let i = 0; i < 200_000; i++) {
    // Twenty that come often, beside a flood of others that come once.
    const key = random(2) === 0 ? `often ${random(20)}` : `once ${i}`
    const n = 1 + random(3)
    hitters.add(key, n, 1000)
    counts.set(key, (counts.get(key) ?? 0) + n)
    sum += n
  }
  const top = hitters.top(20, 1000)
  const often = [...counts].filter(([, count]) => count > sum / 100).map(([key]) => key)
  assert.equal(often.length, 20)
  assert.deepEqual(top.map(({ key }) => key).toSorted(), often.toSorted())
  for (const { key, count, excess } of hitters.top(100, 1000)) {
    assert.ok(count >= (counts.get(key) ?? 0))
    assert.ok(count - excess <= (counts.get(key) ?? 0))
    assert.ok(excess <= sum / 100)
  }
})

test('what is older than two generations is forgotten', () => {
  const hitters = new HeavyHitters({ generationMs: 1000 })
  hitters.add('old', 5, 0)
  assert.deepEqual(hitters.top(9, 1500), [{ key: 'old', count: 5, excess: 0 }])
  hitters.add('old', 1, 1500)
  hitters.add('new', 2, 1600)
  assert.deepEqual(
    hitters.top(9, 1900).map(({ key, count }) => [key, count]),
    [
      ['old', 6],
      ['new', 2],
    ],
  )
  assert.deepEqual(
    hitters.top(1, 2000).map(({ key, count }) => [key, count]),
    [['new', 2]],
  )
  assert.deepEqual(hitters.top(9, 9000), [])
})

test('addresses come together as prefixes', () => {
  const hitters = new HeavyHitters()
  for (let i = 0; i < 10; i++) {
    hitters.addAddress(parseIp(`2001:db8:0:${i}::1`)!, 48, 1, 0)
    hitters.addAddress(parseIp(`192.0.2.${i}`)!, 24, 2, 0)
  }
  hitters.addAddress(parseIp('::ffff:198.51.100.7')!, 32, 1, 0)
  assert.deepEqual(
    hitters.top(9, 0).map(({ key, count }) => [key, count]),
    [
      ['192.0.2.0/24', 20],
      ['2001:db8::/48', 10],
      ['198.51.100.7', 1],
    ],
  )
})

test('what workers counted apart is put together', () => {
  const one = [{ key: 'a', count: 5, excess: 1 }]
  const other = [
    { key: 'b', count: 7, excess: 0 },
    { key: 'a', count: 4, excess: 2 },
  ]
  assert.deepEqual(mergeHitters([one, other], 1), [{ key: 'a', count: 9, excess: 3 }])
  const alike = ['c', 'a', 'b'].map((key) => ({ key, count: 1, excess: 0 }))
  assert.deepEqual(
    mergeHitters([alike], 2).map(({ key }) => key),
    ['a', 'b'],
  )
})

test('what cannot be is said', () => {
  assert.throws(() => new HeavyHitters({ keysMax: 0 }), /^RangeError: keysMax: /)
  assert.throws(() => new HeavyHitters({ generationMs: 0.5 }), /^RangeError: generationMs: /)
})
