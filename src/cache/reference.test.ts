/**
 * The policies, as the node runs them, against the hit counts that other implementations reach on two public traces.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Admission } from '../contract/admission.ts'
import { BloomFilter } from './admission/bloom-filter.ts'
import { SecondSight } from './admission/second-sight.ts'
import { readReference, readTrace, type ReferenceRun } from './cache.support.ts'
import { seededRandom } from './seeded-random.ts'
import { Cache, type PolicyName } from './index.ts'

/** Names in the reference of what must come out exactly. */
const EXACT = {
  FIFO: 'fifo',
  LRU: 'lru',
  LFU: 'plain-lfu',
  GDSF: 'gdsf',
  CLOCK: 'clock',
  SIEVE: 'sieve',
  'S3-FIFO': 's3-fifo',
  ARC: 'arc',
} as const

const DEFAULT_POLICY = new Cache({ entriesMax: 1 }).policyName

const { traces } = readReference()
const requestsOf = new Map(traces.map(({ name }) => [name, readTrace(name)]))

function hitsOf(
  trace: string,
  run: ReferenceRun,
  policy: PolicyName,
  admission?: Admission,
  seed = 1,
): number {
  const bound =
    run.mode === 'objects' ? { entriesMax: run.capacity } : { bareBytesMax: run.capacity, shareMax: 1 }
  const cache = new Cache<true>({
    ...bound,
    policy,
    random: seededRandom(seed),
    ...(admission && { admission }),
  })
  for (const { key, bytes } of requestsOf.get(trace)!) if (!cache.get(key)) cache.set(key, true, bytes)
  return cache.counters.hits
}

/** Lets in what it has seen before, for ever. */
class SecondExact implements Admission {
  readonly #seen = new Set<number>()
  admits(hash: number): boolean {
    if (this.#seen.has(hash)) return true
    this.#seen.add(hash)
    return false
  }
}

/** The same by one Bloom filter that is large enough for all. */
class SecondBloom implements Admission {
  readonly #seen: BloomFilter
  constructor(keys: number) {
    this.#seen = new BloomFilter(keys)
  }
  admits(hash: number): boolean {
    return !this.#seen.add(hash)
  }
}

/** Two exact generations, each of so many keys. */
class SecondRotating implements Admission {
  #current = new Set<number>()
  #old = new Set<number>()
  readonly #keys: number
  constructor(keys: number) {
    this.#keys = keys
  }
  admits(hash: number): boolean {
    const isKnown = this.#current.has(hash) || this.#old.has(hash)
    this.#current.add(hash)
    if (this.#current.size >= this.#keys) {
      this.#old = this.#current
      this.#current = new Set()
    }
    return isKnown
  }
}

for (const { name, requests, distinct, runs } of traces) {
  const isWithin = (hits: number, ratio: number, points: number, told: string) =>
    assert.ok(Math.abs(hits / requests - ratio) <= points / 100, `${told}: ${hits / requests}, not ${ratio}`)

  describe(`On the trace ${name}`, () => {
    for (const run of runs.filter(({ filter }) => filter === 'none')) {
      const size = `${run.capacity} ${run.mode === 'objects' ? 'entries' : 'bytes'}`

      it(`FIFO, LRU, LFU, GDSF, CLOCK, SIEVE, S3-FIFO and ARC of ${size} hit exactly as often as the reference`, () => {
        for (const [theirs, ours] of Object.entries(EXACT)) {
          assert.equal(hitsOf(name, run, ours), run.policies[theirs]!.hits, theirs)
        }
      })

      it(`random of ${size} hits as often as the reference on the average`, () => {
        const seeds = [1, 2, 3]
        const hits = seeds.reduce((sum, seed) => sum + hitsOf(name, run, 'random', undefined, seed), 0)
        isWithin(hits / seeds.length, run.policies['RANDOM']!.hitRatio, 0.5, 'random')
      })

      it(`the default policy of ${size} hits at least as often as S3-FIFO of the reference`, () => {
        assert.ok(hitsOf(name, run, DEFAULT_POLICY) >= run.policies['S3-FIFO']!.hits!)
      })

      if (run.mode === 'objects') {
        it(`W-TinyLFU of ${size} hits as often as the reference within two points`, () => {
          isWithin(hitsOf(name, run, 'w-tinylfu'), run.policies['W-TinyLFU']!.hitRatio, 2, 'w-tinylfu')
        })
      }
    }

    const smallest = runs[0]!.capacity
    for (const run of runs.filter(({ mode }) => mode === 'objects')) {
      const { filter, policies, capacity } = run
      // The Bloom filter is the same at every size.
      if (filter === 'none' || (filter === 'second-bloom1pct' && capacity !== smallest)) continue
      const admission = (): Admission => {
        if (filter === 'second-exact') return new SecondExact()
        if (filter === 'second-bloom1pct') return new SecondBloom(distinct)
        return new SecondRotating(4 * capacity)
      }

      it(`behind the filter ${filter} every policy of ${capacity} entries hits as often as the reference`, () => {
        for (const [theirs, ours] of Object.entries(EXACT)) {
          const hits = hitsOf(name, run, ours, admission())
          const told: string = `${theirs} behind ${filter}`
          if (filter === 'second-bloom1pct') isWithin(hits, policies[theirs]!.hitRatio, 0.1, told)
          else assert.equal(hits, policies[theirs]!.hits, told)
        }
        isWithin(hitsOf(name, run, 'w-tinylfu', admission()), policies['W-TinyLFU']!.hitRatio, 2, 'w-tinylfu')
      })

      if (filter === 'second-rotating' && capacity !== smallest) {
        it(`second sight by rotating Bloom filters in front of ${capacity} entries is within half a point of two exact generations`, () => {
          for (const [theirs, ours] of Object.entries(EXACT)) {
            const hits = hitsOf(name, run, ours, new SecondSight({ keys: 4 * capacity }))
            isWithin(hits, policies[theirs]!.hitRatio, 0.5, theirs)
          }
        })
      }
    }
  })
}
