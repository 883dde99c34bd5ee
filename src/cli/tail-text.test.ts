import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tailText } from './tail-text.ts'

const line = { at: Date.now(), unit: 'a', version: 2, level: 'info', message: 'hello', worker: 0 } as const

test('a line tells unit, version, level, message and place', () => {
  const text = tailText({ ...line, level: 'error', reason: 'cpu', where: 'a.ts:7:3' })
  assert.match(text, /^\d\d:\d\d:\d\d\.\d{3} a@2 error cpu: hello \(a\.ts:7:3\)$/)
  assert.match(tailText(line), /a@2 info hello$/)
})

test('the place of an error stands beside it, and its stack below', () => {
  const message = 'Error: no\n    at Object.content (a.ts:7:3)'
  const text = tailText({ ...line, level: 'error', reason: 'throw', message, where: 'a.ts:7:3' })
  assert.match(text, /throw: Error: no \(a\.ts:7:3\)\n {6}at Object\.content \(a\.ts:7:3\)$/)
})

test('what a unit logs cannot move the cursor nor start a line of its own', () => {
  const text = tailText({ ...line, message: 'x\n12:00:00.000 b@1 error fake\u001b[2J\r\u009b1A\tend' })
  assert.equal(text.split('\n')[1], '  12:00:00.000 b@1 error fake\uFFFD[2J\uFFFD\uFFFD1A\tend')
})
