import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outlier } from './outlier.ts'

const outlier = () => new Outlier({ failures: 3, window: 1000, eject: 100, ejectMax: 350 })

/** Fails until it is ejected; how often that took. */
function failUntilEjected(one: Outlier, nowMs: number): number {
  for (let count = 1; ; count++) if (one.onFailure(nowMs)) return count
}

test('failures in a row eject; a success between them, or too long a time, begins anew', () => {
  const one = outlier()
  assert.equal(one.onFailure(1), false)
  assert.equal(one.onFailure(2), false)
  one.onSuccess(3)
  assert.equal(one.onFailure(4), false)
  assert.equal(one.onFailure(5), false)
  assert.equal(one.onFailure(1500), false, 'the others are too long ago')
  assert.equal(one.onFailure(1600), false)
  assert.equal(one.onFailure(1700), true)
  assert.equal(one.isEjected(1799), true)
  assert.equal(one.isEjected(1800), false)
})

test('the first failure after an ejection ejects for twice as long, up to the longest', () => {
  const one = outlier()
  assert.equal(failUntilEjected(one, 1), 3)
  let now = one.ejectedUntilMs
  assert.equal(now, 101)
  for (const length of [200, 350, 350]) {
    // Long after the window, too: it has not shown that it is well.
    now += 5000
    assert.equal(failUntilEjected(one, now), 1)
    assert.equal(one.ejectedUntilMs - now, length)
    now = one.ejectedUntilMs
  }
})

test('an answer after an ejection makes it as good as others; good for long enough, the back-off is forgotten', () => {
  const one = outlier()
  failUntilEjected(one, 0)
  one.onSuccess(110)
  assert.equal(failUntilEjected(one, 120), 3)
  assert.equal(one.ejectedUntilMs - 120, 200, 'it was out a moment ago')
  one.onSuccess(400)
  one.onSuccess(5000)
  assert.equal(failUntilEjected(one, 5001), 3)
  assert.equal(one.ejectedUntilMs - 5001, 100)
})

test('while it is ejected nothing counts, and it comes back once', () => {
  const one = outlier()
  failUntilEjected(one, 0)
  assert.equal(one.onFailure(50), false)
  one.onSuccess(60)
  assert.equal(one.onFailure(100), true, 'what succeeded in the time out is no proof')
  assert.equal(one.takeReturn(), true)
  assert.equal(one.takeReturn(), false)
})
