import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it, test } from 'node:test'
import { MemoryFile } from '../../../base/memory-file.ts'
import { headerValue } from '../../../wire/http1/message.ts'
import { at, KEY, NOW, request, response, Rig, SECOND, type Fields } from '../caching.support.ts'
import { StoredBody } from '../stored-body.ts'
import type { StoredResponse } from '../stored-response.ts'
import { extentsOf } from './extents.ts'
import { JoinedBytes } from './joined-bytes.ts'
import { objectKeyOf, partialKey, rangeKey, sliceKey } from './part-keys.ts'

const OBJECT = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz')
const FRESH = { 'cache-control': 'max-age=60', etag: '"one"', date: at(NOW) }

interface Part {
  readonly fields?: Fields
  readonly kind?: 'slice' | 'range'
  readonly key?: string
  readonly object?: Buffer
  readonly size?: number
}

/** Fetches bytes from `start` to before `end` into the cache; true where they are kept. */
function fetchPart(rig: Rig, start: number, end: number, part: Part = {}): boolean {
  const { fields = FRESH, kind = 'range', object = OBJECT, size = object.length } = part
  const key = part.key ?? rangeKey(KEY, `${start}-${end - 1}`)
  const fill = rig.lead(request(), key)
  fill.part = { kind, objectKey: KEY }
  fill.begin(response({ ...fields, 'content-range': `bytes ${start}-${end - 1}/${size}` }, 206), rig.nowMs)
  fill.append(object.subarray(start, end))
  return fill.finish(rig.nowMs) !== undefined
}

function storedPart(rig: Rig): StoredResponse | undefined {
  const found = rig.cache.lookupPart(partialKey(KEY), request(), rig.nowMs)
  return found.kind === 'hit' || found.kind === 'stale' ? found.entry : undefined
}

/** What is stored of the object, as `start-end:bytes`. */
function extents(rig: Rig): string {
  const entry = storedPart(rig)
  if (entry === undefined) return 'none'
  return extentsOf(entry)!
    .extents.map(
      ({ start, end, bodyAt }) =>
        `${start}-${end}:${entry.body.read(bodyAt, bodyAt + end - start).toString('latin1')}`,
    )
    .join(' ')
}

describe('parts of one object', () => {
  it('RFC 9111 §3.3: a part is not an answer to who asks for the whole', () => {
    const rig = new Rig()
    assert.equal(fetchPart(rig, 2, 5), true)
    assert.equal(rig.lookup().kind, 'miss')
    assert.equal(extents(rig), '2-5:234')
    assert.equal(storedPart(rig)!.status, 206)
  })

  it('RFC 9111 §3.4: those of one strong validator are put together', () => {
    const rig = new Rig()
    fetchPart(rig, 2, 5)
    fetchPart(rig, 8, 10)
    assert.equal(extents(rig), '2-5:234 8-10:89')
    fetchPart(rig, 5, 8)
    assert.equal(extents(rig), '2-10:23456789')
    fetchPart(rig, 4, 12)
    fetchPart(rig, 0, 1)
    assert.equal(extents(rig), '0-1:0 2-12:23456789ab')
    assert.equal(rig.cache.counters.entries, 1)
  })

  it('RFC 9111 §3.4: the newest says how long they are fresh, and what else is in the head', () => {
    const rig = new Rig()
    fetchPart(rig, 2, 5, { fields: { ...FRESH, 'x-version': '1', 'x-only': 'first' } })
    rig.nowMs += 50 * SECOND
    fetchPart(rig, 5, 8, { fields: { ...FRESH, date: at(rig.nowMs), 'x-version': '2' } })
    rig.nowMs += 50 * SECOND
    assert.equal(rig.cache.lookupPart(partialKey(KEY), request(), rig.nowMs).kind, 'hit')
    const { headers } = storedPart(rig)!
    assert.equal(headerValue(headers, 'x-version'), '2')
    assert.equal(headerValue(headers, 'x-only'), 'first')
  })

  it('RFC 9111 §3.4: once none is missing they are the object, as if it had come whole', () => {
    const rig = new Rig()
    fetchPart(rig, 10, 36)
    fetchPart(rig, 0, 4)
    fetchPart(rig, 3, 12)
    const { entry } = rig.hit()
    assert.equal(entry.status, 200)
    assert.equal(entry.reason, 'OK')
    assert.deepEqual(entry.body.bytes, OBJECT)
    assert.equal(headerValue(entry.headers, 'content-range'), undefined)
    assert.equal(headerValue(entry.headers, 'content-length'), '36')
    assert.equal(extents(rig), 'none')
    assert.equal(rig.cache.counters.entries, 1)
  })

  it('a part that is all of it is the object at once', () => {
    for (const kind of ['slice', 'range'] as const) {
      const rig = new Rig()
      assert.equal(fetchPart(rig, 0, 36, { kind, key: sliceKey(KEY, 0) }), true)
      assert.equal(rig.hit().entry.status, 200)
      assert.equal(rig.cache.counters.entries, 1)
    }
  })

  it('one of another validator takes the place of all before it', () => {
    const rig = new Rig()
    fetchPart(rig, 2, 5)
    fetchPart(rig, 8, 10, { fields: { ...FRESH, etag: '"two"' } })
    assert.equal(extents(rig), '8-10:89')
    // So does one of another size, whatever its tag says.
    fetchPart(rig, 2, 5, { fields: { ...FRESH, etag: '"two"' }, size: 40 })
    assert.equal(extents(rig), '2-5:234')
  })

  it('a part of another version takes the place of a stale object', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH))
    rig.nowMs += 100 * SECOND
    fetchPart(rig, 2, 5)
    assert.equal(rig.lookup().kind, 'stale')
    fetchPart(rig, 2, 5, { fields: { ...FRESH, date: at(rig.nowMs), etag: '"two"' } })
    assert.equal(rig.lookup().kind, 'miss')
  })

  it('an object that comes whole takes the place of its parts', () => {
    const rig = new Rig()
    fetchPart(rig, 2, 5)
    fetchPart(rig, 0, 10, { kind: 'slice', key: sliceKey(KEY, 0) })
    rig.fetch(response(FRESH))
    assert.equal(rig.cache.counters.entries, 1)
  })

  it('RFC 9111 §3.3: without a strong validator none is stored', () => {
    const weak: Fields[] = [
      { etag: 'W/"one"' },
      { 'last-modified': at(NOW), date: at(NOW) },
      { etag: 'W/"one"', 'last-modified': at(NOW - 5000 * SECOND) },
    ]
    for (const fields of weak) {
      const rig = new Rig()
      assert.equal(fetchPart(rig, 2, 5, { fields: { 'cache-control': 'max-age=60', ...fields } }), false)
      assert.equal(rig.cache.counters.entries, 0)
    }
    const rig = new Rig()
    const dated = { 'cache-control': 'max-age=60', 'last-modified': at(NOW - 5 * SECOND), date: at(NOW) }
    assert.equal(fetchPart(rig, 2, 5, { fields: dated }), true)
  })

  it('what does not have the length that it says is not stored', () => {
    const rig = new Rig()
    const fill = rig.lead(request(), rangeKey(KEY, '0-9'))
    fill.part = { kind: 'range', objectKey: KEY }
    fill.begin(response({ ...FRESH, 'content-range': 'bytes 0-9/36' }, 206), NOW)
    fill.append(OBJECT.subarray(0, 9))
    assert.equal(fill.finish(NOW), undefined)
    assert.equal(rig.cache.counters.entries, 0)
  })

  it('a 206 that nobody fetched as a part is never stored', () => {
    const rig = new Rig()
    assert.equal(rig.fetch(response({ ...FRESH, 'content-range': 'bytes 0-3/4' }, 206)), false)
    assert.equal(rig.cache.counters.entries, 0)
  })

  it('what is for one person, or not to be stored, is not stored in parts either', () => {
    for (const control of ['private, max-age=60', 'no-store']) {
      const rig = new Rig()
      assert.equal(fetchPart(rig, 2, 5, { fields: { ...FRESH, 'cache-control': control } }), false)
    }
  })

  it('goes with its object, and so does what is being fetched for it', () => {
    const rig = new Rig()
    fetchPart(rig, 2, 5)
    for (const index of [0, 1]) {
      const start = index * 10
      assert.equal(fetchPart(rig, start, start + 10, { kind: 'slice', key: sliceKey(KEY, index) }), true)
    }
    const varied = { kind: 'slice', key: sliceKey(KEY, 2), fields: { ...FRESH, vary: 'x-a' } } as const
    assert.equal(fetchPart(rig, 20, 30, varied), true)
    const fill = rig.lead(request(), sliceKey(KEY, 3))
    assert.equal(rig.cache.invalidate(KEY), true)
    assert.equal(rig.cache.counters.entries, 0)
    assert.equal(rig.cache.counters.bytes, 0)
    assert.equal(fill.refused, 'invalidated')
    assert.equal(rig.cache.invalidate(KEY), false)
  })

  it('is bounded: of many extents the smallest go, and an object beyond the limit grows no more', () => {
    const object = randomBytes(10_000)
    const rig = new Rig()
    fetchPart(rig, 9_000, 9_001, { object })
    for (let i = 0; i < 40; i++) fetchPart(rig, i * 100, i * 100 + 50, { object })
    const known = extentsOf(storedPart(rig)!)!
    assert.equal(known.extents.length, 32)
    assert.ok(known.extents.every(({ start, end }) => end - start === 50 && start !== 9_000))
    for (const { start, end, bodyAt } of known.extents)
      assert.deepEqual(storedPart(rig)!.body.read(bodyAt, bodyAt + end - start), object.subarray(start, end))
    const small = new Rig(1_000_000, 100)
    assert.equal(fetchPart(small, 0, 90, { object }), true)
    assert.equal(fetchPart(small, 90, 190, { object }), false)
  })

  it('in any order, with any overlap, is byte for byte the object, and closes every file', () => {
    const object = randomBytes(1024 * 1024 + 17)
    const before = MemoryFile.count
    const rig = new Rig(64_000_000, 8_000_000)
    let seed = 7
    const next = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
    for (let i = 0; i < 400 && rig.lookup().kind === 'miss'; i++) {
      const start = Math.max(0, next(object.length + 100_000) - 100_000)
      const end = Math.min(object.length, start + 1 + next(300_000))
      assert.equal(fetchPart(rig, start, end, { object }), true)
      const entry = storedPart(rig)
      if (entry === undefined) continue
      for (const extent of extentsOf(entry)!.extents) {
        const bytes = entry.body.read(extent.bodyAt, extent.bodyAt + extent.end - extent.start)
        assert.ok(bytes.equals(object.subarray(extent.start, extent.end)), `seed at ${i}`)
      }
    }
    assert.ok(rig.hit().entry.body.bytes.equals(object))
    rig.cache.clear()
    assert.equal(MemoryFile.count, before)
  })
})

test('joined bytes are read across their pieces, and hold them until they are closed', () => {
  const one = new StoredBody(Buffer.from('hello'))
  const two = new StoredBody(Buffer.from('world'))
  const body = new StoredBody(
    new JoinedBytes([
      { body: one, start: 1, end: 5 },
      { body: two, start: 0, end: 4 },
    ]),
  )
  assert.equal(body.length, 8)
  assert.equal(body.read(0, 8).toString(), 'elloworl')
  assert.equal(body.read(3, 5).toString(), 'ow')
  assert.equal(body.bytes.toString(), 'elloworl')
  assert.equal(body.read(4, 100).toString(), 'worl')
  assert.equal(body.read(8, 8).length, 0)
  assert.equal(body.memoryBytes, 10)
})

test('the key of a part leads to that of its object', () => {
  for (const key of [partialKey(KEY), sliceKey(KEY, 12), rangeKey(KEY, '0-9'), KEY])
    assert.equal(objectKeyOf(key), KEY)
})
