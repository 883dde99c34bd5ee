import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HistogramValue } from '../../contract/messages.ts'
import { DEFAULT_GATE, type RolloutSample } from '../../contract/rollout.ts'
import { CountsWindow, NO_COUNTS, type Counts } from './counts.ts'
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

const sample = (node: string, instance: string, requests: number, failed = 0): RolloutSample => ({
  node,
  instance,
  unit: 'page',
  version: 2,
  isBreakerOpen: false,
  shadow: { same: 0, different: 0, failed: 0, skipped: 0 },
  examples: [],
  ...counts(requests, failed),
})

test('a window counts from its first look at a node, over a restart of that node, and never backwards', () => {
  const window = new CountsWindow()
  window.take([sample('a', '1', 100, 7), sample('b', '1', 10)])
  assert.equal(window.counts.requests, 0)
  window.take([sample('a', '1', 130, 9), sample('b', '1', 15)])
  assert.deepEqual([window.counts.requests, window.counts.errors.throw], [35, 2])
  // `a` starts anew: what was seen of it before stays.
  window.take([sample('a', '2', 4, 1)])
  assert.deepEqual([window.counts.requests, window.counts.errors.throw], [39, 3])
  window.take([sample('b', '1', 12)])
  assert.equal(window.counts.requests, 36)
})
