import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FrequencySketch } from './frequency-sketch.ts'
import { hashKey } from './key-hash.ts'

describe('A frequency sketch', () => {
  it('never tells less than what was seen, up to 15, and seldom more', () => {
    const sketch = new FrequencySketch()
    sketch.fit(1000)
    for (let i = 0; i < 500; i++) for (let seen = 0; seen < i % 8; seen++) sketch.add(hashKey(`key ${i}`))
    let tooMuch = 0
    for (let i = 0; i < 500; i++) {
      const estimate = sketch.estimate(hashKey(`key ${i}`))
      assert.ok(estimate >= i % 8, `key ${i}: ${estimate}`)
      if (estimate > i % 8) tooMuch++
    }
    assert.ok(tooMuch < 25, `${tooMuch} of 500`)
    for (let i = 0; i < 100; i++) sketch.add(hashKey('often'))
    assert.equal(sketch.estimate(hashKey('often')), 15)
  })

  it('halves what it knows after ten sights for each key', () => {
    const sketch = new FrequencySketch()
    sketch.fit(100)
    for (let i = 0; i < 12; i++) sketch.add(hashKey('old'))
    for (let i = 0; i < 1100; i++) sketch.add(hashKey(`other ${i}`))
    assert.ok(sketch.estimate(hashKey('old')) < 12)
  })

  it('keeps what it knows when it grows', () => {
    const sketch = new FrequencySketch()
    for (let i = 0; i < 9; i++) sketch.add(hashKey('known'))
    sketch.fit(100_000)
    assert.equal(sketch.estimate(hashKey('known')), 9)
    assert.equal(sketch.estimate(hashKey('unknown')), 0)
  })
})
