import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRangeCurrent, strongValidator } from './range-conditions.ts'

const at = (minute: number, second = 0) =>
  `Wed, 21 Oct 2026 07:${String(minute).padStart(2, '0')}:${String(second).padStart(2, '0')} GMT`

test('RFC 9110 §13.1.5: If-Range compares strongly, and a date only exactly', () => {
  const has = { etag: '"v2"', lastModified: at(28) }
  for (const [field, isCurrent] of [
    ['"v2"', true],
    ['W/"v2"', false],
    ['"v1"', false],
    [at(28), true],
    [at(27), false],
    [at(29), false],
    ['nonsense', false],
  ] as const)
    assert.equal(isRangeCurrent(['if-range', field], has), isCurrent, field)
  assert.equal(isRangeCurrent([], has), true)
  assert.equal(isRangeCurrent(['if-range', '"v2"'], { ...has, etag: 'W/"v2"' }), false)
  assert.equal(isRangeCurrent(['if-range', '"v2"'], { ...has, etag: undefined }), false)
})

test('RFC 9110 §8.8.2.2: a date is strong where the answer was made in a later second', () => {
  const lastModified = at(28)
  for (const [date, isStrong] of [
    [at(28, 1), true],
    [at(28), false],
    [at(27), false],
    ['nonsense', false],
  ] as const) {
    const has = { etag: undefined, lastModified, date }
    assert.equal(isRangeCurrent(['if-range', lastModified], has), isStrong, date)
    assert.equal(strongValidator(has), isStrong ? lastModified : undefined, date)
  }
})

test('RFC 9111 §3.4: only a strong validator lets parts be put together', () => {
  const date = at(30)
  assert.equal(strongValidator({ etag: '"a"', lastModified: undefined, date }), '"a"')
  assert.equal(strongValidator({ etag: '"a"', lastModified: at(28), date }), '"a"')
  // Who sends a weak tag says that its bytes may differ: the date does not tell more.
  assert.equal(strongValidator({ etag: 'W/"a"', lastModified: at(28), date }), undefined)
  assert.equal(strongValidator({ etag: 'bare', lastModified: undefined, date }), undefined)
  assert.equal(strongValidator({ etag: undefined, lastModified: undefined, date }), undefined)
})
