import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as v from 'valibot'
import { SiteCache } from '../config/cache-schema.ts'
import { cacheSamples, readCaches } from './cache-metrics.ts'
import { ResponseCache } from './caching/response-cache.ts'
import { siteCacheParts } from './site-cache.ts'

const config = v.parse(SiteCache, {})
const newCache = () => new ResponseCache({ bytesMax: 100_000, objectBytesMax: 1000 })
const site = (name: string, cache: ResponseCache | undefined, sharedAs?: string) => ({
  name,
  cache,
  ...siteCacheParts(cache && config, Math.random, undefined, sharedAs),
})

test('what sites do is told of each, and what a store holds that they share of the store, once', () => {
  const shared = newCache()
  const sites = [
    site('a', shared, 'a'),
    site('b', shared, 'b'),
    site('own', newCache()),
    site('bare', undefined),
  ]
  sites[0]!.cacheStatistics!.count('hit')
  sites[1]!.cacheStatistics!.count('uri-miss')
  sites[1]!.cacheStatistics!.refused('private')
  sites[1]!.cacheStatistics!.sent('origin', 10)
  sites[1]!.cacheStatistics!.sent('edge', 10)
  const readings = readCaches(sites, 5, 0)
  assert.deepEqual(
    readings.map(({ site, results, counters }) => [site, results, counters['entries']]),
    [
      ['a', { hit: 1 }, undefined],
      ['b', { hit: 0, 'uri-miss': 1 }, undefined],
      ['own', { hit: 0 }, 0],
      ['*', {}, 0],
    ],
  )
  assert.deepEqual([readings[1]!.refusals, readings[1]!.bytes], [{ private: 1 }, { cache: 0, origin: 10 }])
  assert.deepEqual(
    ['refused.size', 'refused.admission', 'flights'].map((name) => readings[3]!.counters[name]),
    [0, 0, 0],
  )
  const entries = cacheSamples(sites).filter(({ name }) => name === 'orla_cache_entries')
  assert.deepEqual(
    entries.map(({ labels }) => labels['site']),
    ['own', '*'],
  )
})
