import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ByteCache, ENTRY_OVERHEAD_BYTES, type ByteCacheOptions } from './index.ts'

/** Room for `count` entries of a one-character key and `bytes` bytes each. */
const roomFor = (count: number, bytes: number) => count * (ENTRY_OVERHEAD_BYTES + 1 + bytes)

describe('ByteCache', () => {
  it('gives back what was stored, and nothing for what was not', () => {
    const cache = new ByteCache<string>({ bytesMax: 10_000 })
    assert.equal(cache.set('a', 'apple', 5), true)
    assert.equal(cache.get('a'), 'apple')
    assert.equal(cache.get('b'), undefined)
    assert.equal(cache.size, 1)
    assert.equal(cache.bytes, ENTRY_OVERHEAD_BYTES + 1 + 5)
  })

  it('parts with the least recently used entry first', () => {
    const evicted: string[] = []
    const cache = new ByteCache<number>({ bytesMax: roomFor(3, 10), onEvict: (_, key) => evicted.push(key) })
    for (const key of ['a', 'b', 'c']) cache.set(key, 1, 10)
    cache.get('a')
    cache.set('d', 1, 10)
    cache.set('e', 1, 10)
    assert.deepEqual(evicted, ['b', 'c'])
    assert.equal(cache.counters.evicted, 2)
  })

  it('does not count a peek as use', () => {
    const cache = new ByteCache<number>({ bytesMax: roomFor(2, 10) })
    cache.set('a', 1, 10)
    cache.set('b', 2, 10)
    assert.equal(cache.peek('a'), 1)
    cache.set('c', 3, 10)
    assert.equal(cache.peek('a'), undefined)
  })

  it('counts the key and an overhead, so that empty values are not free', () => {
    const cache = new ByteCache<null>({ bytesMax: 100_000 })
    for (let i = 0; i < 10_000; i++) cache.set(`key ${i}`, null, 0)
    assert.ok(cache.size < 100_000 / ENTRY_OVERHEAD_BYTES)
    assert.ok(cache.bytes <= 100_000)
  })

  it('refuses what takes more than its share, and forgets what the key held before', () => {
    const cache = new ByteCache<string>({ bytesMax: 10_000, shareMax: 0.1 })
    assert.equal(cache.set('a', 'old', 500), true)
    assert.equal(cache.set('a', 'new', 1000), false)
    assert.equal(cache.get('a'), undefined)
    assert.equal(cache.bytes, 0)
    assert.equal(cache.counters.refused, 1)
  })

  it('refuses a weight that is not a number of bytes', () => {
    const cache = new ByteCache<string>({ bytesMax: 10_000 })
    assert.equal(cache.set('a', 'x', Number.NaN), false)
    assert.equal(cache.set('a', 'x', -1), false)
    assert.equal(cache.bytes, 0)
  })

  it('counts an entry that was replaced once, at its new weight', () => {
    const cache = new ByteCache<number>({ bytesMax: 10_000 })
    cache.set('a', 1, 100)
    cache.set('a', 2, 7)
    assert.equal(cache.bytes, ENTRY_OVERHEAD_BYTES + 1 + 7)
    assert.equal(cache.size, 1)
  })

  it('survives an eviction callback that deletes and stores', () => {
    const options: ByteCacheOptions<number> = {
      bytesMax: roomFor(4, 10),
      onEvict: (_, key) => {
        cache.delete('b')
        if (key === 'a') cache.set('e', 99, 10)
      },
    }
    const cache = new ByteCache<number>(options)
    for (const key of ['a', 'b', 'c', 'd']) cache.set(key, 1, 10)
    cache.set('e', 5, 10)
    assert.equal(cache.peek('e'), 5)
    assert.equal(cache.peek('b'), undefined)
    assert.equal(cache.bytes, roomFor(cache.size, 10))
    assert.ok(cache.bytes <= cache.bytesMax)
  })

  it('is empty and usable after it was cleared', () => {
    const cache = new ByteCache<number>({ bytesMax: roomFor(2, 10) })
    cache.set('a', 1, 10)
    cache.set('b', 1, 10)
    cache.clear()
    assert.deepEqual([cache.size, cache.bytes], [0, 0])
    for (const key of ['c', 'd', 'e']) cache.set(key, 1, 10)
    assert.deepEqual([cache.peek('c'), cache.peek('d'), cache.peek('e')], [undefined, 1, 1])
  })
})

/** The same thing, written so that it cannot be wrong: an array in order of use. */
class NaiveCache {
  entries: { key: string; value: number; weight: number }[] = []
  constructor(limits: { bytesMax: number; entryBytesMax: number }) {
    this.limits = limits
  }
  limits: { bytesMax: number; entryBytesMax: number }
  get bytes(): number {
    return this.entries.reduce((sum, { weight }) => sum + weight, 0)
  }
  get(key: string): number | undefined {
    const found = this.entries.find((entry) => entry.key === key)
    if (found === undefined) return undefined
    this.entries = [...this.entries.filter((entry) => entry !== found), found]
    return found.value
  }
  set(key: string, value: number, bytes: number): boolean {
    this.delete(key)
    const weight = bytes + key.length + ENTRY_OVERHEAD_BYTES
    if (weight > this.limits.entryBytesMax) return false
    this.entries.push({ key, value, weight })
    while (this.bytes > this.limits.bytesMax) this.entries.shift()
    return true
  }
  delete(key: string): boolean {
    const before = this.entries.length
    this.entries = this.entries.filter((entry) => entry.key !== key)
    return this.entries.length < before
  }
}

/** Numbers from 0 to below `bound` that only depend on the seed. */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

describe('ByteCache against a naive model', () => {
  it('agrees after every one of many random operations', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = randomFrom(seed)
      const bytesMax = 500 + random(5000)
      const cache = new ByteCache<number>({ bytesMax, shareMax: 0.6 })
      const model = new NaiveCache({ bytesMax, entryBytesMax: cache.entryBytesMax })
      for (let step = 0; step < 500; step++) {
        const key = 'k'.repeat(1 + random(20))
        const told = `seed ${seed} step ${step}`
        switch (random(8)) {
          case 0:
            assert.equal(cache.delete(key), model.delete(key), told)
            break
          case 1:
          case 2:
          case 3: {
            const bytes = random(700)
            assert.equal(cache.set(key, step, bytes), model.set(key, step, bytes), told)
            break
          }
          default:
            assert.equal(cache.get(key), model.get(key), told)
        }
        assert.equal(cache.bytes, model.bytes, told)
        assert.equal(cache.size, model.entries.length, told)
      }
    }
  })
})
