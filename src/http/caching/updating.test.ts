import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { at, headerList, NOW, SECOND, type Fields } from './caching.support.ts'
import type { Validators } from './conditional.ts'
import { describes, speaksOf, updatedHeaders } from './updating.ts'

const CHANGED = at(NOW - 100 * SECOND)
const STORED: Validators = { status: 200, etag: '"one"', lastModified: CHANGED, date: at(NOW) }

describe('speaksOf (RFC 9111 §4.3.4)', () => {
  const table: [title: string, fields: Fields, stored: Partial<Validators>, expected: boolean][] = [
    ['knows its tag', { etag: '"one"' }, {}, true],
    ['knows its tag though that of the 304 is weak', { etag: 'W/"one"' }, {}, true],
    ['knows its weak tag', { etag: 'W/"one"' }, { etag: 'W/"one"' }, true],
    ['does not know a strong tag where its own is weak', { etag: '"one"' }, { etag: 'W/"one"' }, false],
    ['does not know another tag', { etag: '"two"' }, {}, false],
    ['does not know a tag where it has none', { etag: '"one"' }, { etag: undefined }, false],
    ['takes a 304 without validators for its own: it asked', {}, {}, true],
    ['goes by its date where there is no tag', { 'last-modified': CHANGED }, { etag: undefined }, true],
    ['does not know another date', { 'last-modified': at(NOW) }, { etag: undefined }, false],
    ['does not know another date although it has a tag', { 'last-modified': at(NOW) }, {}, false],
    [
      'does not know a date where it has none',
      { 'last-modified': CHANGED },
      { lastModified: undefined },
      false,
    ],
    ['goes by a strong tag whatever the date', { etag: '"one"', 'last-modified': at(NOW) }, {}, true],
  ]
  for (const [title, fields, stored, expected] of table) {
    it(title, () => assert.equal(speaksOf({ ...STORED, ...stored }, headerList(fields)), expected))
  }
})

describe('describes (RFC 9111 §4.3.5)', () => {
  const stored = { ...STORED, body: { length: 9 } }
  const table: [title: string, fields: Fields, expected: boolean][] = [
    ['holds where a HEAD says nothing against it', {}, true],
    [
      'holds for the same validators and length',
      { etag: '"one"', 'last-modified': CHANGED, 'content-length': '9' },
      true,
    ],
    ['does not hold for another tag', { etag: '"two"' }, false],
    ['does not hold for a weaker tag', { etag: 'W/"one"' }, false],
    ['does not hold for another date', { etag: '"one"', 'last-modified': at(NOW) }, false],
    ['does not hold for another length', { etag: '"one"', 'content-length': '8' }, false],
    ['does not hold for a length that is no number', { 'content-length': '9, 8' }, false],
  ]
  for (const [title, fields, expected] of table)
    it(title, () => assert.equal(describes(stored, headerList(fields)), expected))
})

describe('updatedHeaders (RFC 9111 §3.2)', () => {
  it('takes what the 304 says, all fields of a name, and keeps the rest', () => {
    const stored = headerList({ 'cache-control': 'max-age=1', 'x-a': ['1', '2'], 'x-b': '3', date: at(0) })
    const update = headerList({
      'cache-control': 'max-age=9',
      'x-a': '4',
      'x-new': ['5', '6'],
      date: at(NOW),
    })
    assert.deepEqual(
      updatedHeaders(stored, update),
      headerList({
        'x-b': '3',
        'cache-control': 'max-age=9',
        'x-a': '4',
        'x-new': ['5', '6'],
        date: at(NOW),
      }),
    )
  })

  it('does not take what the bytes of the body are read by, nor a cookie', () => {
    const stored = headerList({ 'content-encoding': 'gzip', 'content-length': '9' })
    const update = headerList({
      'content-encoding': 'br',
      'content-length': '0',
      'content-range': 'bytes 0-1/2',
      'set-cookie': 'a=b',
    })
    assert.deepEqual(updatedHeaders(stored, update), stored)
  })

  it('takes a type, and a cookie where one is stored', () => {
    const stored = headerList({ 'content-type': 'text/plain', 'set-cookie': 'a=b' })
    const update = headerList({ 'content-type': 'text/html', 'set-cookie': ['a=c', 'd=e'] })
    assert.deepEqual(updatedHeaders(stored, update), update)
  })

  it('drops the old date, so that a 304 without one counts as made when it came', () => {
    assert.deepEqual(updatedHeaders(headerList({ date: at(0), 'x-a': '1' }), []), ['x-a', '1'])
  })
})
