/** The tier on disk as responses see it, while what they give to it is on its way. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DiskObject, DiskTier } from '../../contract/disk-tier.ts'
import { groupTag } from '../../contract/purge.ts'
import { request, response, Rig } from './caching.support.ts'
import type { IncomingResponse } from './stored-response.ts'

const KEY = 'https://example.org/a'
const TAGGED = { 'cache-control': 'max-age=60', 'cache-tag': 'front' }
const GROUPED = { 'cache-control': 'max-age=60', 'cache-groups': '"g"' }

/** A disk that has not written anything yet. */
class LateDisk implements DiskTier {
  readonly objectBytesMax = 1_000_000
  readonly counters = { hits: 0, misses: 0, writes: 0, refused: 0, errors: 0 }
  readonly #puts: (() => void)[] = []

  /** Of the last object that was given to it. */
  meta: Buffer | undefined

  find: DiskTier['find'] = () => undefined
  admits = () => true
  openBody = () => undefined
  remove = () => {}
  drop = () => {}
  put: DiskTier['put'] = ({ meta }, done) => {
    this.meta = meta
    this.#puts.push(() => done(undefined))
  }

  refuseAll(): void {
    for (const refuse of this.#puts.splice(0)) refuse()
  }
}

describe('what is on its way to the disk', () => {
  for (const [name, scope] of Object.entries({
    URL: { urls: [KEY] },
    prefix: { prefixes: ['https://example.org/'] },
    tag: { tags: ['front'] },
    everything: {},
  })) {
    for (const soft of [false, true]) {
      it(`is not found fresh any more once it was purged by ${name}${soft ? ', softly' : ''}`, () => {
        const disk = new LateDisk()
        const rig = new Rig(1_000_000, 100_000, { disk })
        assert.ok(rig.fetch(response(TAGGED), request(), 'old', KEY))
        rig.cache.purge({ ...scope, soft }, 1, rig.nowMs)
        assert.equal(rig.lookup(request(), KEY).kind, soft ? 'stale' : 'miss')
        disk.refuseAll()
        assert.equal(rig.lookup(request(), KEY).kind, soft ? 'stale' : 'miss')
      })
    }
  }

  it('is found where a purge means something else, also of another variant', () => {
    const rig = new Rig(1_000_000, 100_000, { disk: new LateDisk() })
    const varied = { ...TAGGED, vary: 'x-part' }
    rig.fetch(response(varied), request({ 'x-part': '1' }), 'one', KEY)
    rig.fetch(response({ ...varied, 'cache-tag': 'back' }), request({ 'x-part': '2' }), 'two', KEY)
    rig.cache.purge({ tags: ['front'], soft: false }, 1, rig.nowMs)
    assert.equal(rig.lookup(request({ 'x-part': '1' }), KEY).kind, 'miss')
    assert.equal(rig.lookup(request({ 'x-part': '2' }), KEY).kind, 'hit')
  })
})

it('what a write made out of date by its groups is not read from the disk before that has heard of it', () => {
  const stored: DiskObject = { ...storedOf(response(GROUPED)), file: undefined, isSoft: false }
  const disk = new LateDisk()
  const rig = new Rig(1_000_000, 100_000, { disk })
  disk.find = () => stored
  rig.cache.invalidateTags([groupTag('https://example.org', 'g')], rig.nowMs)
  assert.equal(rig.lookup(request(), KEY).kind, 'miss')
  disk.find = () => undefined
  rig.cache.purge({ tags: [groupTag('https://example.org', 'g')], soft: false }, 1, rig.nowMs)
  disk.find = () => stored
  assert.equal(rig.lookup(request(), KEY).kind, 'hit', 'what bears the tag on the disk now is from after it')
})

function storedOf(incoming: IncomingResponse): Pick<DiskObject, 'meta' | 'open'> {
  const disk = new LateDisk()
  new Rig(1_000_000, 100_000, { disk }).fetch(incoming, request(), 'old', KEY)
  return { meta: disk.meta!, open: () => Buffer.from('old') }
}
