import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDuration, parseSize } from './quantity.ts'

for (const [text, bytes] of [
  ['0b', 0],
  ['1kb', 1024],
  ['1.5MB', 1_572_864],
  [' 64 mb ', 67_108_864],
  ['2tb', 2 * 1024 ** 4],
  ['64', undefined],
  ['mb', undefined],
  ['-1mb', undefined],
  ['1 mile', undefined],
  ['1e3kb', undefined],
  ['', undefined],
] as const) {
  test(`the size "${text}" is ${bytes ?? 'none'}`, () => assert.equal(parseSize(text), bytes))
}

for (const [text, ms] of [
  ['250ms', 250],
  ['5s', 5000],
  ['1.5m', 90_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['5', undefined],
  ['5 years', undefined],
] as const) {
  test(`the time "${text}" is ${ms ?? 'none'}`, () => assert.equal(parseDuration(text), ms))
}

test('what every object has is no unit', () => {
  assert.equal(parseSize('1constructor'), undefined)
  assert.equal(parseSize('1toString'), undefined)
})
