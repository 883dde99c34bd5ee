import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lifeline } from './lifeline.ts'

const never = () => new Promise<never>(() => undefined)

test('what is done in time is handed on, and nothing is late', async () => {
  const life = new Lifeline()
  assert.equal(await life.hold(60_000, Promise.resolve(7), assert.fail), 7)
  await assert.rejects(life.hold(60_000, Promise.reject(new Error('no')), assert.fail), /^Error: no$/)
  assert.equal(life.problem, undefined)
})

test('whoever waits is told the first problem, also who comes later, and whose work fails of it', async () => {
  const life = new Lifeline()
  const waiting = [life.hold(60_000, never(), assert.fail), life.hold(60_000, never(), assert.fail)]
  assert.equal(life.cut(new Error('first')), true)
  assert.equal(life.cut(new Error('second')), false)
  for (const work of waiting) await assert.rejects(work, /first/)
  await assert.rejects(life.hold(60_000, never(), assert.fail), /first/)
  await assert.rejects(life.hold(60_000, Promise.reject(new Error('closed')), assert.fail), /first/)
})

test('who is late is told so, and may cut it', async () => {
  const life = new Lifeline()
  const work = life.hold(1, never(), () => void life.cut(new Error('too late')))
  await assert.rejects(work, /too late/)
})
