import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../seeded-random.ts'
import { hashKey } from '../key-hash.ts'
import { GhostQueue } from './ghost-queue.ts'

describe('A queue of ghosts', () => {
  it('forgets the oldest first, and what was taken is not there any more', () => {
    const ghosts = new GhostQueue()
    for (const hash of [1, 2, 3, 4]) ghosts.add(hash, 10)
    assert.equal(ghosts.take(2), true)
    assert.equal(ghosts.take(2), false)
    ghosts.shrinkTo(20)
    assert.deepEqual(
      [1, 2, 3, 4].map((hash) => ghosts.has(hash)),
      [false, false, true, true],
    )
    assert.deepEqual([ghosts.size, ghosts.weight], [2, 20])
  })

  it('becomes the newest when it is added again', () => {
    const ghosts = new GhostQueue()
    for (const hash of [1, 2, 1]) ghosts.add(hash, 1)
    ghosts.forgetOldest()
    assert.deepEqual([ghosts.has(1), ghosts.has(2), ghosts.size], [true, false, 1])
  })

  it('remembers weights of 0, and hashes that are negative', () => {
    const ghosts = new GhostQueue()
    ghosts.add(-5, 0)
    assert.equal(ghosts.has(-5), true)
    ghosts.forgetOldest()
    assert.deepEqual([ghosts.has(-5), ghosts.size], [false, 0])
  })

  it('agrees with a map after every one of many random operations', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const random = seededRandom(seed)
      const ghosts = new GhostQueue()
      const model = new Map<number, number>()
      const keys = 20 + Math.floor(random() * 500)
      for (let step = 0; step < 4000; step++) {
        // Few hashes that differ in their low bits, so that they collide in the table.
        const hash = hashKey(`${Math.floor(random() * keys)}`) & ~0x3e
        if (random() < 0.6) {
          model.delete(hash)
          model.set(hash, step)
          ghosts.add(hash, step)
        } else if (random() < 0.7) assert.equal(ghosts.take(hash), model.delete(hash))
        else {
          for (const [oldest] of model) {
            model.delete(oldest)
            break
          }
          ghosts.forgetOldest()
        }
        assert.equal(ghosts.size, model.size)
        const probe = hashKey(`${Math.floor(random() * keys)}`) & ~0x3e
        assert.equal(ghosts.has(probe), model.has(probe))
      }
      let weight = 0
      for (const one of model.values()) weight += one
      assert.equal(ghosts.weight, weight)
    }
  })
})
