import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CoreTimes, coreTimes, CoreWatch, lostBetween } from './core-time.ts'

const STAT = `cpu  300 0 60 1000 40 0 20 80 7 0
cpu0 200 0 40 400 20 0 10 30 7 0
cpu2 100 0 20 600 20 0 10 50 0 0
intr 1 2 3
`

test('what a core says of itself is read by its number, and what runs for guests is not counted twice', () => {
  const { toldMs } = coreTimes(STAT)
  assert.deepEqual([toldMs[0], toldMs[1], toldMs[2]], [7000, undefined, 8000])
})

test('a core that falls behind the clock lost time; one that tells what it did lost none', () => {
  const from: CoreTimes = { atMs: 1000, toldMs: [5000, 5000] }
  const to: CoreTimes = { atMs: 1500, toldMs: [5100, 5495] }
  // Told 100 of 500 ms: all but what is inexact is lost.
  assert.equal(lostBetween(from, to, [0]), 370)
  assert.equal(lostBetween(from, to, [1]), 0)
  assert.equal(lostBetween(from, to, [0, 1, 0]), 370)
})

test('where a core tells nothing, nothing is known to be lost', () => {
  const zeros = 'cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n'
  for (const text of ['', zeros]) {
    const from = coreTimes(text)
    assert.equal(lostBetween(from, { ...from, atMs: from.atMs + 1e6 }, [0]), 0, text)
  }
})

test('the cores of this machine tell more as time passes, and are looked at now and then', () => {
  const watch = new CoreWatch()
  const first = watch.latest
  assert.ok(first.toldMs.length > 0)
  watch.look(first.atMs + 50)
  assert.equal(watch.latest, first)
  watch.look(first.atMs + 150)
  assert.notEqual(watch.latest, first)
})
