import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ADMISSION_NAMES, POLICY_NAMES } from '../../cache/index.ts'
import { request, response, Rig } from './caching.support.ts'

const FRESH = { 'cache-control': 'max-age=600' }
const VARYING = { ...FRESH, vary: 'accept-language' }
const LANGUAGES = ['pt', 'en', 'fr', 'de', 'it']

function randomFrom(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

describe('What stands on the shelf', () => {
  for (const policy of POLICY_NAMES) {
    it(`can be found by its address, whatever ${policy} parts with`, () => {
      for (const admission of ADMISSION_NAMES) {
        for (let seed = 1; seed <= 4; seed++) {
          const told = `${policy} ${admission} ${seed}`
          const random = randomFrom(seed)
          const rig = new Rig(30_000, 10_000, { policy, admission })
          const keys = Array.from({ length: 12 }, (_, i) => `example.org/${i}`)
          let hits = 0
          for (let step = 0; step < 600; step++) {
            const at = Math.min(random(12), random(12))
            const language = LANGUAGES[random(LANGUAGES.length)]!
            const head = request({ 'accept-language': language })
            const found = rig.lookup(head, keys[at])
            const body = `${at} ${at < 6 ? language : ''} ${'x'.repeat(((at * 7919) % 3) * 900)}`
            if (found.kind === 'hit') {
              hits++
              assert.equal(found.entry.body.bytes.toString(), body, told)
            } else rig.fetch(response(at < 6 ? VARYING : FRESH), head, body, keys[at])
            if (random(40) === 0) rig.nowMs += 400_000
            assert.ok(rig.cache.counters.bytes <= 30_000, told)
          }
          assert.ok(hits > 50, `${told}: only ${hits} hits`)
          for (const key of keys) rig.cache.invalidate(key)
          const { entries, bytes } = rig.cache.counters
          assert.deepEqual({ entries, bytes }, { entries: 0, bytes: 0 }, told)
        }
      }
    })
  }

  it('is admitted by what it is, not by the place it gets: a variant comes in when it is wanted twice', () => {
    const rig = new Rig(1_000_000, 100_000, { admission: 'second-sight' })
    for (const language of ['pt', 'en', 'fr']) {
      const head = request({ 'accept-language': language })
      assert.equal(rig.fetch(response(VARYING), head), false)
      assert.equal(rig.fetch(response(VARYING), head), true)
      rig.hit(head)
    }
    assert.equal(rig.cache.counters.refused.admission, 3)
  })
})
