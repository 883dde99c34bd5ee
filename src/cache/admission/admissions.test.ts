import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../seeded-random.ts'
import { Cache } from '../index.ts'
import { hashKey } from '../key-hash.ts'
import { ADMISSION_NAMES } from './admissions.ts'
import { BloomFilter } from './bloom-filter.ts'
import { SecondSight } from './second-sight.ts'
import { SizeProbability } from './size-probability.ts'
import { TinyLfu } from './tiny-lfu.ts'

describe('A Bloom filter', () => {
  it('never forgets, and is wrong about one in a hundred when it is full', () => {
    const filter = new BloomFilter(10_000)
    for (let i = 0; i < 10_000; i++) filter.add(hashKey(`in ${i}`))
    for (let i = 0; i < 10_000; i++) assert.equal(filter.has(hashKey(`in ${i}`)), true)
    let wrong = 0
    for (let i = 0; i < 10_000; i++) if (filter.has(hashKey(`out ${i}`))) wrong++
    assert.ok(wrong > 20 && wrong < 200, `${wrong} of 10,000`)
  })
})

describe('Second sight', () => {
  it('lets in what is wanted for the second time', () => {
    const cache = new Cache<number>({ entriesMax: 10, admission: 'second-sight' })
    assert.equal(cache.set('a', 1), false)
    assert.equal(cache.get('a'), undefined)
    assert.equal(cache.set('a', 1), true)
    assert.equal(cache.get('a'), 1)
    assert.equal(cache.counters.refused.admission, 1)
  })

  it('remembers a key for as many others as it was made for, and forgets it after twice as many', () => {
    const after = (others: number) => {
      const sight = new SecondSight({ keys: 100 })
      sight.admits(hashKey('a'))
      for (let i = 0; i < others; i++) sight.admits(hashKey(`other ${i}`))
      return sight.admits(hashKey('a'))
    }
    assert.equal(after(100), true)
    assert.equal(after(210), false)
  })

  it('remembers what is wanted again and again for as long as it is', () => {
    const sight = new SecondSight({ keys: 100 })
    sight.admits(hashKey('a'))
    for (let i = 0; i < 1000; i++) {
      sight.admits(hashKey(`other ${i}`))
      if (i % 80 === 79) assert.equal(sight.admits(hashKey('a')), true)
    }
  })
})

describe('TinyLFU', () => {
  it('lets everything in while there is room, and then only what is wanted more than what would have to leave', () => {
    const cache = new Cache<number>({ entriesMax: 2, policy: 'lru', admission: 'tinylfu' })
    cache.set('a', 1)
    cache.set('b', 1)
    for (let i = 0; i < 3; i++) for (const key of 'ab') cache.get(key)
    const tries = Array.from({ length: 6 }, () => cache.set('c', 1))
    assert.deepEqual(tries, [false, false, false, false, true, true])
    assert.equal(cache.peek('a'), undefined)
  })

  it('does not ask who would have to leave more than once', () => {
    let asked = 0
    new TinyLfu({ keys: 10 }).admits(1, 1, () => {
      asked++
      return 2
    })
    assert.equal(asked, 1)
  })
})

describe('Probability by size', () => {
  it('lets in e^(-bytes/c) of what comes', () => {
    const admission = new SizeProbability({ bytes: 1000, random: seededRandom(1) })
    for (const bytes of [0, 100, 1000, 5000]) {
      let admitted = 0
      for (let i = 0; i < 20_000; i++) if (admission.admits(0, bytes)) admitted++
      assert.ok(Math.abs(admitted / 20_000 - Math.exp(-bytes / 1000)) < 0.02, `${bytes} bytes: ${admitted}`)
    }
    assert.equal(admission.admits(0, 1e9), false)
  })
})

describe('Each admission by its name', () => {
  for (const admission of ADMISSION_NAMES) {
    it(`${admission} leaves the cache as it should be, by bytes and by entries`, () => {
      for (const bound of [{ bytesMax: 100_000 }, { entriesMax: 100 }]) {
        const random = seededRandom(1)
        const cache = new Cache<number>({ ...bound, admission, random })
        for (let i = 0; i < 5000; i++) {
          const key = `key ${Math.floor(random() ** 3 * 500)}`
          if (cache.get(key) === undefined) cache.set(key, i, Math.floor(random() * 1000))
          assert.ok(cache.weight <= cache.weightMax)
        }
        assert.ok(cache.counters.hits > 1000, `${cache.counters.hits}`)
        assert.equal(cache.counters.refused.admission === 0, admission === 'all')
      }
    })
  }
})
