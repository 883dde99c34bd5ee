import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  isPurgeKey,
  normalPrefix,
  normalUrl,
  parsePurge,
  PURGE_FLOOR_KEY,
  purgeIdOf,
  purgeKey,
  purgeKind,
} from './purge.ts'

for (const [given, expected] of [
  ['https://example.com/a', 'https://example.com/a'],
  ['HTTPS://Example.COM:443/A/%2f/../b', 'https://example.com/A/%2f/../b'],
  ['http://example.com:80', 'http://example.com/'],
  ['http://example.com:8080/', 'http://example.com:8080/'],
  ['http://example.com?q=1', 'http://example.com/?q=1'],
  ['https://example.com/a?b=c d', undefined],
  ['https://[2001:DB8::1]:444/', 'https://[2001:db8::1]:444/'],
  ['https://bücher.example/straße?ü=ö', 'https://xn--bcher-kva.example/stra%C3%9Fe?%C3%BC=%C3%B6'],
  ['https://example.com//double', 'https://example.com//double'],
  ['https://example.com/*', 'https://example.com/*'],
  ['https://example.com/a#part', undefined],
  ['https://user@example.com/', undefined],
  ['https://user:secret@example.com/', undefined],
  ['https:///a', undefined],
  ['//example.com/a', undefined],
  ['/a', undefined],
  ['example.com/a', undefined],
  ['ftp://example.com/a', undefined],
  ['https://exa mple.com/', undefined],
  ['https://example.com/a\u0000', undefined],
  ['https://example.com/a\r\nb', undefined],
  ['https://example.com:99999/', undefined],
  ['', undefined],
] as const) {
  test(`the URL ${JSON.stringify(given)} is ${expected ?? 'none'}`, () => {
    assert.equal(normalUrl(given), expected)
    // What keys hold is as it was, however often it is looked at.
    if (expected !== undefined) assert.equal(normalUrl(expected), expected)
  })
}

test('a prefix may end with a star, which is no part of it', () => {
  assert.equal(normalPrefix('https://Example.com/news/*'), 'https://example.com/news/')
  assert.equal(normalPrefix('https://example.com/news'), 'https://example.com/news')
  assert.equal(normalPrefix('https://example.com'), 'https://example.com/')
  assert.equal(normalPrefix('*'), undefined)
})

test('keys of purges lie in the order of their ids', () => {
  const keys = [9, 10, 123_456_789].map(purgeKey)
  assert.deepEqual(keys.toSorted(), keys)
  assert.deepEqual(keys.map(purgeIdOf), [9, 10, 123_456_789])
  assert.equal(purgeIdOf('unit/x'), undefined)
  assert.deepEqual([purgeKey(1), PURGE_FLOOR_KEY, 'settings/edge'].map(isPurgeKey), [true, true, false])
})

test('what is no purge is not taken for one', () => {
  for (const text of ['', '{', 'null', '[]', '1', '{"soft":true}'])
    assert.equal(parsePurge(text), undefined, text)
  assert.deepEqual(parsePurge('{"at":1,"soft":"yes","tags":["a"]}'), { at: 1, soft: false, tags: ['a'] })
})

test('a purge is counted by what it names', () => {
  const of = (scope: object) => purgeKind({ soft: false, at: 0, ...scope })
  assert.deepEqual(
    [
      { urls: ['a'], tags: ['b'] },
      { prefixes: ['a'] },
      { tags: ['a'], sites: ['b'] },
      { sites: ['b'] },
      {},
    ].map(of),
    ['url', 'prefix', 'tag', 'site', 'everything'],
  )
})
