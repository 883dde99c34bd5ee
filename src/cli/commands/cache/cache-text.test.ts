import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesText, secondsText, shareText } from './cache-text.ts'
import { statsText } from './stats.ts'
import { topText } from './top.ts'

test('bytes, shares and seconds are short', () => {
  const bytes = [0, 999, 1000, 1500, 99_949, 99_951, 999_499, 1e9, 5e15].map(bytesText)
  assert.deepEqual(bytes, [
    '0 B',
    '999 B',
    '1.0 kB',
    '1.5 kB',
    '99.9 kB',
    '100 kB',
    '999 kB',
    '1.0 GB',
    '5000 TB',
  ])
  assert.deepEqual([undefined, 0, 0.9312, 1].map(shareText), ['-', '0.0%', '93.1%', '100.0%'])
  assert.deepEqual([0, 119, 120, 7199, 7200, 172_800, -5, -600, 2 ** 53].map(secondsText), [
    '0s',
    '119s',
    '2m',
    '119m',
    '2h',
    '2d',
    '-5s',
    '-10m',
    'ever',
  ])
})

test('what caches did is a table, and why behind it', () => {
  assert.equal(statsText([]), 'no site has a cache')
  const text = statsText([
    {
      site: 'tv',
      workers: 2,
      hitRatio: 0.75,
      byteHitRatio: 0.5,
      results: { 'uri-miss': 1, hit: 3, stale: 0 },
      refusals: { 'no-store': 2 },
      bytes: { cache: 1000, origin: 1000 },
      counters: { entries: 1, bytes: 2048, stored: 1, evicted: 4 },
      evictedAge: { count: 4, meanSeconds: 150.4, ages: [] },
    },
  ])
  assert.match(text, /^SITE +HITS +BYTES +OBJECTS +MEMORY/)
  assert.match(text, /\ntv +75\.0% +50\.0% +1 +2\.0 kB +1 +- +4 +1\.0 kB +1\.0 kB\n/)
  assert.ok(
    text.endsWith(
      'tv: look-ups: hit 3, uri-miss 1\ntv: not kept: no-store 2\ntv: evicted at an age of 2m on average',
    ),
  )
})

test('a key does not disturb the terminal that shows it', () => {
  assert.equal(topText([]), 'no hits were counted')
  const object = { site: 'tv', hits: 9, excess: 2, bytes: 10, ageSeconds: 5, ttlSeconds: -5 }
  const text = topText([{ ...object, key: `http://h/\u001b[2J\n${'x'.repeat(300)}` }])
  assert.doesNotMatch(text.split('\n')[1]!, /\u001b/)
  assert.match(text, /tv +9 -2 +10 B +5s +-5s +http:\/\/h\//)
  assert.equal(text.split('\n').length, 2)
})
