import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatHttpDate, parseHttpDate } from './http-date.ts'
import { NOW } from './caching.support.ts'

const EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37)

describe('parseHttpDate', () => {
  const good: [text: string, ms: number][] = [
    ['Sun, 06 Nov 1994 08:49:37 GMT', EXAMPLE],
    // RFC 9111 §4.2: caches do not mind case.
    ['sun, 06 NOV 1994 08:49:37 gmt', EXAMPLE],
    ['SUNDAY, 06-nov-94 08:49:37 Gmt', EXAMPLE],
    ['SUN nov  6 08:49:37 1994', EXAMPLE],
    ['Sunday, 06-Nov-94 08:49:37 GMT', EXAMPLE],
    ['Sun Nov  6 08:49:37 1994', EXAMPLE],
    ['Wed Nov 16 08:49:37 1994', Date.UTC(1994, 10, 16, 8, 49, 37)],
    ['Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
    ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2016, 11, 31, 23, 59, 59)],
    // Seen from 2033, 70 is 2070 (37 years ahead), and 99 would be 66 years ahead: it was 1999.
    ['Saturday, 01-Nov-70 00:00:00 GMT', Date.UTC(2070, 10, 1)],
    ['Friday, 31-Dec-99 23:59:59 GMT', Date.UTC(1999, 11, 31, 23, 59, 59)],
  ]
  for (const [text, ms] of good) {
    it(`reads ${text}`, () => assert.equal(parseHttpDate(text, NOW), ms))
  }

  const bad = [
    '',
    '0',
    '-1',
    'tomorrow',
    '2030',
    '1994-11-06T08:49:37Z',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 06 Nop 1994 08:49:37 GMT',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 94 08:49:37 GMT',
    'Sun, 06 Nov 1994 8:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
    ' Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT, Mon, 07 Nov 1994 08:49:37 GMT',
    'Someday, 06-Nov-94 08:49:37 GMT',
  ]
  for (const text of bad) {
    it(`does not take ${JSON.stringify(text)} for a date`, () =>
      assert.equal(parseHttpDate(text, NOW), undefined))
  }

  it('reads what formatHttpDate writes, however often', () => {
    for (let day = 0; day < 200; day++) {
      const ms = EXAMPLE + day * 86_400_000
      assert.equal(parseHttpDate(formatHttpDate(ms), NOW), ms)
      assert.equal(parseHttpDate(formatHttpDate(ms), NOW), ms)
    }
  })
})
