import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Share } from './share.ts'

const share = () => new Share({ tag: '', keys: [''], levels: { args: [], full: 1, count: 1 } })

test('the oldest lots are taken from first, and all of a cost or nothing of it', () => {
  const one = share()
  one.lots.push({ units: 2, untilMs: 100, at: 1 }, { units: 3, untilMs: 200, at: 2 })
  assert.equal(one.spend(3, 50), true)
  assert.deepEqual(one.lots, [{ units: 2, untilMs: 200, at: 2 }])
  assert.equal(one.spend(3, 50), false)
  assert.equal(one.unitsAt(50), 2)
  assert.equal(one.spent, 3)
})

test('a lot is good until its time is over, also where nobody has come to give it back', () => {
  const one = share()
  one.lots.push({ units: 2, untilMs: 100, at: 1 }, { units: 3, untilMs: 200, at: 2 })
  assert.equal(one.unitsAt(100), 3)
  assert.equal(one.spend(4, 100), false)
  assert.equal(one.spend(3, 100), true)
  // What is over is still there, to be given back.
  assert.deepEqual(one.lots, [{ units: 2, untilMs: 100, at: 1 }])
  assert.equal(one.spend(1, 100), false)
})
