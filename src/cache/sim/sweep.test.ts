import assert from 'node:assert/strict'
import { test } from 'node:test'
import { POLICY_NAMES } from '../policies/policies.ts'
import { seededRandom } from '../seeded-random.ts'
import { sweep, type SweepPlan } from './sweep.ts'
import { sweepInThreads } from './sweep-threads.ts'
import { type Trace, TraceBuilder } from './trace.ts'

function skewedTrace(requests: number, limits = {}): Trace {
  const random = seededRandom(11)
  const builder = new TraceBuilder(limits)
  for (let i = 0; i < requests; i += 1) {
    const object = Math.floor(random() ** 4 * 3000)
    builder.add(`page/${object}`, 100 + ((object * 37) % 900))
  }
  return builder.build()
}

const PLAN: SweepPlan = {
  policies: [...POLICY_NAMES, 'min', 'min-bypass'],
  admissions: ['all', 'second-sight'],
  sizes: [
    { by: 'entries', capacity: 100, share: 0.03 },
    { by: 'bytes', capacity: 200_000, share: 0.12 },
  ],
  seeds: 3,
}

test('a cache that holds everything hits all but the first request for each object', () => {
  const trace = skewedTrace(20_000)
  const sizes = [
    { by: 'entries', capacity: trace.sizes.length, share: 1 },
    { by: 'bytes', capacity: 1e9, share: 300 },
  ] as const
  const policies = [...POLICY_NAMES, 'min', 'min-bypass'] as const
  for (const { policy, by, hits } of sweep(trace, { policies, admissions: ['all'], sizes, seeds: 1 }))
    assert.equal(hits, 20_000 - trace.sizes.length, `${policy} by ${by}`)
})

test('what throws dice is run with several, and the mean counts', () => {
  const [result] = [
    ...sweep(skewedTrace(20_000), { ...PLAN, policies: ['random'], admissions: ['all'], seeds: 4 }),
  ]
  const { hits, hitsPerSeed } = result!
  assert.equal(hitsPerSeed?.length, 4)
  assert.ok(new Set(hitsPerSeed).size > 1)
  assert.equal(hits, Math.round(hitsPerSeed.reduce((sum, each) => sum + each) / 4))
})

test('bytes that are hits are counted by the size of the object', () => {
  const builder = new TraceBuilder()
  for (const [key, bytes] of [
    ['a', 900],
    ['b', 100],
    ['a', 900],
    ['c', 100],
    ['c', 100],
  ] as const)
    builder.add(key, bytes)
  const plan = { policies: ['lru'], admissions: ['all'], seeds: 1 } as const
  const sizes = [{ by: 'bytes', capacity: 1000, share: 1 }] as const
  const [result] = [...sweep(builder.build(), { ...plan, sizes })]
  assert.deepEqual([result?.hits, result?.byteHitRatio, result?.stored], [2, 1000 / 2100, 3])
})

test('a sample estimates what the whole would give', () => {
  const [whole, sampled] = [skewedTrace(100_000), skewedTrace(100_000, { share: 0.25 })]
  const plan = { ...PLAN, policies: ['lru', 'sieve', 'min'], admissions: ['all'] } as const
  const results = [...sweep(whole, plan)]
  for (const [i, { policy, by, size, hitRatio, hits }] of [...sweep(sampled, plan)].entries()) {
    assert.equal(size, results[i]!.size)
    const off = Math.abs(hitRatio - results[i]!.hitRatio)
    assert.ok(off < 0.03, `${policy} by ${by}: ${hitRatio}, whole ${results[i]!.hitRatio}`)
    assert.equal(hits, Math.round(hitRatio * 100_000))
  }
})

test('several threads find what one finds, in the same order', async () => {
  const trace = skewedTrace(5000)
  const told: number[] = []
  const results = await sweepInThreads(trace, PLAN, { threads: 3, onProgress: (_, done) => told.push(done) })
  assert.deepEqual(results, [...sweep(trace, PLAN)])
  assert.deepEqual(
    told,
    results.map((_, i) => i + 1),
  )
})
