import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from './seeded-random.ts'
import { Cache, ENTRY_OVERHEAD_BYTES, type CacheOptions } from './index.ts'

/** Room for `count` entries of a one-character key and `bytes` bytes each. */
const roomFor = (count: number, bytes: number) => count * (ENTRY_OVERHEAD_BYTES + 1 + bytes)

describe('Cache', () => {
  it('gives back what was stored, and nothing for what was not', () => {
    const cache = new Cache<string>({ bytesMax: 10_000 })
    assert.equal(cache.set('a', 'apple', 5), true)
    assert.equal(cache.get('a'), 'apple')
    assert.equal(cache.get('b'), undefined)
    assert.equal(cache.size, 1)
    assert.equal(cache.weight, ENTRY_OVERHEAD_BYTES + 1 + 5)
  })

  it('parts with the least recently used entry first', () => {
    const evicted: string[] = []
    const cache = new Cache<number>({
      policy: 'lru',
      bytesMax: roomFor(3, 10),
      onEvict: (_, key) => evicted.push(key),
    })
    for (const key of ['a', 'b', 'c']) cache.set(key, 1, 10)
    cache.get('a')
    cache.set('d', 1, 10)
    cache.set('e', 1, 10)
    assert.deepEqual(evicted, ['b', 'c'])
    assert.equal(cache.counters.evicted, 2)
  })

  it('does not count a peek as use', () => {
    const cache = new Cache<number>({ policy: 'lru', bytesMax: roomFor(2, 10) })
    cache.set('a', 1, 10)
    cache.set('b', 2, 10)
    assert.equal(cache.peek('a'), 1)
    cache.set('c', 3, 10)
    assert.equal(cache.peek('a'), undefined)
  })

  it('counts the key and an overhead, so that empty values are not free', () => {
    const cache = new Cache<null>({ bytesMax: 100_000 })
    for (let i = 0; i < 10_000; i++) cache.set(`key ${i}`, null, 0)
    assert.ok(cache.size < 100_000 / ENTRY_OVERHEAD_BYTES)
    assert.ok(cache.weight <= 100_000)
  })

  it('refuses what takes more than its share, and forgets what the key held before', () => {
    const cache = new Cache<string>({ bytesMax: 10_000, shareMax: 0.1 })
    assert.equal(cache.set('a', 'old', 500), true)
    assert.equal(cache.set('a', 'new', 1000), false)
    assert.equal(cache.get('a'), undefined)
    assert.equal(cache.weight, 0)
    assert.equal(cache.counters.refused.size, 1)
  })

  it('refuses a weight that is not a number of bytes', () => {
    const cache = new Cache<string>({ bytesMax: 10_000 })
    assert.equal(cache.set('a', 'x', Number.NaN), false)
    assert.equal(cache.set('a', 'x', -1), false)
    assert.equal(cache.weight, 0)
  })

  it('counts an entry that was replaced once, at its new weight', () => {
    const cache = new Cache<number>({ bytesMax: 10_000 })
    cache.set('a', 1, 100)
    cache.set('a', 2, 7)
    assert.equal(cache.weight, ENTRY_OVERHEAD_BYTES + 1 + 7)
    assert.equal(cache.size, 1)
  })

  it('survives an eviction callback that deletes and stores', () => {
    const options: CacheOptions<number> = {
      policy: 'lru',
      bytesMax: roomFor(4, 10),
      onEvict: (_, key) => {
        cache.delete('b')
        if (key === 'a') cache.set('e', 99, 10)
      },
    }
    const cache = new Cache<number>(options)
    for (const key of ['a', 'b', 'c', 'd']) cache.set(key, 1, 10)
    cache.set('e', 5, 10)
    assert.equal(cache.peek('e'), 5)
    assert.equal(cache.peek('b'), undefined)
    assert.equal(cache.weight, roomFor(cache.size, 10))
    assert.ok(cache.weight <= cache.weightMax)
  })

  it('is empty and usable after it was cleared', () => {
    const cache = new Cache<number>({ policy: 'lru', bytesMax: roomFor(2, 10) })
    cache.set('a', 1, 10)
    cache.set('b', 1, 10)
    cache.clear()
    assert.deepEqual([cache.size, cache.weight], [0, 0])
    for (const key of ['c', 'd', 'e']) cache.set(key, 1, 10)
    assert.deepEqual([cache.peek('c'), cache.peek('d'), cache.peek('e')], [undefined, 1, 1])
  })

  it('bound by entries counts them and nothing else', () => {
    const cache = new Cache<string>({ entriesMax: 2, policy: 'fifo' })
    for (const key of ['a', 'b', 'c']) assert.equal(cache.set(key, key, 1e9), true)
    assert.deepEqual([cache.size, cache.weight, cache.peek('a')], [2, 2, undefined])
  })

  it('bound by bare bytes adds nothing to what it is told', () => {
    const cache = new Cache<string>({ bareBytesMax: 10, shareMax: 1, policy: 'fifo' })
    cache.set('a', 'a', 4)
    cache.set('b', 'b', 6)
    assert.deepEqual([cache.size, cache.weight], [2, 10])
  })

  it('refuses what is larger than the limit for one entry, however much room there is', () => {
    const cache = new Cache<string>({ bytesMax: 1_000_000, entryBytesMax: 1000 })
    assert.equal(cache.set('a', 'x', 1000), false)
    assert.equal(cache.set('a', 'x', 1000 - ENTRY_OVERHEAD_BYTES - 1), true)
  })

  it('of size 0 holds nothing and answers all the same', () => {
    for (const bound of [{ bytesMax: 0 }, { entriesMax: 0 }, { bareBytesMax: 0 }]) {
      const cache = new Cache<string>(bound)
      assert.equal(cache.set('a', 'x', 1), false)
      assert.equal(cache.get('a'), undefined)
    }
  })

  it('counts hits, misses, what it stored, parted with and refused, and how old that was', () => {
    let nowMs = 5000
    const cache = new Cache<number>({
      entriesMax: 1,
      admission: { admits: (_, bytes) => bytes < 10 },
      nowMs: () => nowMs,
    })
    cache.set('a', 1, 1)
    nowMs += 3000
    cache.set('b', 1, 1)
    cache.set('c', 1, 10)
    cache.set('d', 1, -1)
    cache.get('a')
    cache.get('b')
    cache.get('b')
    const { evictedAges, ...counts } = cache.counters
    assert.deepEqual(counts, {
      hits: 2,
      misses: 1,
      stored: 2,
      evicted: 1,
      refused: { size: 1, admission: 1 },
    })
    assert.equal(evictedAges.mean, 3)
    assert.deepEqual(evictedAges.buckets.slice(0, 4), [0, 0, 1, 0])
  })

  it('asks the admission for new keys only, and tells who would have to leave only when the room is full', () => {
    const asked: [bytes: number, isFull: boolean][] = []
    const cache = new Cache<number>({
      entriesMax: 2,
      admission: {
        admits: (_, bytes, victim) => {
          asked.push([bytes, victim() !== undefined])
          return true
        },
      },
    })
    cache.set('a', 1, 1)
    cache.set('a', 2, 2)
    cache.set('b', 1, 3)
    cache.set('c', 1, 4)
    assert.deepEqual(asked, [
      [1, false],
      [3, false],
      [4, true],
    ])
  })

  it('hands each value that leaves to onRemove once, whether it was evicted, replaced, deleted or cleared', () => {
    const removed: number[] = []
    const cache = new Cache<number>({
      entriesMax: 2,
      policy: 'fifo',
      onRemove: (value) => removed.push(value),
    })
    cache.set('a', 1)
    cache.set('a', 2)
    cache.set('b', 3)
    cache.set('c', 4)
    cache.delete('b')
    cache.clear()
    assert.deepEqual(removed, [1, 2, 3, 4])
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

describe('Cache against a naive model', () => {
  it('agrees after every one of many random operations', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const dice = seededRandom(seed)
      const random = (bound: number) => Math.floor(dice() * bound)
      const bytesMax = 500 + random(5000)
      const cache = new Cache<number>({ policy: 'lru', bytesMax, shareMax: 0.6 })
      const model = new NaiveCache({ bytesMax, entryBytesMax: cache.entryWeightMax })
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
        assert.equal(cache.weight, model.bytes, told)
        assert.equal(cache.size, model.entries.length, told)
      }
    }
  })
})
