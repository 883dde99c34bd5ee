import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TopObjects } from './top-objects.ts'

/** Numbers from 0 to below 1 that are the same each time (mulberry32). */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function hit(top: TopObjects, key: string, bytes = 1): void {
  if (top.isDue()) top.note(key, bytes, 0, 60_000)
}

test('all hits are counted where all are asked for', () => {
  const top = new TopObjects(1, dice(1))
  for (let i = 0; i < 30; i++) hit(top, 'often', 10)
  for (let i = 0; i < 3; i++) hit(top, 'rarely')
  assert.deepEqual(top.list(1, 10_000), [
    { key: 'often', hits: 30, excess: 0, bytes: 300, ageSeconds: 10, ttlSeconds: 50 },
  ])
  assert.equal(top.list(10, 0).length, 2)
})

test('a share of the hits, seen for all of them, is close', () => {
  const top = new TopObjects(0.05, dice(2))
  for (let i = 0; i < 100_000; i++) hit(top, i % 4 === 0 ? 'a' : 'b')
  const [b, a] = top.list(2, 0)
  assert.deepEqual([b!.key, a!.key], ['b', 'a'])
  assert.ok(Math.abs(b!.hits - 75_000) < 7500, String(b!.hits))
  assert.ok(Math.abs(a!.hits - 25_000) < 2500, String(a!.hits))
})

test('none is counted where none is asked for', () => {
  const top = new TopObjects(0, dice(3))
  for (let i = 0; i < 1000; i++) hit(top, 'a')
  assert.deepEqual(top.list(10, 0), [])
})

test('a flood of keys takes no more room, and does not push out what is wanted', () => {
  const top = new TopObjects(1, dice(4))
  for (let i = 0; i < 200_000; i++) hit(top, i % 50 === 0 ? 'wanted' : `once/${i}`)
  const [first] = top.list(1, 0)
  assert.equal(first!.key, 'wanted')
  assert.ok(first!.hits >= 4000 && first!.hits - first!.excess <= 4000, JSON.stringify(first))
  assert.equal(top.list(10_000, 0).length, 512)
})

test('a key of 64 KiB is kept in part', () => {
  const top = new TopObjects(1, dice(5))
  hit(top, 'k'.repeat(65_536))
  assert.equal(top.list(1, 0)[0]!.key.length, 4096)
})
