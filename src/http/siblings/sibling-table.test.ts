import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SiblingTable } from './sibling-table.ts'

const WORDS = 64

const tables = (words = new Int32Array(WORDS)) => [0, 1, 2].map((worker) => new SiblingTable(words, worker))

describe('the table of siblings', () => {
  it('gives an answer to the first who claims it, and shows that one to the others', () => {
    const [a, b] = tables()
    const place = a!.place('x')
    assert.equal(a!.claim(place), undefined)
    const seen = b!.claim(b!.place('x'))
    assert.deepEqual([seen?.worker, seen?.state], [0, 'flying'])
    a!.settle(place, true)
    assert.equal(b!.claim(place)?.state, 'has')
  })

  it('forgets what will not be stored', () => {
    const [a, b] = tables()
    const place = a!.place('x')
    a!.claim(place)
    a!.settle(place, false)
    assert.equal(b!.claim(place), undefined)
  })

  it('lets one of those who find nothing take over, and only one', () => {
    const [a, b, c] = tables()
    const place = a!.place('x')
    a!.claim(place)
    a!.settle(place, true)
    const seen = [b!.claim(place)!, c!.claim(place)!]
    assert.deepEqual([b!.takeOver(place, seen[0]!), c!.takeOver(place, seen[1]!)], [true, false])
    assert.equal(c!.claim(place)?.worker, 1)
    // What the first one says of it now is too late.
    a!.settle(place, false)
    assert.equal(c!.claim(place)?.worker, 1)
  })

  it('claims anew what it has itself: it was evicted, or has become stale', () => {
    const [a, b] = tables()
    const place = a!.place('x')
    a!.claim(place)
    a!.settle(place, true)
    assert.equal(a!.claim(place), undefined)
    assert.equal(b!.claim(place)?.state, 'flying')
  })

  it('makes room in a full bucket at the cost of what is stored, never of a flight', () => {
    const [a, b] = tables(new Int32Array(8))
    const places = Array.from({ length: 8 }, (_, n) => a!.place(`flying ${n}`))
    for (const place of places) assert.equal(a!.claim(place), undefined)
    const late = b!.place('late')
    assert.equal(b!.claim(late), undefined, 'it is fetched without a word')
    for (const place of places) assert.equal(b!.claim(place)?.state, 'flying')
    a!.settle(places[3]!, true)
    assert.equal(b!.claim(late), undefined)
    assert.equal(a!.claim(late)?.worker, 1)
  })

  it('holds nothing of a worker that starts', () => {
    const words = new Int32Array(WORDS)
    const [a, b] = tables(words)
    for (const text of ['x', 'y']) a!.claim(a!.place(text))
    b!.claim(b!.place('z'))
    new SiblingTable(words, 0).forget()
    assert.equal(b!.claim(b!.place('x')), undefined)
    assert.equal(a!.claim(a!.place('z'))?.worker, 1)
  })

  it('spreads places over its buckets, and tells them apart', () => {
    const [a] = tables(new Int32Array(2 ** 12))
    const places = Array.from({ length: 2000 }, (_, n) => a!.place(`https://example.org/page/${n}`))
    assert.ok(new Set(places.map(({ bucket }) => bucket)).size > 400)
    assert.ok(new Set(places.map(({ bucket, tag }) => `${bucket} ${tag}`)).size === 2000)
  })
})
