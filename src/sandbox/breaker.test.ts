import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker } from './breaker.ts'

const middle = (): number => 0.5

test('a breaker opens after five failures in a row', () => {
  const breaker = new Breaker(middle)
  for (let failure = 0; failure < 4; failure++) breaker.failed('throw', 0)
  assert.equal(breaker.state, 'closed')
  breaker.failed('cpu', 0)
  assert.equal(breaker.state, 'open')
  assert.equal(breaker.reason, 'cpu')
  assert.equal(breaker.admits(4999), false)
})

test('successes in between keep it closed, until most of the runs fail', () => {
  const breaker = new Breaker(middle)
  for (let round = 0; round < 100; round++) {
    breaker.succeeded()
    breaker.succeeded()
    breaker.failed('throw', round)
    assert.equal(breaker.state, 'closed')
  }
  let rounds = 0
  while (breaker.state === 'closed' && rounds++ < 1000) {
    breaker.failed('throw', 100)
    breaker.failed('throw', 100)
    breaker.failed('throw', 100)
    breaker.succeeded()
  }
  assert.equal(breaker.state, 'open')
})

test('it does not open for a share of few runs', () => {
  const breaker = new Breaker(middle)
  for (let round = 0; round < 4; round++) {
    breaker.failed('throw', 0)
    breaker.failed('throw', 0)
    breaker.succeeded()
  }
  assert.equal(breaker.state, 'closed')
})

test('failures of long ago do not count', () => {
  const breaker = new Breaker(middle)
  for (let round = 0; round < 50; round++) {
    breaker.failed('throw', round * 11_000)
    breaker.failed('throw', round * 11_000)
    breaker.succeeded()
  }
  assert.equal(breaker.state, 'closed')
})

test('after a wait one probe passes; its success closes it', () => {
  const breaker = opened()
  assert.equal(breaker.admits(5000), true)
  assert.equal(breaker.state, 'half-open')
  assert.equal(breaker.admits(5001), false)
  breaker.succeeded()
  assert.equal(breaker.state, 'closed')
  assert.equal(breaker.admits(5002), true)
})

test('a probe that fails doubles the wait, to a minute at most', () => {
  const breaker = opened()
  let now = 0
  for (const waitMs of [5000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
    assert.equal(breaker.admits(now + waitMs - 1), false)
    assert.equal(breaker.admits(now + waitMs), true)
    now += waitMs
    breaker.failed('throw', now)
  }
})

test('a probe without a verdict makes room for another after a while', () => {
  const breaker = opened()
  assert.equal(breaker.admits(5000), true)
  assert.equal(breaker.admits(6999), false)
  assert.equal(breaker.admits(7000), true)
})

test('the wait differs from breaker to breaker by a tenth', () => {
  assert.equal(opened(() => 0).admits(4500), true)
  assert.equal(opened(() => 1).admits(5499), false)
})

function opened(random = middle): Breaker {
  const breaker = new Breaker(random)
  for (let failure = 0; failure < 5; failure++) breaker.failed('throw', 0)
  return breaker
}
