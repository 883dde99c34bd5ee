import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyIndex } from './key-index.ts'

const URL = 'http://a.example.org/x'

test('the parts of an object are found by its key, and by no other of its address', () => {
  const index = new KeyIndex()
  const other = `${URL} device=phone`
  const keys = [URL, `${URL}\npart`, `${URL}\nslice 1`, other, `${other}\nslice 1`]
  for (const key of keys) index.add(key)
  assert.deepEqual(index.partsOf(URL), [`${URL}\npart`, `${URL}\nslice 1`])
  assert.deepEqual(index.partsOf(other), [`${other}\nslice 1`])
  assert.deepEqual(index.partsOf(`${URL}\npart`), [])
  assert.deepEqual(index.keysOf(URL), keys.slice(1))
  index.remove(`${other}\nslice 1`)
  assert.deepEqual([index.hasParts(URL), index.hasParts(other)], [true, false])
  for (const key of keys) index.remove(key)
  assert.deepEqual([index.hasParts(URL), index.keysOf(URL)], [false, []])
})
