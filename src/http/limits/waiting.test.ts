import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitThen } from './waiting.ts'

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

function parked() {
  const ends: (() => void)[] = []
  return {
    gone: false,
    whenOver: (then: () => void) => void ends.push(then),
    over: () => ends.forEach((then) => then()),
  }
}

test('a client that goes away while it waits leaves nothing behind', () => {
  const before = timers()
  const all = Array.from({ length: 100 }, parked)
  for (const one of all) waitThen(one, 3_600_000, assert.fail)
  assert.equal(timers(), before + 100)
  for (const one of all) one.over()
  assert.equal(timers(), before)
})

test('whoever stays goes on when it is its turn', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  waitThen(parked(), 5, resolve)
  await promise
})
