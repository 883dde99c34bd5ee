import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { headerList, type Fields } from './caching.support.ts'
import { isSelectedBy, parseVary, selectingOf, variantKey } from './vary.ts'

describe('parseVary', () => {
  const table: [title: string, fields: Fields, expected: readonly string[] | 'any'][] = [
    ['is empty where there is none', {}, []],
    [
      'lists names in lower case, each once',
      { vary: 'Accept, accept-language,ACCEPT' },
      ['accept', 'accept-language'],
    ],
    ['joins fields', { vary: ['accept', 'cookie'] }, ['accept', 'cookie']],
    ['passes over empty members', { vary: ', accept, ,' }, ['accept']],
    ['knows the star', { vary: '*' }, 'any'],
    ['knows the star among others', { vary: 'accept, *' }, 'any'],
    ['takes what is no name for a star', { vary: 'accept encoding' }, 'any'],
    [
      'takes more names than anyone needs for a star',
      { vary: Array.from({ length: 17 }, (_, i) => `x-${i}`) },
      'any',
    ],
  ]
  for (const [title, fields, expected] of table) {
    it(title, () => assert.deepEqual(parseVary(headerList(fields)), expected))
  }
})

describe('variants (RFC 9111 §4.1)', () => {
  const names = ['accept', 'cookie']
  const table: [title: string, first: Fields, second: Fields, same: boolean][] = [
    ['are the same for equal values', { accept: 'a', cookie: 'b' }, { cookie: 'b', accept: 'a' }, true],
    ['are the same where both lack the header', {}, { host: 'x' }, true],
    ['differ where one lacks the header', { accept: 'a' }, {}, false],
    ['differ between an empty header and none', { accept: '' }, {}, false],
    ['differ by value', { accept: 'a' }, { accept: 'b' }, false],
    ['differ by case', { accept: 'a' }, { accept: 'A' }, false],
    ['differ where values change places', { accept: 'a', cookie: 'b' }, { accept: 'b', cookie: 'a' }, false],
    ['do not mind space around commas', { accept: 'a,b ,\tc' }, { accept: 'a, b,c' }, true],
    ['do not mind how many fields there are', { accept: ['a', 'b'] }, { accept: 'a, b' }, true],
    ['do not mind how much space there is', { accept: 'a  b' }, { accept: 'a b' }, true],
    ['mind space in quotes', { accept: 'x="a , b"' }, { accept: 'x="a,b"' }, false],
    ['mind the order of a list', { accept: 'a, b' }, { accept: 'b, a' }, false],
    ['mind space in what is no list', { cookie: 'sid=a,b' }, { cookie: 'sid=a, b' }, false],
    ['mind a space that separates', { accept: 'a b' }, { accept: 'ab' }, false],
  ]
  for (const [title, first, second, same] of table) {
    it(title, () => {
      const [one, two] = [headerList(first), headerList(second)]
      assert.equal(isSelectedBy(selectingOf(names, one), two), same)
      assert.equal(isSelectedBy(selectingOf(names, two), one), same)
      assert.equal(variantKey(names, one) === variantKey(names, two), same)
    })
  }

  it('are told apart in time in proportion to the length, whatever a client sends', () => {
    const start = performance.now()
    for (const piece of [' ', '\t', ',', ' ,', ', ', '"']) {
      const value = `a${piece.repeat(300_000)}b`
      assert.equal(isSelectedBy(selectingOf(names, ['accept', value]), ['accept', `${value}c`]), false)
    }
    // By the square of the length it would be minutes.
    assert.ok(performance.now() - start < 60_000)
  })
})
