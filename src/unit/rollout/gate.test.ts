import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram } from '../../base/histogram.ts'
import type { HistogramValue } from '../../contract/messages.ts'
import { DEFAULT_GATE, type RolloutSample } from '../../contract/rollout.ts'
import { CountsWindow, errorCount, NO_COUNTS, type Counts } from './counts.ts'
import { judge, parseGate, quantileOf } from './gate.ts'

const BOUNDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]

/** Runs by the upper bound of their bucket. */
const times = (runs: Record<number, number>): HistogramValue => ({
  bounds: BOUNDS,
  counts: [...BOUNDS.map((bound) => runs[bound] ?? 0), 0],
  sum: 0,
})

const counts = (requests: number, failed = 0, serverErrors = failed, more: Partial<Counts> = {}): Counts => ({
  ...NO_COUNTS,
  requests,
  serverErrors,
  errors: failed > 0 ? { throw: failed } : {},
  ...more,
})

test('a version is worse when it fails clearly more often than the old one, and never for a few by chance', () => {
  for (const [next, old, expected] of [
    [counts(100), counts(1000), 'healthy'],
    [counts(20), counts(1000), 'waiting'],
    [counts(0), counts(0), 'waiting'],
    // All of few.
    [counts(6, 6), counts(1000), 'worse'],
    [counts(4, 4), counts(1000), 'waiting'],
    // One or two of fifty may be chance.
    [counts(50, 2), counts(5000), 'healthy'],
    [counts(60, 12), counts(5000), 'worse'],
    // As bad as the old one: it is not to blame.
    [counts(500, 100), counts(5000, 1000), 'healthy'],
    [counts(500, 250), counts(5000, 1000), 'worse'],
    // More than the old one, but by less than the gate says.
    [counts(100_000, 1500), counts(100_000, 1000), 'healthy'],
    [counts(100_000, 2500), counts(100_000, 1000), 'worse'],
    // It answers 503 by itself.
    [counts(40, 0, 40), counts(1000), 'worse'],
    // Nobody is left to compare with.
    [counts(100, 30), counts(0), 'worse'],
    [counts(100), counts(0), 'healthy'],
  ] as const)
    assert.equal(judge(next, old, DEFAULT_GATE).kind, expected, JSON.stringify([next, old]))
})

/** Uniform from 0 to 1, the same for a seed (mulberry32). */
const seeded = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

const casesAmong = (requests: number, share: number, random: () => number): number =>
  Array.from({ length: requests }, random).filter((drawn) => drawn < share).length

/** A step of 3000 requests of the new version, looked at every 50: the requests after which it was rolled back, or undefined. */
function endOf(next: number, old: number, oldRequests: number, random: () => number): number | undefined {
  const before = counts(oldRequests, casesAmong(oldRequests, old, random))
  let failed = 0
  for (let requests = 50; requests <= 3000; requests += 50) {
    failed += casesAmong(50, next, random)
    if (judge(counts(requests, failed), before, DEFAULT_GATE).kind === 'worse') return requests
  }
  return undefined
}

test('over a step of many looks, equal versions are as good as never rolled back, and clearly worse ones soon', () => {
  const runs = 400
  const random = seeded(20260708)
  for (const oldRequests of [50, 200, 2000]) {
    const ends = Array.from({ length: runs }, () => endOf(0.05, 0.05, oldRequests, random))
    const rolledBack = ends.filter((end) => end !== undefined).length
    assert.ok(rolledBack <= runs / 100, `${rolledBack} of ${runs}, where the old one had ${oldRequests}`)
  }
  for (const [next, old, oldRequests, soon] of [
    [1, 0, 50, 50],
    [0.5, 0.05, 50, 100],
    [0.3, 0.01, 200, 150],
    [0.15, 0.05, 2000, 1000],
    [0.05, 0, 2000, 800],
  ] as const) {
    const ends = Array.from({ length: 100 }, () => endOf(next, old, oldRequests, random) ?? Infinity)
    const late = ends.filter((end) => end > soon).length
    assert.ok(late <= 2, `${late} of 100: ${next} after ${old} of ${oldRequests}; ${Math.max(...ends)}`)
  }
})

test('over a step of many looks, versions that take the same time are as good as never rolled back', () => {
  const runs = 300
  const random = seeded(8)
  // A long tail: half within 5 ms, one of a hundred beyond 100 ms.
  const drawn = (): number =>
    Math.exp(
      Math.log(0.005) + 1.3 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
    )
  const observed = (histogram: Histogram, times: number): HistogramValue => {
    for (let n = 0; n < times; n += 1) histogram.observe(drawn())
    return histogram.value
  }
  for (const oldRequests of [50, 200, 2000]) {
    let rolledBack = 0
    for (let run = 0; run < runs; run += 1) {
      const before = counts(oldRequests, 0, 0, { wallSeconds: observed(new Histogram(BOUNDS), oldRequests) })
      const now = new Histogram(BOUNDS)
      for (let requests = 50; requests <= 3000; requests += 50) {
        const next = counts(requests, 0, 0, { wallSeconds: observed(now, 50) })
        if (judge(next, before, { ...DEFAULT_GATE, latency: 1 }).kind !== 'worse') continue
        rolledBack += 1
        break
      }
    }
    assert.ok(rolledBack <= runs / 100, `${rolledBack} of ${runs}, where the old one had ${oldRequests}`)
  }
})

test('the reason tells what is worse, of how many, and how', () => {
  assert.deepEqual(judge(counts(60, 12), counts(600, 1), DEFAULT_GATE), {
    kind: 'worse',
    reason: 'runs that failed: 12 of 60 of the new version, 1 of 600 of the old one (throw)',
  })
})

test('a version is worse when its runs take clearly longer, and not for what is quick enough', () => {
  const old = { wallSeconds: times({ 0.005: 990, 0.05: 10 }) }
  for (const [wall, expected] of [
    [times({ 0.005: 100 }), 'healthy'],
    // The next bucket is within twice the time.
    [times({ 0.01: 100 }), 'healthy'],
    [times({ 0.2: 100 }), 'worse'],
    // Only its slowest: one of a hundred was so before.
    [times({ 0.005: 98, 0.5: 2 }), 'healthy'],
    [times({ 0.005: 880, 0.5: 120 }), 'worse'],
  ] as const) {
    const judged = judge(counts(100, 0, 0, { wallSeconds: wall }), counts(1000, 0, 0, old), DEFAULT_GATE)
    assert.equal(judged.kind, expected, JSON.stringify(wall.counts))
  }
  const quick = counts(1000, 0, 0, { wallSeconds: times({ 0.001: 1000 }) })
  const stillQuick = counts(1000, 0, 0, { wallSeconds: times({ 0.01: 1000 }) })
  assert.equal(judge(stillQuick, quick, DEFAULT_GATE).kind, 'healthy')
  assert.equal(quantileOf(times({ 0.002: 100 }), 0.5), 0.0015)
})

test('a gate is read from its text', () => {
  assert.deepEqual(parseGate('errors=2%,5xx=0%, latency=1.5x'), {
    gate: { errors: 0.02, serverErrors: 0, latency: 1.5 },
  })
  for (const text of ['errors=2', 'latency=0.5x', 'latency=2', 'speed=2x', ''])
    assert.ok('problem' in parseGate(text), text)
})

const sample = (
  node: string,
  instance: string,
  requests: number,
  failed = 0,
  countedForMs = 3_600_000,
): RolloutSample => ({
  node,
  instance,
  countedForMs,
  unit: 'page',
  version: 2,
  isBreakerOpen: false,
  shadow: { same: 0, different: 0, failed: 0, skipped: 0 },
  examples: [],
  ...counts(requests, failed),
})

test('a window counts from its first look at an instance, over a restart of a node, and never backwards', () => {
  const window = new CountsWindow(0)
  window.take([sample('a', 'a1', 100, 7), sample('b', 'b1', 10)], 0)
  assert.equal(window.counts.requests, 0)
  window.take([sample('a', 'a1', 130, 9), sample('b', 'b1', 15)], 5000)
  assert.deepEqual([window.counts.requests, window.counts.errors.throw], [35, 2])
  // `a` starts anew: what was seen of it before stays.
  window.take([sample('a', 'a2', 4, 1, 900)], 8000)
  assert.deepEqual([window.counts.requests, window.counts.errors.throw], [39, 3])
  window.take([sample('b', 'b1', 12)], 9000)
  assert.equal(window.counts.requests, 36)
})

test('edges of one name, or of none, are several: what one counted before it was seen is left out', () => {
  const window = new CountsWindow(0)
  window.take([sample('', 'one', 100)], 0)
  // It has followed another control plane until now, or was not heard of.
  window.take([sample('', 'one', 110), sample('', 'two', 5000, 4000)], 3000)
  assert.deepEqual([window.counts.requests, errorCount(window.counts)], [10, 0])
  window.take([sample('', 'one', 110), sample('', 'two', 5020, 4001)], 5000)
  assert.deepEqual([window.counts.requests, errorCount(window.counts)], [30, 1])
})
