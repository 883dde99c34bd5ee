import assert from 'node:assert/strict'
import { test } from 'node:test'
import { excerpt, placeOf } from './excerpt.ts'

test('an excerpt shows the line and marks the column', () => {
  assert.equal(excerpt('{\n  "edge" 1\n}', 2, 10), '2 |   "edge" 1\n  |          ^')
})

test('a tab before the place does not push the mark away from it', () => {
  assert.equal(excerpt('\tx', 1, 2), '1 |  x\n  |  ^')
})

test('of a very long line only the part around the place is shown', () => {
  const [line, mark] = excerpt(`${'a'.repeat(5000)}!${'b'.repeat(5000)}`, 1, 5001).split('\n')
  assert.ok(line!.length < 120)
  assert.equal(line![mark!.indexOf('^')], '!')
})

test('a line that does not exist gives nothing', () => {
  assert.equal(excerpt('one', 2, 1), '')
})

test('an offset is found as line and column, whatever ends the lines', () => {
  assert.deepEqual(placeOf('ab\ncd', 4), { line: 2, column: 2 })
  assert.deepEqual(placeOf('ab\r\ncd', 4), { line: 2, column: 1 })
  assert.deepEqual(placeOf('', 0), { line: 1, column: 1 })
})
