import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionError } from './connection-error.ts'
import { FloodGuard } from './flood-guard.ts'

test('control frames are bounded, and each frame of a body that was sent allows one more', () => {
  const guard = new FloodGuard({ nowMs: 0 })
  for (let n = 0; n < 5000; n += 1) {
    guard.onDataSent()
    guard.onIdleFrame()
  }
  for (let n = 0; n < 999; n += 1) guard.onIdleFrame()
  assert.throws(() => guard.onIdleFrame(), ConnectionError)
})

test('data in frames of nearly nothing does not make up for itself', () => {
  const guard = new FloodGuard({ nowMs: 0 })
  let dribbles = 0
  do guard.onDataSent()
  while (guard.takeDribble() && ++dribbles < 5000)
  assert.equal(dribbles, 1000)
})

test('pages that are left again and again are no flood; resets without an end are', () => {
  const clock = { nowMs: 0 }
  const guard = new FloodGuard(clock)
  // Each with all of its streams open, once a second.
  for (let page = 0; page < 7; page += 1) {
    for (let n = 0; n < 128; n += 1) guard.onBrokenStream()
    clock.nowMs += 1000
  }
  let more = 0
  while (guard.takeBrokenStream()) more += 1
  assert.equal(more, 1000 + 7 * 33 - 7 * 128)
})
