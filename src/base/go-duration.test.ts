import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseGoDuration } from './go-duration.ts'

test('times are read as Go reads them', () => {
  const table: readonly (readonly [string, number | undefined])[] = [
    ['0', 0],
    ['5s', 5000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['.5m', 30_000],
    ['300ms', 300],
    ['2us', 0.002],
    ['-1s', -1000],
    ['+1s', 1000],
    ['10', undefined],
    ['', undefined],
    ['-', undefined],
    ['1d', undefined],
    ['5 s', undefined],
    ['s', undefined],
    ['1s!', undefined],
  ]
  for (const [text, ms] of table) assert.equal(parseGoDuration(text), ms, text)
})
