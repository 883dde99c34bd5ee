import assert from 'node:assert/strict'
import { test } from 'node:test'
import { POLICY_NAMES } from '../policies/policies.ts'
import { belady, nextUses } from './belady.ts'
import { seededRandom } from '../seeded-random.ts'
import { sweep } from './sweep.ts'
import { type Trace, TraceBuilder } from './trace.ts'

const traceOf = (keys: Iterable<string>): Trace => {
  const builder = new TraceBuilder()
  for (const key of keys) builder.add(key)
  return builder.build()
}

const hitsOf = (trace: Trace, capacity: number, bypass: boolean): number => {
  const weights = new Float64Array(trace.sizes.length).fill(1)
  return belady(trace, nextUses(trace), { capacity, weights, bypass }).hits
}

test('the next use of a request is the next one for the same object', () => {
  assert.deepEqual([...nextUses(traceOf('abacab'))], [2, 5, 4, 6, 6, 6])
})

test('MIN keeps what is asked for again first: the example of the paper by hand', () => {
  // a b c d: d comes for c or b; with three places MIN parts with the latest, d's neighbour c.
  assert.equal(hitsOf(traceOf('abcdabeabcde'), 3, false), 5)
})

test('with bypass, what is asked for last of all does not come in', () => {
  const trace = traceOf('abcbaba')
  assert.deepEqual([hitsOf(trace, 1, false), hitsOf(trace, 1, true)], [0, 2])
})

/** Tries everything: at a miss each entry may leave, and with bypass none. */
function mostHits(keys: string, capacity: number, bypass: boolean): number {
  const seen = new Map<string, number>()
  const from = (at: number, held: string): number => {
    if (at === keys.length) return 0
    const name = `${at} ${held}`
    const known = seen.get(name)
    if (known !== undefined) return known
    const key = keys[at]!
    const stays = bypass ? from(at + 1, held) : -1
    const comesIn = () =>
      held.length < capacity
        ? from(at + 1, [...held, key].toSorted().join(''))
        : Math.max(
            ...[...held].map((victim) =>
              from(at + 1, [...held.replace(victim, ''), key].toSorted().join('')),
            ),
          )
    const most = held.includes(key) ? 1 + from(at + 1, held) : Math.max(stays, comesIn())
    seen.set(name, most)
    return most
  }
  return from(0, '')
}

test('no choice of victims hits more than MIN, with and without bypass', () => {
  const random = seededRandom(7)
  for (let round = 0; round < 60; round += 1) {
    const keys = Array.from({ length: 24 }, () => 'abcdefg'[Math.floor(random() * 7)]).join('')
    for (const capacity of [1, 2, 3])
      for (const bypass of [false, true])
        assert.equal(
          hitsOf(traceOf(keys), capacity, bypass),
          mostHits(keys, capacity, bypass),
          `${keys} in ${capacity}, bypass ${bypass}`,
        )
  }
})

test('no policy hits more than MIN by entries', () => {
  const random = seededRandom(3)
  const keys = Array.from({ length: 20_000 }, () => String(Math.floor(random() ** 3 * 800)))
  const sizes = [5, 40, 200].map((capacity) => ({ by: 'entries', capacity, share: 0 }) as const)
  const policies = ['min', ...POLICY_NAMES] as const
  const results = [...sweep(traceOf(keys), { policies, admissions: ['all'], sizes, seeds: 1 })]
  for (const { capacity } of sizes) {
    const [min, ...others] = results.filter(({ size }) => size === capacity)
    for (const { policy, hits } of others) assert.ok(hits <= min!.hits, `${policy} at ${capacity}`)
  }
})

test('by bytes, what is larger than the cache never comes in', () => {
  const builder = new TraceBuilder()
  for (const [key, bytes] of [
    ['large', 100],
    ['a', 1],
    ['large', 100],
    ['a', 1],
  ] as const)
    builder.add(key, bytes)
  const trace = builder.build()
  const run = belady(trace, nextUses(trace), { capacity: 10, weights: trace.sizes, bypass: false })
  assert.deepEqual(run, { hits: 1, hitBytes: 1 })
})
