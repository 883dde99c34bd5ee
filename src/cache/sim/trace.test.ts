import assert from 'node:assert/strict'
import { test } from 'node:test'
import { factsOf, TraceBuilder } from './trace.ts'

const built = (requests: readonly (readonly [string, number?])[], builder = new TraceBuilder()) => {
  for (const [key, bytes] of requests) builder.add(key, bytes)
  return builder.build()
}

test('objects are numbered in the order of their first request', () => {
  const { requests, sizes, hasSizes, share } = built([['b'], ['a'], ['b'], ['c']])
  assert.deepEqual([...requests], [0, 1, 0, 2])
  assert.deepEqual([...sizes], [1, 1, 1])
  assert.deepEqual([hasSizes, share], [false, 1])
})

test('an object is as large as the largest that was seen with it', () => {
  const { sizes, hasSizes } = built([['a', 10], ['b'], ['a', 700], ['a', 20], ['c', 5]])
  assert.deepEqual([...sizes], [700, 0, 5])
  assert.equal(hasSizes, true)
})

test('the facts of a trace count objects once and requests each time', () => {
  const trace = built([
    ['a', 100],
    ['b', 10],
    ['a', 100],
    ['c', 1],
  ])
  assert.deepEqual(factsOf(trace), {
    requests: 4,
    distinct: 3,
    requestedOnce: 2,
    bytes: 111,
    requestBytes: 211,
    hitRatioMax: 0.25,
  })
})

test('a hundred thousand keys that look alike are as many objects', () => {
  const builder = new TraceBuilder()
  for (let round = 0; round < 2; round += 1)
    for (let i = 0; i < 100_000; i += 1) builder.add(`example.org/page/${i}?x=${i % 7}`)
  assert.equal(factsOf(builder.build()).distinct, 100_000)
})

test('a sample has all requests of an object or none', () => {
  const builder = new TraceBuilder({ share: 0.25 })
  for (let round = 0; round < 3; round += 1) for (let i = 0; i < 4000; i += 1) builder.add(`page/${i}`, i)
  const trace = builder.build()
  assert.equal(trace.requestsSeen, 12_000)
  assert.equal(trace.requests.length, trace.sizes.length * 3)
  assert.ok(Math.abs(trace.sizes.length - 1000) < 120, `${trace.sizes.length} of 4000 objects`)
  assert.deepEqual(trace.requests.slice(0, trace.sizes.length), trace.requests.slice(trace.sizes.length * 2))
})

test('a trace that turns out to be long is what it would be had its share been known', () => {
  const add = (builder: TraceBuilder) => {
    for (let i = 0; i < 30_000; i += 1) builder.add(`page/${(i * i) % 7919}`, (i * i) % 7919)
    return builder.build()
  }
  const bounded = add(new TraceBuilder({ requestsMax: 25_000, sampleMax: 5000 }))
  assert.ok(bounded.requests.length <= 5000)
  assert.ok(bounded.requests.length > 1000)
  assert.ok(bounded.share < 1)
  assert.deepEqual(bounded, add(new TraceBuilder({ share: bounded.share })))
})

test('a trace of one object is never sampled away', () => {
  const builder = new TraceBuilder({ requestsMax: 10 })
  for (let i = 0; i < 100; i += 1) builder.add('only')
  const { requests, share } = builder.build()
  assert.deepEqual([requests.length, share], [100, 1])
})
