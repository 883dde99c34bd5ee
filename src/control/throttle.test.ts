import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Throttle } from './throttle.ts'

function stand() {
  let now = 0
  const throttle = new Throttle(() => now)
  /** Guesses until it has to wait; how many were looked at. */
  const guess = (address: string, most = 1000) => {
    for (let count = 0; count < most; count += 1) {
      if (throttle.waitMs(address, `guess ${count}`) > 0) return count
      throttle.wrong(address)
    }
    return most
  }
  return { throttle, guess, pass: (ms: number) => (now += ms) }
}

test('an address that guesses has to wait, ever again, and others do not', () => {
  const { throttle, guess, pass } = stand()
  assert.equal(guess('192.0.2.1'), 10)
  assert.equal(throttle.waitMs('192.0.2.1', 'x'), 6000)
  assert.equal(throttle.waitMs('192.0.2.2', 'x'), 0)
  pass(6000)
  assert.equal(guess('192.0.2.1'), 1)
  pass(3_600_000)
  assert.equal(guess('192.0.2.1'), 10)
})

test('a token that was right from an address goes on there while another one is guessed', () => {
  const { throttle, guess } = stand()
  throttle.right('127.0.0.1', 'good')
  guess('127.0.0.1')
  assert.equal(throttle.waitMs('127.0.0.1', 'good'), 0)
  assert.ok(throttle.waitMs('127.0.0.1', 'other') > 0)
  // From elsewhere it is nothing yet.
  guess('192.0.2.1')
  assert.ok(throttle.waitMs('192.0.2.1', 'good') > 0)
})

test('the addresses of one customer count as one, however they are written', () => {
  const { throttle, guess } = stand()
  guess('2001:db8:1:2::7')
  assert.ok(throttle.waitMs('2001:db8:1:2:ffff::1', 'x') > 0)
  assert.equal(throttle.waitMs('2001:db8:1:3::7', 'x'), 0)
  guess('::ffff:192.0.2.9')
  assert.ok(throttle.waitMs('192.0.2.9', 'x') > 0)
})

test('a flood of addresses is forgotten, the oldest first, and costs no more memory', () => {
  const { throttle, guess } = stand()
  guess('192.0.2.1')
  for (let at = 0; at < 10_000; at += 1) throttle.wrong(`10.0.${at >> 8}.${at & 255}`)
  assert.equal(throttle.waitMs('192.0.2.1', 'x'), 0)
})

test('of guesses from ten thousand addresses some are written down, and the rest are counted', () => {
  const { throttle, pass } = stand()
  let written = 0
  for (let address = 0; address < 10_000; address += 1) {
    throttle.wrong(`10.0.${address >> 8}.${address & 255}`)
    if (throttle.takeNote() !== undefined) written += 1
  }
  assert.equal(written, 100)
  pass(10_000)
  assert.equal(throttle.takeNote(), 9_900)
  assert.equal(throttle.takeNote(), undefined)
  pass(86_400_000)
  assert.equal(throttle.takeNote(), 1)
})
