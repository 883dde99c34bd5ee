import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CoreTimes, coreTimes, CoreWatch, lossBetween } from './core-time.ts'

const STAT = `cpu  300 0 60 1000 40 0 20 80 7 0
cpu0 200 0 40 400 20 0 10 30 7 0
cpu2 100 0 20 600 20 0 10 50 0 0
intr 1 2 3
`

test('what a core says of itself is read by its number, and what runs for guests is not counted twice', () => {
  const { toldMs, ranMs } = coreTimes(STAT)
  assert.deepEqual([toldMs[0], toldMs[1], toldMs[2]], [7000, undefined, 8000])
  assert.deepEqual([ranMs[0], ranMs[1], ranMs[2]], [2500, undefined, 1300])
})

const at = (atMs: number, toldMs: number[], ranMs: number[]): CoreTimes => ({ atMs, toldMs, ranMs })

test('a core that falls behind the clock lost time; one that tells what it did lost none', () => {
  const from = at(1000, [5000, 5000], [100, 100])
  const to = at(1500, [5100, 5495], [180, 300])
  // Told 100 of 500 ms: all but what is inexact is lost.
  assert.deepEqual(lossBetween(from, to, [0]), { lostMs: 370, ranMs: 110 })
  assert.deepEqual(lossBetween(from, to, [1]), { lostMs: 0, ranMs: 230 })
  assert.deepEqual(lossBetween(from, to, [0, 1, 0]), { lostMs: 370, ranMs: 340 })
})

test('where a core tells nothing, nothing is known to be lost', () => {
  const nothing = coreTimes('')
  assert.deepEqual(lossBetween(nothing, nothing, [0]), { lostMs: 0, ranMs: Infinity })
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
