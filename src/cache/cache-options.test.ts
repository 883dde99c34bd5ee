import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cache, createAdmission, createPolicy } from './index.ts'

const BYTES = { bytesMax: 1_000_000 }

for (const [options, expected] of [
  [undefined, 'a cache is made with options such as { bytesMax: 64_000_000 }, not undefined'],
  [{}, 'a cache is bound by one of bytesMax, bareBytesMax, entriesMax; there is none'],
  [
    { bytesMax: 1, entriesMax: 1 },
    'a cache is bound by one of bytesMax, bareBytesMax, entriesMax; there are bytesMax and entriesMax',
  ],
  [{ bytesMax: undefined }, 'bytesMax: expected a number from 0, not undefined'],
  [{ bytesMax: Number.NaN }, 'bytesMax: expected a number from 0, not NaN'],
  [{ bytesMax: '10mb' }, 'bytesMax: expected a number from 0, not "10mb"'],
  [{ entriesMax: -1 }, 'entriesMax: expected a number from 0, not -1'],
  [{ entriesMax: 10n }, 'entriesMax: expected a number from 0, not 10'],
  [{ ...BYTES, shareMax: 1.5 }, 'shareMax: expected a number from 0 to 1, not 1.5'],
  [{ ...BYTES, entryBytesMax: Number.NaN }, 'entryBytesMax: expected a number from 0, not NaN'],
  [{ maxEntries: 10 }, /^maxEntries: a cache has no such option \(known: bytesMax/],
  [
    { entriesmax: 10 },
    /^entriesmax: a cache has no such option; did you mean entriesMax\? \(known: bytesMax/,
  ],
  [{ ...BYTES, policy: 's3fifo' }, /, not "s3fifo"; did you mean s3-fifo\?$/],
  [{ ...BYTES, size: 3 }, /^size: a cache has no such option \(known: bytesMax, bareBytesMax, entriesMax, /],
  [{ ...BYTES, onEvict: 'log' }, 'onEvict: expected a function, not "log"'],
  [
    { ...BYTES, policy: 'LRU' },
    'policy: expected one of lru, lfu, plain-lfu, fifo, random, clock, sieve, s3-fifo, arc, w-tinylfu, gdsf, not "LRU"; did you mean lru?',
  ],
  [{ ...BYTES, policy: 'constructor' }, /^policy: expected one of .*, not "constructor"$/],
  [
    { ...BYTES, admission: 'most' },
    'admission: expected one of all, second-sight, tinylfu, size-probability, not "most"',
  ],
  [{ ...BYTES, admission: {} }, /^admission: expected one of /],
] as const) {
  test(`a cache of a wrong option says what would be right: ${expected}`, () => {
    assert.throws(() => new Cache(options as never), {
      message: expected,
    })
  })
}

test('a policy and an admission that nobody knows are named, with all there are', () => {
  const options = { capacity: 1, random: Math.random }
  assert.throws(() => createPolicy('toString' as never, options), /^RangeError: policy: .*"toString"$/)
  assert.throws(
    () => createAdmission('toString' as never, { keys: 1, bytes: 1, random: Math.random }),
    /^RangeError: admission: .*"toString"$/,
  )
})

test('a cache without bounds can be had with every admission, and remembers a bounded number of keys', () => {
  for (const admission of ['all', 'second-sight', 'tinylfu', 'size-probability'] as const) {
    const cache = new Cache<number>({ bytesMax: Infinity, admission })
    cache.set('a', 1, 1)
    cache.set('a', 1, 1)
    assert.equal(cache.get('a'), 1, admission)
  }
})
