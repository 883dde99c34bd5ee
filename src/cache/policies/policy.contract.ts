/** What every policy does, in a cache bound by bytes and in one bound by entries. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../seeded-random.ts'
import { Cache, type CacheBound } from '../index.ts'
import type { PolicyName } from './policies.ts'

const BOUNDS: readonly (readonly [string, CacheBound])[] = [
  ['bytes', { bareBytesMax: 1000 }],
  ['entries', { entriesMax: 40 }],
]

export function testPolicy(policy: PolicyName): void {
  for (const [by, bound] of BOUNDS) {
    const create = (options: Partial<ConstructorParameters<typeof Cache<number>>[0]> = {}, seed = 1) =>
      new Cache<number>({ ...bound, policy, random: seededRandom(seed), ...options })

    describe(`The policy ${policy} by ${by}`, () => {
      it('keeps everything that there is room for', () => {
        const cache = create()
        for (let i = 0; i < 40; i++) cache.set(`key ${i}`, i, 25)
        for (let i = 0; i < 40; i++) assert.equal(cache.get(`key ${i}`), i)
        assert.equal(cache.counters.evicted, 0)
      })

      it('parts with as many as there is no room for, and each of them only once', () => {
        const gone: string[] = []
        const cache = create({ onEvict: (_, key) => gone.push(key) })
        for (let i = 0; i < 100; i++) cache.set(`key ${i}`, i, 25)
        assert.equal(cache.size, 40)
        assert.equal(new Set(gone).size, 60)
        for (const key of gone) assert.equal(cache.peek(key), undefined)
      })

      it('stays usable after everything was deleted or cleared', () => {
        const cache = create()
        for (let round = 0; round < 3; round++) {
          for (let i = 0; i < 100; i++) cache.set(`key ${i}`, i, 25)
          if (round === 1) cache.clear()
          else for (const key of Array.from(cache.keys())) cache.delete(key)
          assert.deepEqual([cache.size, cache.weight], [0, 0])
        }
        cache.set('last', 1, 25)
        assert.equal(cache.get('last'), 1)
      })

      it('parts with an entry after a sweep, however often it was read', () => {
        const cache = create()
        for (let i = 0; i < 40; i++) cache.set(`key ${i}`, i, 25)
        for (let round = 0; round < 20; round++) for (let i = 0; i < 40; i++) cache.get(`key ${i}`)
        cache.set('new', 1, 25)
        assert.equal(cache.size, 40)
        assert.equal(cache.peek('new'), 1)
      })

      it('lets onEvict store, delete, read and clear', () => {
        const random = seededRandom(7)
        let depth = 0
        const cache: Cache<number> = create({
          onEvict: () => {
            assert.ok(cache.weight <= cache.weightMax)
            if (depth > 3) return
            depth++
            const key = `key ${Math.floor(random() * 80)}`
            const what = random()
            if (what < 0.3) cache.delete(key)
            else if (what < 0.6) cache.set(key, 1, Math.floor(random() * 100))
            else if (what < 0.9) cache.get(key)
            else if (what < 0.91) cache.clear()
            depth--
          },
        })
        for (let i = 0; i < 5000; i++)
          cache.set(`key ${Math.floor(random() * 80)}`, i, Math.floor(random() * 100))
        assert.ok(cache.size > 0 && cache.weight <= cache.weightMax)
      })

      it('keeps the invariants through thousands of random calls', () => {
        for (let seed = 1; seed <= 12; seed++) check(create, seed)
      })
    })
  }
}

type Create = (options: { onEvict: (value: number, key: string) => void }, seed: number) => Cache<number>

/** A map is told of everything that comes and goes; the cache must hold exactly what it holds. */
function check(create: Create, seed: number): void {
  const held = new Map<string, { value: number; bytes: number }>()
  const random = seededRandom(seed)
  const cache = create(
    {
      onEvict: (value, key) => {
        assert.equal(held.get(key)?.value, value, 'what is evicted was held')
        held.delete(key)
      },
    },
    seed,
  )
  const weightOf = (bytes: number) => (cache.weightMax === 40 ? 1 : bytes)
  for (let step = 0; step < 1500; step++) {
    const told = `seed ${seed} step ${step}`
    const key = `key ${Math.floor(random() ** 2 * 120)}`
    const bytes = Math.floor(random() ** 3 * 600)
    const what = random()
    if (what < 0.45) {
      const isStored = setAs(cache, held, key, step, bytes)
      assert.equal(isStored, weightOf(bytes) <= cache.entryWeightMax, told)
    } else if (what < 0.55) {
      assert.equal(cache.delete(key), held.delete(key), told)
    } else if (what < 0.65) {
      const entry = held.get(key)
      const isFitting = entry !== undefined && weightOf(bytes) <= cache.entryWeightMax
      if (isFitting) entry.bytes = bytes
      const isHere = cache.reweigh(key, entry?.value ?? -1, bytes)
      assert.equal(isHere, isFitting && held.has(key), told)
    } else {
      assert.equal(cache.get(key), held.get(key)?.value, told)
    }
    assert.ok(cache.weight <= cache.weightMax, told)
    assert.equal(cache.size, held.size, told)
    let weight = 0
    for (const [heldKey, entry] of held) {
      weight += weightOf(entry.bytes)
      assert.equal(cache.peek(heldKey), entry.value, told)
    }
    assert.equal(cache.weight, weight, told)
  }
}

function setAs(
  cache: Cache<number>,
  held: Map<string, { value: number; bytes: number }>,
  key: string,
  value: number,
  bytes: number,
): boolean {
  const isStored = cache.set(key, value, bytes)
  if (isStored) held.set(key, { value, bytes })
  else held.delete(key)
  return isStored
}
