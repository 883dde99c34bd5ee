import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CacheReading, TopObject } from '../contract/cache-reading.ts'
import { mergeCaches } from './cache-readings.ts'

const reading = (more: Partial<CacheReading> = {}): CacheReading => ({
  site: 'tv',
  results: {},
  refusals: {},
  bytes: { cache: 0, origin: 0 },
  counters: {},
  evictedAge: { bounds: [1, 4], counts: [0, 0, 0], sum: 0 },
  top: [],
  ...more,
})

const object = (key: string, hits: number, more: Partial<TopObject> = {}): TopObject => ({
  key,
  hits,
  excess: 0,
  bytes: hits * 10,
  ageSeconds: 1,
  ttlSeconds: 59,
  ...more,
})

test('numbers of workers are summed by name, whatever the name is', () => {
  const { caches } = mergeCaches(
    [
      [
        reading({ results: { hit: 3, 'uri-miss': 1 }, counters: { entries: 2, siblingHits: 4 } }),
        reading({ site: 'shop', bytes: { cache: 30, origin: 10 } }),
      ],
      [
        reading({
          results: { hit: 1, collapsed: 1, disk: 1, 'stale-if-error': 1, stale: 1, method: 1 },
          refusals: { private: 2 },
          bytes: { cache: 100, origin: 0 },
          counters: { entries: 1 },
          evictedAge: { bounds: [1, 4], counts: [0, 1, 1], sum: 12 },
        }),
      ],
    ],
    0,
  )
  assert.deepEqual(caches, [
    {
      site: 'tv',
      workers: 2,
      hitRatio: 0.7,
      byteHitRatio: 1,
      results: { hit: 4, 'uri-miss': 1, collapsed: 1, disk: 1, 'stale-if-error': 1, stale: 1, method: 1 },
      refusals: { private: 2 },
      bytes: { cache: 100, origin: 0 },
      counters: { entries: 3, siblingHits: 4 },
      evictedAge: {
        count: 2,
        meanSeconds: 6,
        ages: [{ belowSeconds: 1, count: 0 }, { belowSeconds: 4, count: 1 }, { count: 1 }],
      },
    },
    {
      site: 'shop',
      workers: 1,
      byteHitRatio: 0.75,
      results: {},
      refusals: {},
      bytes: { cache: 30, origin: 10 },
      counters: {},
    },
  ])
})

test('the most wanted of all workers come first, each once, with its freshest copy', () => {
  const { top } = mergeCaches(
    [
      [reading({ top: [object('a', 5), object('b', 4, { ageSeconds: 50, ttlSeconds: 10 })] })],
      [reading({ top: [object('b', 4, { excess: 1 }), object('c', 1)] })],
      [reading({ site: 'shop', top: [object('a', 6)] })],
    ],
    2,
  )
  assert.deepEqual(
    top.map(({ site, key, hits }) => `${site} ${key} ${hits}`),
    ['tv b 8', 'shop a 6', 'tv a 5'],
  )
  assert.deepEqual(top[0], { site: 'tv', ...object('b', 8, { excess: 1, bytes: 80 }) })
})
