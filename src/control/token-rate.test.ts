import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenRate } from './token-rate.ts'

function stand(limits = { burst: 10, perSecond: 2 }) {
  let now = 0
  const rate = new TokenRate(
    () => now,
    () => limits,
  )
  /** Requests until one has to wait. */
  const ask = (id: string, most = 1000) => {
    for (let count = 0; count < most; count += 1) if (rate.take(id) > 0) return count
    return most
  }
  return { rate, ask, limits, pass: (ms: number) => (now += ms) }
}

test('a token has a budget that fills again, and others have theirs', () => {
  const { rate, ask, pass } = stand()
  assert.equal(ask('a'), 10)
  assert.equal(rate.take('a'), 500)
  assert.equal(ask('b'), 10)
  pass(1000)
  assert.equal(ask('a'), 2)
  pass(3_600_000)
  assert.equal(ask('a'), 10)
})

test('what was refused is not counted', () => {
  const { rate, ask, pass } = stand()
  ask('a')
  for (let tries = 0; tries < 100; tries += 1) rate.take('a')
  pass(500)
  assert.equal(rate.take('a'), 0)
})

test('another limit counts from the next request on', () => {
  const { ask, limits, pass } = stand()
  assert.equal(ask('a'), 10)
  Object.assign(limits, { burst: 3, perSecond: 1000 })
  pass(1000)
  assert.equal(ask('a'), 3)
})

test('tokens that have asked nothing for a while are forgotten', () => {
  const { rate, ask, pass } = stand()
  ask('busy')
  for (let n = 0; n < 999; n += 1) rate.take(`old-${n}`)
  pass(1000)
  rate.take('new')
  // It is at hand still: not a full one.
  assert.equal(ask('busy'), 2)
})
