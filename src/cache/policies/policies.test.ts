/** Every policy against what all of them promise, and each against what its paper says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cache } from '../index.ts'
import { seededRandom } from '../seeded-random.ts'
import { POLICY_NAMES, type PolicyName } from './policies.ts'
import { testPolicy } from './policy.contract.ts'

for (const name of POLICY_NAMES) testPolicy(name)

/** A cache of so many entries, and the keys that leave it. */
function full(policy: PolicyName, entriesMax: number, seed = 1) {
  const gone: string[] = []
  const cache = new Cache<number>({
    policy,
    entriesMax,
    random: seededRandom(seed),
    onEvict: (_, key) => gone.push(key),
  })
  const ask = (keys: string) => {
    for (const key of keys) if (cache.get(key) === undefined) cache.set(key, 1)
  }
  return { cache, gone, ask }
}

describe('FIFO', () => {
  it('parts with the first that came, used or not', () => {
    const { gone, ask } = full('fifo', 3)
    ask('abcaaade')
    assert.deepEqual(gone, ['a', 'b'])
  })
})

describe('LRU', () => {
  it('parts with what was not used for longest', () => {
    const { gone, ask } = full('lru', 3)
    ask('abcade')
    assert.deepEqual(gone, ['b', 'c'])
  })

  it('treats what replaces a value as a use', () => {
    const { cache, gone, ask } = full('lru', 2)
    ask('ab')
    cache.set('a', 2)
    ask('c')
    assert.deepEqual(gone, ['b'])
  })
})

describe('LFU', () => {
  it('plain, parts with the least used, and of several with the one used longest ago', () => {
    const { gone, ask } = full('plain-lfu', 3)
    ask('aabbccbd')
    assert.deepEqual(gone, ['a'])
    ask('e')
    assert.deepEqual(gone, ['a', 'd'])
  })

  it('plain, never forgets what was wanted once; with ageing it does', () => {
    const past = 'a'.repeat(50)
    const present = 'bcdefg'.repeat(60)
    for (const [policy, isForgotten] of [
      ['plain-lfu', false],
      ['lfu', true],
    ] as const) {
      const { cache, ask } = full(policy, 4)
      ask(past)
      ask(present)
      assert.equal(cache.peek('a') === undefined, isForgotten, policy)
    }
  })
})

describe('Random', () => {
  it('parts with the ones that the dice name, the same ones for the same dice', () => {
    const run = (seed: number) => {
      const { gone, ask } = full('random', 4, seed)
      ask('abcdefghijklmnop')
      return gone.join('')
    }
    assert.equal(run(1), run(1))
    assert.notEqual(run(1), run(2))
  })
})

describe('CLOCK', () => {
  it('gives a second chance to what was used, once for each time around', () => {
    const { gone, ask } = full('clock', 3)
    ask('abcad')
    assert.deepEqual(gone, ['b'])
    ask('ef')
    assert.deepEqual(gone, ['b', 'c', 'a'])
  })
})

describe('SIEVE', () => {
  // The figure of the paper: A, B and G were visited; the hand goes on from where it stopped.
  it('keeps what was visited where it is, and sweeps on from where it stopped', () => {
    const { gone, ask } = full('sieve', 7)
    ask('abcdefg')
    ask('abg')
    ask('h')
    assert.deepEqual(gone, ['c'])
    ask('adi')
    assert.deepEqual(gone, ['c', 'e'])
    ask('j')
    assert.deepEqual(gone, ['c', 'e', 'f'])
  })

  it('goes on at the next one when the entry under the hand is deleted', () => {
    const { cache, gone, ask } = full('sieve', 4)
    ask('abcdabe')
    assert.deepEqual(gone, ['c'])
    cache.delete('d')
    ask('f')
    ask('g')
    assert.deepEqual(gone, ['c', 'e'])
  })
})

describe('S3-FIFO', () => {
  it('lets what is asked for once pass through the small queue, and keeps the rest', () => {
    const { cache, ask } = full('s3-fifo', 100)
    const wanted = Array.from({ length: 80 }, (_, i) => String.fromCharCode(0x4e00 + i)).join('')
    for (let round = 0; round < 4; round++) ask(wanted)
    for (let i = 0; i < 1000; i++) ask(String.fromCharCode(0x6000 + i))
    assert.equal(Array.from(wanted).filter((key) => cache.peek(key) !== undefined).length, 80)
  })

  it('takes a ghost that comes back into the main queue at once', () => {
    const { cache, gone, ask } = full('s3-fifo', 10)
    ask('abcdefghijk')
    assert.deepEqual(gone, ['a'])
    ask('a')
    for (let i = 0; i < 9; i++) ask(String.fromCharCode(0x6000 + i))
    assert.equal(cache.peek('a'), 1)
  })

  it('parts with what was used in the main queue after three sweeps at most', () => {
    const { cache, ask } = full('s3-fifo', 10)
    ask('aaaaaaaaaa')
    for (let i = 0; i < 9; i++) ask(String.fromCharCode(0x6000 + i).repeat(5))
    assert.equal(cache.peek('a'), 1)
    for (let i = 9; i < 30; i++) ask(String.fromCharCode(0x6000 + i).repeat(5))
    assert.equal(cache.peek('a'), undefined)
  })
})

describe('ARC', () => {
  it('keeps what was used twice through a scan of any length', () => {
    const { cache, ask } = full('arc', 10)
    ask('abcdabcd')
    for (let i = 0; i < 500; i++) ask(String.fromCharCode(0x6000 + i))
    for (const key of 'abcd') assert.equal(cache.peek(key), 1)
  })

  it('leaves room to what is new when ghosts of it come back', () => {
    const { cache, ask } = full('arc', 4)
    ask('aabbccdd')
    ask('efgefg')
    assert.equal(cache.peek('e') === undefined && cache.peek('f') === undefined, false)
  })
})

describe('W-TinyLFU', () => {
  it('does not part with what is wanted often for what is asked for once', () => {
    const { cache, ask } = full('w-tinylfu', 100)
    const wanted = Array.from({ length: 90 }, (_, i) => String.fromCharCode(0x4e00 + i)).join('')
    for (let round = 0; round < 6; round++) ask(wanted)
    for (let i = 0; i < 300; i++) ask(String.fromCharCode(0x6000 + i))
    assert.ok(Array.from(wanted).filter((key) => cache.peek(key) !== undefined).length >= 88)
  })
})

describe('GDSF', () => {
  it('parts with one large thing sooner than with many small ones', () => {
    const gone: string[] = []
    const cache = new Cache<number>({
      bareBytesMax: 1000,
      policy: 'gdsf',
      onEvict: (_, key) => gone.push(key),
    })
    cache.set('large', 1, 500)
    for (let i = 0; i < 50; i++) cache.set(`small ${i}`, 1, 10)
    cache.get('large')
    cache.set('another', 1, 10)
    assert.deepEqual(gone, ['large'])
  })

  it('knows that an entry has grown', () => {
    const gone: string[] = []
    const cache = new Cache<number>({
      bareBytesMax: 1000,
      policy: 'gdsf',
      onEvict: (_, key) => gone.push(key),
    })
    cache.set('a', 1, 10)
    cache.set('b', 2, 400)
    cache.reweigh('a', 1, 500)
    cache.set('c', 3, 200)
    assert.deepEqual(gone, ['a'])
  })
})
