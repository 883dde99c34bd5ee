import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { at, headerList, NOW, SECOND, type Fields } from './caching.support.ts'
import { freshnessLifetime, initialAgeMs } from './freshness.ts'
import { responseControl } from './targeted-control.ts'
import { SECONDS_MAX } from './text.ts'

const DATE = at(NOW)
const DAY = 86_400

function lifetime(fields: Fields, status = 200): [number, string] {
  const headers = headerList(fields)
  const { seconds, source } = freshnessLifetime(status, headers, responseControl(headers), NOW)
  return [seconds, source]
}

describe('freshnessLifetime (RFC 9111 §4.2.1)', () => {
  const expires = at(NOW + 100 * SECOND)
  const table: [title: string, fields: Fields, seconds: number, source: string][] = [
    ['is max-age', { 'cache-control': 'max-age=60' }, 60, 'max-age'],
    ['is s-maxage before max-age', { 'cache-control': 'max-age=60, s-maxage=5' }, 5, 's-maxage'],
    ['is s-maxage although it is 0', { 'cache-control': 's-maxage=0, max-age=60' }, 0, 's-maxage'],
    ['is max-age before Expires', { 'cache-control': 'max-age=60', expires, date: DATE }, 60, 'max-age'],
    [
      'is a broken max-age, that is 0, before Expires',
      { 'cache-control': 'max-age=x', expires },
      0,
      'max-age',
    ],
    ['is taken out of several fields', { 'cache-control': ['public', 'max-age=60'] }, 60, 'max-age'],
    ['is Expires minus Date', { expires, date: DATE }, 100, 'expires'],
    ['does not depend on the clocks being the same', { expires, date: at(NOW + 40 * SECOND) }, 60, 'expires'],
    ['counts Expires from now where there is no Date', { expires }, 100, 'expires'],
    ['counts Expires from now where Date is no date', { expires, date: 'x' }, 100, 'expires'],
    [
      'takes Expires of the old form',
      { expires: 'Sunday, 06-Nov-33 08:51:17 GMT', date: DATE },
      100,
      'expires',
    ],
    ['takes Expires of the oldest form', { expires: 'Sun Nov  6 08:51:17 2033', date: DATE }, 100, 'expires'],
    ['is 0 for Expires in the past', { expires: at(NOW - SECOND), date: DATE }, 0, 'expires'],
    ['is 0 for Expires: 0', { expires: '0', date: DATE }, 0, 'expires'],
    ['is 0 for Expires: -1', { expires: '-1' }, 0, 'expires'],
    ['is 0 for an empty Expires', { expires: '' }, 0, 'expires'],
    ['is 0 for Expires in another time zone', { expires: 'Sun, 06 Nov 2033 08:51:17 CET' }, 0, 'expires'],
    ['is 0 for two Expires', { expires: [expires, expires] }, 0, 'expires'],
    [
      'is not guessed beside a broken Expires',
      { expires: '0', 'last-modified': at(NOW - 1000 * DAY) },
      0,
      'expires',
    ],
    ['is at most 2³¹', { 'cache-control': 'max-age=4294967296' }, SECONDS_MAX, 'max-age'],
    [
      'is a tenth of the time since the last change',
      { 'last-modified': at(NOW - 1000 * SECOND), date: DATE },
      100,
      'heuristic',
    ],
    [
      'is a day at most where it is guessed',
      { 'last-modified': at(NOW - 1000 * DAY * SECOND) },
      DAY,
      'heuristic',
    ],
    ['is 0 for a change in the future', { 'last-modified': at(NOW + DAY * SECOND) }, 0, 'heuristic'],
    ['is not guessed from what is no date', { 'last-modified': 'yesterday' }, 0, 'none'],
    ['is not guessed from nothing', {}, 0, 'none'],
    [
      'is not guessed beside Pragma',
      { 'last-modified': at(NOW - 1000 * SECOND), pragma: 'no-cache' },
      0,
      'none',
    ],
    [
      'does not mind Pragma where it was told',
      { 'cache-control': 'max-age=60', pragma: 'no-cache' },
      60,
      'max-age',
    ],
  ]
  for (const [title, fields, seconds, source] of table) {
    it(title, () => assert.deepEqual(lifetime(fields), [seconds, source]))
  }

  it('is guessed for successes and lasting redirections, never for errors', () => {
    const old = { 'last-modified': at(NOW - 1000 * SECOND) }
    for (const status of [200, 203, 204, 300, 301, 308]) assert.equal(lifetime(old, status)[1], 'heuristic')
    for (const status of [201, 302, 303, 307, 400, 403, 404, 410, 500, 503]) {
      assert.deepEqual(lifetime(old, status), [0, 'none'])
      assert.equal(lifetime({ ...old, 'cache-control': 'public' }, status)[1], 'heuristic')
    }
  })
})

describe('initialAgeMs (RFC 9111 §4.2.3)', () => {
  const age = (fields: Fields, delayMs = 0) => initialAgeMs(headerList(fields), NOW - delayMs, NOW) / SECOND
  const table: [title: string, fields: Fields, delayMs: number, seconds: number][] = [
    ['is 0 for what was made just now', { date: DATE }, 0, 0],
    ['is what Date says', { date: at(NOW - 30 * SECOND) }, 0, 30],
    ['is what Age says', { age: '20', date: DATE }, 0, 20],
    ['is the larger of both', { age: '20', date: at(NOW - 30 * SECOND) }, 0, 30],
    ['adds the time that the response took to Age', { age: '20', date: DATE }, 2000, 22],
    ['is the time that the response took where nothing is said', {}, 1500, 1.5],
    ['is not negative where the origin is ahead', { date: at(NOW + 100 * SECOND) }, 0, 0],
    ['does not count an Age that is no number', { age: 'old', date: DATE }, 0, 0],
    ['does not count a negative Age', { age: '-5', date: DATE }, 0, 0],
    ['does not count a fraction', { age: '7.5', date: DATE }, 0, 0],
    ['takes the first of several ages (§5.1)', { age: '5, 10' }, 0, 5],
    ['takes the first of several fields', { age: ['5', '10'] }, 0, 5],
    ['is at most 2³¹', { age: '99999999999999' }, 0, SECONDS_MAX],
    ['does not count a Date that is no date', { date: 'x' }, 0, 0],
  ]
  for (const [title, fields, delayMs, seconds] of table) {
    it(title, () => assert.equal(age(fields, delayMs), seconds))
  }

  it('compares Date by whole seconds, so that max-age=1 is not half used up on arrival', () => {
    assert.equal(initialAgeMs(headerList({ date: DATE }), NOW + 900, NOW + 900), 0)
    assert.equal(initialAgeMs(headerList({ date: DATE }), NOW + 1100, NOW + 1100), 1000)
  })
})
