import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OriginRequest } from '../../../contract/origin.ts'
import type { Candidate } from './balancer.ts'
import { consistentHash, hashText } from './consistent-hash.ts'
import { hashKey } from './hash-key.ts'
import { leastConnections } from './least-connections.ts'
import { randomTwo } from './random-two.ts'
import { roundRobin } from './round-robin.ts'

interface Named extends Candidate {
  readonly name: string
  active: number
}

const candidate = (name: string, share = 1, active = 0): Named => ({
  name,
  share,
  active,
  seed: hashText(name),
  credit: 0,
})

const asking = (request: Partial<OriginRequest> = {}): OriginRequest => ({
  method: 'GET',
  target: '/',
  headers: [],
  body: 'none',
  ...request,
})

/** The same chances in every run, evenly spread enough for what is asked of them here. */
function seeded(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4_294_967_296
  }
}

const countsOf = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]))

test('round robin gives every endpoint its turn, and a heavy one its turns spread out', () => {
  const even = ['a', 'b', 'c'].map((name) => candidate(name))
  const turns = Array.from({ length: 6 }, () => roundRobin(even).name).join('')
  assert.equal(turns, 'abcabc')
  const heavy = [candidate('a', 5), candidate('b', 1), candidate('c', 1)]
  const order = Array.from({ length: 14 }, () => roundRobin(heavy).name).join('')
  assert.equal(order, 'aabacaaaabacaa')
})

test('least connections chooses who has the fewest for its share, and who is level takes turns', () => {
  const choose = leastConnections()
  const busy = [candidate('a', 1, 3), candidate('b', 1, 1), candidate('c', 1, 2)]
  for (let i = 0; i < 5; i++) assert.equal(choose(busy, true, asking()).name, 'b')
  const level = ['a', 'b', 'c'].map((name) => candidate(name, 1, 7))
  assert.deepEqual(countsOf(Array.from({ length: 9 }, () => choose(level, true, asking()).name)), {
    a: 3,
    b: 3,
    c: 3,
  })
  // Share 4 with five under way is less laden than share 1 with two.
  assert.equal(choose([candidate('big', 4, 5), candidate('small', 1, 2)], false, asking()).name, 'big')
})

test('least connections fills endpoints by their weights', () => {
  const choose = leastConnections()
  const members = [candidate('a', 3), candidate('b', 1)]
  for (let i = 0; i < 400; i++) choose(members, false, asking()).active += 1
  assert.deepEqual(
    members.map(({ active }) => active),
    [300, 100],
  )
})

test('of two at random the less laden goes: the worst one never, and loads stay level', () => {
  const choose = randomTwo(seeded())
  const members = ['a', 'b', 'c', 'd'].map((name) => candidate(name))
  members[3]!.active = 1000
  for (let i = 0; i < 300; i++) choose(members, true, asking()).active += 1
  assert.equal(members[3]!.active, 1000)
  const loads = members.slice(0, 3).map(({ active }) => active)
  assert.ok(Math.max(...loads) - Math.min(...loads) <= 6, loads.join(' '))
  assert.equal(choose([candidate('only')], true, asking()).name, 'only')
})

test('two at random go by weights', () => {
  const choose = randomTwo(seeded())
  const members = [candidate('a', 6), candidate('b', 2), candidate('c', 2)]
  for (let i = 0; i < 1000; i++) choose(members, false, asking()).active += 1
  assert.ok(Math.abs(members[0]!.active - 600) < 30, String(members[0]!.active))
})

test('with one request at a time, too, each endpoint has its share of them', () => {
  for (const choose of [leastConnections(), randomTwo(seeded())]) {
    const pair = [candidate('a', 3), candidate('b', 1)]
    const turns = countsOf(Array.from({ length: 400 }, () => choose(pair, false, asking()).name))
    assert.ok(Math.abs(turns['a']! - 300) < 25, JSON.stringify(turns))
    // What a slow start gives at its beginning.
    const rising = [candidate('a'), candidate('b', 0.1)]
    const some = countsOf(Array.from({ length: 400 }, () => choose(rising, false, asking()).name))
    assert.ok(Math.abs(some['b']! - 36) < 20, JSON.stringify(some))
  }
})

const KEYS = Array.from({ length: 20_000 }, (_, i) => `/videos/${i}/segment-${i % 97}.ts`)

function placesOf(members: readonly Named[], isEven = true): string[] {
  const choose = consistentHash(({ target }) => target)
  return KEYS.map((target) => choose(members, isEven, asking({ target })).name)
}

test('a hash spreads keys evenly, in any order of the endpoints', () => {
  const members = Array.from({ length: 10 }, (_, i) => candidate(`http://10.0.0.${i}:80`))
  const places = placesOf(members)
  for (const [name, count] of Object.entries(countsOf(places)))
    assert.ok(Math.abs(count - 2000) < 250, `${name} has ${count} of 20000`)
  assert.deepEqual(placesOf(members.toReversed()), places)
})

test('when one of N goes, its keys move and no other, spread over those that stay; when it comes back, all is as before', () => {
  for (const count of [2, 3, 5, 8, 13, 50]) {
    const members = Array.from({ length: count }, (_, i) => candidate(`http://app-${i}.internal:8080`))
    const before = placesOf(members)
    for (const gone of [0, Math.floor(count / 2), count - 1]) {
      const left = members.filter((_, i) => i !== gone)
      const after = placesOf(left)
      const moved = KEYS.filter((_, i) => before[i] !== after[i]).length
      const lost = before.filter((name) => name === members[gone]!.name).length
      assert.equal(moved, lost)
      assert.ok(Math.abs(moved - KEYS.length / count) < 0.25 * (KEYS.length / count), `${moved} of ${count}`)
      if (count === 8) {
        const heirs = countsOf(after.filter((name, i) => name !== before[i]))
        for (const heir of Object.values(heirs)) assert.ok(Math.abs(heir - moved / 7) < 0.3 * (moved / 7))
      }
    }
    assert.deepEqual(placesOf(members), before)
  }
})

test('a weighted hash gives each its share, and a weight that changes moves only what it must', () => {
  const members = [candidate('a', 3), candidate('b', 1), candidate('c', 1)]
  const before = placesOf(members, false)
  const counts = countsOf(before)
  assert.ok(Math.abs(counts['a']! - 12_000) < 500, JSON.stringify(counts))
  const heavier = [candidate('a', 4), candidate('b', 1), candidate('c', 1)]
  const after = placesOf(heavier, false)
  for (let i = 0; i < KEYS.length; i++) if (before[i] !== after[i]) assert.equal(after[i], 'a')
})

test('what a hash goes by: path, URL, client, a header, a cookie; and the client where it is missing', () => {
  const request = asking({
    target: '/a/b?c=d',
    headers: ['x-user', 'ana', 'cookie', 'x=1; sid=s3; y=2', 'cookie', 'late=9'],
    client: { address: '192.0.2.7' },
  })
  const cases: Readonly<Record<string, string>> = {
    path: '/a/b',
    url: '/a/b?c=d',
    client: '192.0.2.7',
    'header:X-User': 'ana',
    'header:x-none': '192.0.2.7',
    'cookie:sid': 's3',
    'cookie:late': '9',
    'cookie:id': '192.0.2.7',
  }
  for (const [hashOn, key] of Object.entries(cases)) assert.equal(hashKey(hashOn)(request), key, hashOn)
  assert.equal(hashKey('cookie:sid')(asking()), '')
})
