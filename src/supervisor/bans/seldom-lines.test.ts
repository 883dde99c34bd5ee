/** A log that strangers cannot fill. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeldomLines } from './seldom-lines.ts'

test('each kind is told at once, then once a minute, with how often it happened meanwhile', () => {
  let nowMs = 0
  const lines = new SeldomLines({ monotonic: () => nowMs })
  assert.equal(lines.due('a'), '')
  assert.equal(lines.due('b'), '')
  for (let i = 0; i < 7; i++) assert.equal(lines.due('a'), undefined)
  nowMs = 59_999
  assert.equal(lines.due('a'), undefined)
  nowMs = 60_000
  assert.equal(lines.due('a'), ' (and 8 more like it since the last line)')
  assert.equal(lines.due('b'), '')
})

test('however many kinds there are, the last thousand are known', () => {
  const lines = new SeldomLines({ monotonic: () => 0 })
  for (let i = 0; i < 2000; i++) assert.equal(lines.due(`${i}`), '')
  assert.equal(lines.due('1999'), undefined)
  assert.equal(lines.due('0'), '')
})
