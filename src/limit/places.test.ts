import assert from 'node:assert/strict'
import { test } from 'node:test'
import { laid, randomFrom } from './limits.support.ts'
import { asked, cameIn, chosen, IDENTITY, moveToNewest, oldest, PLACES } from './places.ts'

const placesOf = (order: number): number[] =>
  Array.from({ length: PLACES }, (_, i) => (order >>> (4 * i)) & 15)

test('an order is all eight places, the one that was asked for last in front', () => {
  const random = randomFrom(1)
  let order = IDENTITY
  let expected = placesOf(order)
  for (let i = 0; i < 10_000; i++) {
    const place = random(PLACES)
    order = moveToNewest(order, place)
    expected = [place, ...expected.filter((other) => other !== place)]
    assert.deepEqual(placesOf(order), expected)
    assert.equal(oldest(order), expected.at(-1))
  }
})

test('a choice ends whatever the marks are, and leaves an order of all places', () => {
  const random = randomFrom(2)
  for (let i = 0; i < 10_000; i++) {
    let order = IDENTITY
    for (let n = 0; n < 20; n++) order = moveToNewest(order, random(PLACES))
    const choice = chosen(order, random(2 ** 24))
    assert.deepEqual(placesOf(choice.order).toSorted(), [0, 1, 2, 3, 4, 5, 6, 7])
    assert.ok(choice.place >= 0 && choice.place < PLACES)
  }
})

test('who is on trial and was not asked for again goes first; who was, stays', () => {
  // Place 7 is the oldest and was asked for, place 6 was not, the others have proved themselves.
  let marks = 0
  for (const place of [0, 1, 2, 3, 4, 5]) marks = cameIn(marks, place, true)
  marks = asked(marks, 7)
  const choice = chosen(IDENTITY, marks)
  assert.equal(choice.place, 6)
  // Place 7 needs no trial any more.
  const next = chosen(moveToNewest(choice.order, 6), cameIn(choice.marks, 6, true))
  assert.equal(next.place, 5)
})

test('a flood of keys that come once does not push out those that come often, as it does with lru', () => {
  const found = (replacement: 's3-fifo' | 'lru') => {
    const { limiter } = laid({ replacement, keysMax: 512, count: 1_000_000, windowMs: 3_600_000 })
    const often = Array.from({ length: 200 }, (_, i) => `often ${i}`)
    for (let round = 0; round < 3; round++) for (const key of often) limiter.take(key, 1, 1000)
    for (let i = 0; i < 20_000; i++) limiter.take(`once ${i}`, 1, 1000)
    // A key that was pushed out is known by cells that others share, and the flood has raised those.
    return often.filter((key) => limiter.take(key, 0, 1000).remaining === 1_000_000 - 3).length
  }
  assert.ok(found('s3-fifo') >= 190, `${found('s3-fifo')} of 200`)
  assert.ok(found('lru') <= 10, `${found('lru')} of 200`)
})
