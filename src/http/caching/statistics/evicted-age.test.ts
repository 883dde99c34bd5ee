import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cache } from '../../../cache/index.ts'
import { ageHistogram } from './evicted-age.ts'

test('ages at eviction fall into powers of four of seconds', () => {
  let nowMs = 0
  const cache = new Cache<number>({ entriesMax: 1, policy: 'fifo', nowMs: () => nowMs })
  for (const seconds of [0.5, 1.5, 3.5, 5, 60, 100 * 86_400]) {
    cache.set('a', 1, 0)
    nowMs += seconds * 1000
    cache.set('b', 1, 0)
    cache.delete('b')
  }
  const { bounds, counts } = ageHistogram(cache.counters.evictedAges)
  assert.deepEqual(bounds.slice(0, 4), [1, 4, 16, 64])
  assert.deepEqual(counts.slice(0, 4), [1, 2, 1, 1])
  assert.equal(counts.at(-1), 1)
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    6,
  )
})
