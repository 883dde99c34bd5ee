import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { MemoryFile } from '../../base/memory-file.ts'
import { BodyGathering, type BodyTrail, FILE_BYTES_MIN, type Room } from './body-gathering.ts'
import { KEY, NOW, request, response, Rig } from './caching.support.ts'

const FRESH = { 'cache-control': 'max-age=60' }
/** Small ones stand in Buffers, large ones move into a file on the way. */
const SMALL = 10_000
const LARGE = 3 * FILE_BYTES_MIN
const BYTES = Buffer.alloc(LARGE, randomBytes(10_007))

const filesBefore = MemoryFile.count
const files = () => MemoryFile.count - filesBefore

class CountedRoom implements Room {
  bytes = 0

  reserve(bytes: number): boolean {
    this.bytes += bytes
    return true
  }

  charge(bytes: number): void {
    this.bytes += bytes
  }

  release(bytes: number): void {
    this.bytes -= bytes
  }
}

/** One that has begun, and who reads behind it. */
function followed(length: number) {
  const room = new CountedRoom()
  const gathering = new BodyGathering(room, length, LARGE)
  const trail = gathering.follow()
  const append = (start: number, end: number) => assert.ok(gathering.append(BYTES.subarray(start, end)))
  return { room, gathering, trail, append }
}

/** All that is left, in pieces. */
function rest(trail: BodyTrail): Buffer {
  const pieces: Buffer[] = []
  while (trail.left > 0) pieces.push(trail.read(7000)!)
  return Buffer.concat(pieces)
}

describe('a trail', () => {
  for (const length of [SMALL, LARGE]) {
    it(`reads ${length} bytes behind those who append, from where it began`, () => {
      const room = new CountedRoom()
      const gathering = new BodyGathering(room, 0, LARGE)
      gathering.append(BYTES.subarray(0, 100))
      const trail = gathering.follow()
      assert.equal(trail.left, 0)
      const got: Buffer[] = []
      for (let at = 100; at < length; at += 9000) {
        gathering.append(BYTES.subarray(at, Math.min(length, at + 9000)))
        got.push(trail.read(5000)!)
      }
      got.push(rest(trail))
      assert.ok(Buffer.concat(got).equals(BYTES.subarray(100, length)))
      trail.close()
      gathering.discard()
      assert.deepEqual([room.bytes, files()], [0, 0])
    })

    it(`reads on after the ${length} bytes were discarded, which count until it is closed`, () => {
      const { room, gathering, trail, append } = followed(length)
      append(0, length)
      gathering.discard()
      assert.equal(room.bytes, length)
      assert.ok(rest(trail).equals(BYTES.subarray(0, length)))
      assert.equal(room.bytes, length)
      trail.close()
      trail.close()
      assert.deepEqual([trail.left, room.bytes, files()], [0, 0, 0])
    })

    it(`reads on after the ${length} bytes were taken, which count here while they stand on no shelf`, () => {
      const { room, gathering, trail, append } = followed(length)
      append(0, length)
      const body = gathering.take()
      assert.equal(room.bytes, length)
      body.shelve()
      body.release()
      assert.equal(room.bytes, 0)
      // As where a 304 refreshes it: another entry with the same body takes the place of the first.
      body.shelve()
      body.unshelve()
      assert.equal(room.bytes, 0)
      body.unshelve()
      assert.equal(room.bytes, length)
      assert.ok(rest(trail).equals(BYTES.subarray(0, length)))
      trail.close()
      assert.deepEqual([room.bytes, files()], [0, 0])
    })
  }

  it('that is closed leaves the body to the shelf, and no count', () => {
    const { room, gathering, trail, append } = followed(LARGE)
    append(0, LARGE)
    const body = gathering.take()
    body.shelve()
    body.release()
    trail.close()
    assert.ok(body.bytes.equals(BYTES))
    assert.equal(files(), 1)
    body.unshelve()
    assert.deepEqual([room.bytes, files()], [0, 0])
  })
})

describe('a fill that is slower to send than to fetch', () => {
  it('can be read where the cache refuses the rest of it', () => {
    const rig = new Rig()
    const fill = rig.lead()
    fill.begin(response(FRESH), NOW)
    const trail = fill.follow()!
    fill.append(Buffer.from('old'))
    rig.cache.invalidate(KEY)
    fill.append(Buffer.from('more'))
    assert.equal(fill.isFilling, false)
    assert.equal(rest(trail).toString(), 'old')
    trail.close()
  })

  it('goes at the pace of its client where nobody can wait for it', () => {
    const rig = new Rig()
    const alone = rig.lead(request({ 'cache-control': 'no-cache' }))
    alone.begin(response(FRESH), NOW)
    assert.equal(alone.follow(), undefined)
  })

  it('and so does one that is not stored', () => {
    const rig = new Rig()
    const fill = rig.lead()
    assert.equal(fill.follow(), undefined)
    fill.begin(response({ 'cache-control': 'private' }), NOW)
    assert.equal(fill.follow(), undefined)
  })

  it('takes, with all others that are behind, no more than the room for what is on its way', () => {
    // Three of them stand in the cache, and one more has room.
    const rig = new Rig(100_000, 40_000)
    const body = Buffer.alloc(30_000)
    const behind = Array.from({ length: 8 }, (_, i) => {
      const fill = rig.lead(request(), `${KEY}${i}`)
      fill.begin(response({ ...FRESH, 'content-length': String(body.length) }), NOW)
      const trail = fill.follow()!
      fill.append(body)
      fill.finish(NOW)
      return { fill, trail }
    })
    assert.deepEqual(
      behind.map(({ fill }) => fill.refused),
      [undefined, undefined, undefined, undefined, 'no-room', 'no-room', 'no-room', 'no-room'],
    )
    assert.equal(rig.cache.counters.entries, 3)
    // Emptying the cache does not make more room: those who are behind still read what stood there.
    rig.cache.clear()
    assert.equal(rig.fetch(response(FRESH), request(), 'small', 'other'), false)
    for (const { trail } of behind) trail.close()
    for (let i = 0; i < 20; i++)
      assert.equal(rig.fetch(response(FRESH), request(), 'x'.repeat(30_000), `k${i}`), true)
  })
})
