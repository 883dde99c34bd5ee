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

test('one more is counted now, where nothing else is said', () => {
  let now = 5
  const hitters = new HeavyHitters({ generationMs: 1000, clock: () => now + 0.7 })
  for (const key of ['ana', 'bob', 'ana']) hitters.add(key)
  hitters.addAddress('2001:db8::7', 48)
  hitters.addAddress('192.0.2.7', 32)
  const [first, ...others] = hitters.top()
  assert.deepEqual(first, { key: 'ana', count: 2, excess: 0 })
  assert.deepEqual(others.map(({ key }) => key).toSorted(), ['192.0.2.7', '2001:db8::/48', 'bob'])
  assert.equal(hitters.top(2).length, 2)
  now = 3000
  assert.deepEqual(hitters.top(), [])
})

test('a clock that is set back stops nothing: what was counted is forgotten in time', () => {
  const hitters = new HeavyHitters({ generationMs: 1000 })
  hitters.add('old', 5, 86_400_000)
  hitters.add('new', 1, 1000)
  assert.equal(hitters.top(9, 1000).length, 2)
  hitters.add('new', 1, 2500)
  assert.deepEqual(
    hitters.top(9, 3100).map(({ key, count }) => [key, count]),
    [['new', 1]],
  )
})

test('a long key is told by its beginning, and is still a key of its own', () => {
  const hitters = new HeavyHitters()
  const long = `/search?q=${'x'.repeat(65_536)}`
  for (const [key, n] of [
    [long, 3],
    [`${long}y`, 2],
    ['', 1],
  ] as const)
    hitters.add(key, n, 0)
  hitters.add(long, 3, 0)
  const top = hitters.top(9, 0)
  assert.deepEqual(
    top.map(({ count }) => count),
    [6, 2, 1],
  )
  assert.match(top[0]!.key, /^\/search\?q=x+… \([\w-]{43}\)$/)
  assert.ok(top[0]!.key.length <= 256)
})

test('what cannot be is said', () => {
  const hitters = new HeavyHitters()
  const cases: readonly (readonly [() => unknown, RegExp])[] = [
    [() => new HeavyHitters({ keysMax: 0 }), /^RangeError: keysMax: /],
    [() => new HeavyHitters({ generationMs: 0.5 }), /^RangeError: generationMs: /],
    [() => new HeavyHitters({ keysmax: 5 } as never), /^TypeError: keysmax: .*did you mean keysMax\?/],
    [() => new HeavyHitters(5 as never), /^TypeError: expected options such as { keysMax: 1000 }, or none/],
    [() => new HeavyHitters({ clock: 5 as never }), /^TypeError: clock: expected a function/],
    [() => hitters.add(5 as never), /^TypeError: key: expected a string, not 5/],
    [() => hitters.add('a', -1), /^RangeError: n: /],
    [() => hitters.add('a', 0.5), /^RangeError: n: /],
    [() => hitters.add('a', 1, NaN), /^RangeError: now: /],
    [() => hitters.top(-1), /^RangeError: most: /],
    [() => hitters.addAddress('fe80::1%eth0', 64), /^RangeError: address: .* a zone/],
    [() => hitters.addAddress('192.0.2.1', 33), /^RangeError: length: .*from 0 to 32, not 33/],
    [() => hitters.addAddress('::', 129), /^RangeError: length: .*from 0 to 128, not 129/],
  ]
  for (const [call, message] of cases) assert.throws(call, message)
  assert.deepEqual(hitters.top(), [])
})
