import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { groupsOf, groupsToInvalidate } from './cache-groups.ts'
import { headerList } from './caching.support.ts'

const groups = (field: string | readonly string[]) => groupsOf(headerList({ 'cache-groups': field }))

describe('RFC 9875 §2: Cache-Groups', () => {
  it('is a list of strings, whatever their parameters, in one field or several', () => {
    assert.deepEqual(groups('"a", "b c";x=1,"\\"\\\\"'), ['a', 'b c', '"\\'])
    assert.deepEqual(groups(['"a"', '"b", "a"']), ['a', 'b'])
    assert.deepEqual(groups('"A", "a"'), ['A', 'a'])
    assert.deepEqual(groups(''), [])
  })

  it('is ignored whole where something else is in it', () => {
    for (const field of ['a', '"a", b', '"a", 1', '("a")', '"a",', '"a" "b"', '"ü"'])
      assert.deepEqual(groups(field), [])
  })

  it('has 32 groups and more, of any length', () => {
    const names = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(200, 'x'))
    assert.deepEqual(groups(names.map((name) => `"${name}"`).join(', ')), names)
    assert.equal(groups(Array.from({ length: 5000 }, (_, i) => `"${i}"`).join(', ')).length, 1000)
  })
})

describe('RFC 9875 §3: Cache-Group-Invalidation', () => {
  const headers = headerList({ 'cache-group-invalidation': '"a", "b"' })
  it('counts in answers to unsafe methods', () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'UNHEARD-OF'])
      assert.deepEqual(groupsToInvalidate(method, headers), ['a', 'b'])
  })
  it('is ignored in answers to safe ones', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE'])
      assert.deepEqual(groupsToInvalidate(method, headers), [])
  })
})
