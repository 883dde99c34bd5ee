import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { MemoryFile } from '../../base/memory-file.ts'
import { at, Rig, KEY, NOW, request, response, SECOND, type Fields } from './caching.support.ts'
import type { CacheFill, Refreshed } from './fill.ts'

const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' }

describe('a fill', () => {
  it('stores the body in the pieces it came in, and keeps none of their memory', () => {
    const rig = new Rig()
    const fill = rig.lead()
    fill.begin(response(FRESH), NOW)
    const piece = Buffer.alloc(1000)
    for (let i = 0; i < 50; i++) fill.append(piece.fill(i))
    piece.fill(255)
    fill.finish(NOW)
    const body = rig.hit().entry.body.bytes
    assert.equal(body.length, 50_000)
    assert.equal(body.buffer.byteLength, 50_000)
    for (let i = 0; i < 50; i++)
      assert.ok(body.subarray(i * 1000, i * 1000 + 1000).every((byte) => byte === i))
  })

  it('keeps no slab of memory alive for a small body', () => {
    const rig = new Rig()
    rig.fetch(response({ ...FRESH, 'content-length': '4' }))
    assert.equal(rig.hit().entry.body.bytes.buffer.byteLength, 4)
  })

  it('puts nothing into the cache before it is finished', () => {
    const rig = new Rig()
    const fill = rig.lead()
    fill.begin(response({ ...FRESH, 'content-length': '4' }), NOW)
    fill.append(Buffer.from('body'))
    assert.equal(rig.lookup().kind, 'miss')
    fill.finish(NOW)
    assert.equal(rig.lookup().kind, 'hit')
  })

  const unfinished: [title: string, end: (fill: CacheFill) => void][] = [
    ['was abandoned', (fill) => fill.abandon()],
    ['is shorter than was said', (fill) => void fill.finish(NOW)],
    ['is longer than was said', (fill) => (fill.append(Buffer.from('bodybody')), fill.finish(NOW))],
  ]
  for (const [title, end] of unfinished) {
    it(`stores no body that ${title}, also when it is finished afterwards`, () => {
      const rig = new Rig()
      const fill = rig.lead()
      fill.begin(response({ ...FRESH, 'content-length': '6' }), NOW)
      fill.append(Buffer.from('body'))
      end(fill)
      assert.equal(fill.refused, 'incomplete')
      fill.append(Buffer.from('dy'))
      assert.equal(fill.finish(NOW), undefined)
      assert.equal(rig.lookup().kind, 'miss')
      assert.equal(rig.cache.counters.flights, 0)
    })
  }

  it('stores nothing where no head came', () => {
    const rig = new Rig()
    const fill = rig.lead()
    fill.append(Buffer.from('body'))
    assert.equal(fill.finish(NOW), undefined)
    assert.equal(rig.lookup().kind, 'miss')
  })

  it('takes the first head only', () => {
    const rig = new Rig()
    const fill = rig.lead()
    fill.begin(response({ 'cache-control': 'no-store' }), NOW)
    assert.deepEqual(fill.begin(response(FRESH), NOW), { store: false, reason: 'no-store' })
    fill.append(Buffer.from('body'))
    assert.equal(fill.finish(NOW), undefined)
  })

  it('gives up what is announced to be, or becomes, larger than one object may be', () => {
    const rig = new Rig(1_000_000, 1000)
    const told = rig.lead()
    const decision = told.begin(response({ ...FRESH, 'content-length': '1001' }), NOW)
    assert.deepEqual(decision, { store: false, reason: 'too-large' })
    const grown = rig.lead(request(), 'other')
    grown.begin(response(FRESH), NOW)
    grown.append(Buffer.alloc(1000))
    assert.equal(grown.refused, undefined)
    grown.append(Buffer.alloc(1))
    assert.equal(grown.refused, 'too-large')
    assert.equal(grown.finish(NOW), undefined)
    rig.fetch(response(FRESH), request(), 'x'.repeat(1000), 'just right')
    assert.equal(rig.lookup(request(), 'just right').kind, 'hit')
  })

  it('gives up where too many bodies are on their way, and leaves the room when it ends', () => {
    const rig = new Rig(100_000, 40_000)
    const fills = ['a', 'b'].map((key) => rig.lead(request(), key))
    for (const fill of fills) {
      fill.begin(response({ ...FRESH, 'content-length': '30000' }), NOW)
      fill.append(Buffer.alloc(30_000))
    }
    assert.deepEqual(
      fills.map((fill) => fill.refused),
      [undefined, 'no-room'],
    )
    fills[0]!.abandon()
    for (let i = 0; i < 20; i++)
      assert.equal(rig.fetch(response(FRESH), request(), 'x'.repeat(30_000), `k${i}`), true)
  })

  it('is not stored where a write passed by meanwhile: it may be from before it', () => {
    const rig = new Rig()
    const fill = rig.lead()
    fill.begin(response(FRESH), NOW)
    fill.append(Buffer.from('old'))
    rig.cache.invalidate(KEY)
    const after = rig.lead()
    assert.equal(fill.finish(NOW), undefined)
    assert.equal(fill.refused, 'invalidated')
    after.begin(response(FRESH), NOW)
    after.append(Buffer.from('new'))
    after.finish(NOW)
    assert.equal(rig.hit().entry.body.bytes.toString(), 'new')
  })
})

describe('a refresh (RFC 9111 §4.3)', () => {
  /** A stale response, and what becomes of it when the origin answers 304 with these fields. */
  function refreshed(fields: Fields, stored: Fields = {}): { rig: Rig; fill: CacheFill; result: Refreshed } {
    const rig = new Rig()
    rig.fetch(response({ ...FRESH, date: at(NOW), 'x-own': 'old', ...stored }))
    rig.nowMs += 100 * SECOND
    const found = rig.lookup()
    assert.ok(found.kind === 'stale')
    const fill = rig.lead()
    return { rig, fill, result: fill.refresh(found.entry, response(fields).headers, rig.nowMs) }
  }

  it('makes a stale response fresh, with the same body and the new headers', () => {
    const { rig, result } = refreshed({ 'cache-control': 'max-age=30', 'x-own': 'new', etag: '"one"' })
    assert.ok(result.kind === 'refreshed' && result.stored)
    const { entry, ageSeconds, ttlSeconds } = rig.hit()
    assert.equal(entry, result.entry)
    assert.equal(entry.body.bytes.toString(), 'body')
    assert.deepEqual([ageSeconds, ttlSeconds], [0, 30])
    assert.match(entry.headPrefix, /x-own: new\r\n/)
    assert.doesNotMatch(entry.headPrefix, /old/)
    assert.match(entry.headPrefix, /content-length: 4\r\n/)
    assert.equal(rig.cache.counters.refreshed, 1)
    assert.equal(rig.cache.counters.entries, 1)
  })

  it('goes on with the stored lifetime where the 304 says nothing', () => {
    const { rig } = refreshed({})
    assert.equal(rig.hit().ttlSeconds, 60)
    rig.nowMs += 60 * SECOND
    assert.equal(rig.lookup().kind, 'stale')
  })

  it('counts the age that the 304 came with', () => {
    const { rig } = refreshed({ age: '40' })
    assert.equal(rig.hit().ttlSeconds, 20)
  })

  it('drops a response that the 304 does not speak of, and the fill goes on', () => {
    const { rig, fill, result } = refreshed({ etag: '"two"' })
    assert.deepEqual(result, { kind: 'mismatch' })
    assert.equal(rig.lookup().kind, 'miss')
    fill.begin(response({ ...FRESH, etag: '"two"' }), rig.nowMs)
    fill.append(Buffer.from('new body'))
    fill.finish(rig.nowMs)
    assert.equal(rig.hit().entry.body.bytes.toString(), 'new body')
  })

  it('is the last answer of a response that the 304 forbids to keep', () => {
    const { rig, result } = refreshed({ 'cache-control': 'private' })
    assert.ok(result.kind === 'refreshed' && !result.stored)
    assert.match(result.entry.headPrefix, /cache-control: private\r\n/)
    assert.equal(result.entry.body.bytes.toString(), 'body')
    assert.equal(rig.lookup().kind, 'miss')
    assert.equal(rig.cache.counters.entries, 0)
  })

  it('keeps what has to be validated each time', () => {
    const { rig, result } = refreshed({}, { 'cache-control': 'no-cache' })
    assert.ok(result.kind === 'refreshed' && result.stored)
    assert.equal(rig.lookup().kind, 'stale')
  })

  it('is of the variant that was asked about alone', () => {
    const rig = new Rig()
    const language = (value: string) => request({ 'accept-language': value })
    const vary = { ...FRESH, vary: 'accept-language' }
    for (const value of ['pt', 'en']) rig.fetch(response(vary), language(value), value)
    rig.nowMs += 100 * SECOND
    const found = rig.lookup(language('pt'))
    assert.ok(found.kind === 'stale')
    rig.lead(language('pt')).refresh(found.entry, [], rig.nowMs)
    assert.equal(rig.hit(language('pt')).entry.body.bytes.toString(), 'pt')
    assert.equal(rig.lookup(language('en')).kind, 'stale')
    assert.equal(rig.cache.counters.entries, 3)
  })

  it('is not stored where a write passed by meanwhile', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH))
    rig.nowMs += 100 * SECOND
    const found = rig.lookup()
    assert.ok(found.kind === 'stale')
    const fill = rig.lead()
    rig.cache.invalidate(KEY)
    const result = fill.refresh(found.entry, [], rig.nowMs)
    assert.ok(result.kind === 'refreshed' && !result.stored)
    assert.equal(rig.lookup().kind, 'miss')
  })
})

describe('large bodies', () => {
  const LARGE = 300_000
  const stale = { ...FRESH, etag: '"one"' }
  const filesBefore = MemoryFile.count
  const files = () => MemoryFile.count - filesBefore
  const rigFor = (count: number) => new Rig(count * 1_000_000, LARGE, { policy: 'lru' })
  const bytes = Buffer.alloc(LARGE, randomBytes(10_007))
  const fetchLarge = (rig: Rig, key = KEY, fields: Fields = stale) => {
    const fill = rig.lead(request(), key)
    fill.begin(response(fields), rig.nowMs)
    for (let at = 0; at < LARGE; at += 70_000) fill.append(bytes.subarray(at, at + 70_000))
    return fill.finish(rig.nowMs)
  }

  it('stand in files in memory, whether their length was declared or not', () => {
    const rig = rigFor(1)
    for (const fields of [stale, { ...stale, 'content-length': String(LARGE) }]) {
      fetchLarge(rig, KEY, fields)
      const { body } = rig.hit().entry
      assert.ok(body.file !== undefined)
      assert.equal(body.length, LARGE)
      assert.ok(body.bytes.equals(bytes))
      assert.ok(body.read(1000, 250_000).equals(bytes.subarray(1000, 250_000)))
      assert.equal(files(), 1)
      assert.ok(rig.cache.counters.bytes > LARGE)
      rig.cache.clear()
      assert.equal(files(), 0)
    }
  })

  it('give their files back however they leave', () => {
    const rig = rigFor(1)
    fetchLarge(rig)
    rig.cache.invalidate(KEY)
    assert.equal(files(), 0, 'invalidated')
    for (let i = 0; i < 10; i += 1) fetchLarge(rig, `${KEY}${i}`)
    assert.ok(files() < 4 && files() > 0, `evicted: ${files()}`)
    rig.cache.clear()
    assert.equal(files(), 0, 'cleared')
    const vary = { ...stale, vary: 'accept-language' }
    fetchLarge(rig, KEY, vary)
    rig.nowMs += 100 * SECOND
    fetchLarge(rig, KEY, vary)
    assert.equal(files(), 1, 'replaced')
    rig.cache.clear()
    assert.equal(files(), 0)
  })

  it('take no file where nothing is kept', () => {
    const rig = rigFor(1)
    const begun = () => {
      const fill = rig.lead()
      fill.begin(response(FRESH), NOW)
      for (let at = 0; at < 280_000; at += 70_000) fill.append(bytes.subarray(at, at + 70_000))
      assert.equal(files(), 1)
      return fill
    }
    begun().abandon()
    assert.equal(files(), 0)
    begun().invalidate()
    assert.equal(files(), 0)
    begun().append(bytes)
    assert.equal(files(), 0, 'too large')
    const fill = rig.lead()
    fill.begin(response({ ...FRESH, 'content-length': String(LARGE) }), NOW)
    fill.append(bytes.subarray(1))
    assert.equal(fill.finish(NOW), undefined)
    assert.equal(files(), 0, 'cut short')
  })

  it('are kept on by a 304, although they were evicted meanwhile', () => {
    const rig = rigFor(1)
    fetchLarge(rig)
    rig.nowMs += 100 * SECOND
    const found = rig.lookup()
    assert.ok(found.kind === 'stale')
    const fill = rig.lead()
    for (let i = 0; i < 5; i += 1) fetchLarge(rig, `${KEY}${i}`)
    assert.equal(rig.lookup().kind, 'miss')
    const result = fill.refresh(found.entry, response(stale).headers, rig.nowMs)
    assert.ok(result.kind === 'refreshed' && result.stored)
    assert.ok(rig.hit().entry.body.bytes.equals(bytes))
    rig.cache.clear()
    assert.equal(files(), 0)
  })

  it('are let go after a 304 that came too late, or not at all', () => {
    const rig = rigFor(1)
    for (const end of ['abandoned', 'forbidden', 'mismatch'] as const) {
      fetchLarge(rig)
      rig.nowMs += 100 * SECOND
      const found = rig.lookup()
      assert.ok(found.kind === 'stale')
      const fill = rig.lead()
      if (end === 'forbidden')
        fill.refresh(found.entry, response({ 'cache-control': 'private' }).headers, rig.nowMs)
      if (end === 'mismatch') fill.refresh(found.entry, response({ etag: '"two"' }).headers, rig.nowMs)
      if (end !== 'forbidden') fill.abandon()
      rig.cache.clear()
      assert.equal(files(), 0, end)
    }
  })

  it('whoever holds one can read it after it left the cache; nobody else', () => {
    const rig = rigFor(1)
    fetchLarge(rig)
    const { body } = rig.hit().entry
    body.hold()
    rig.cache.clear()
    assert.ok(body.bytes.equals(bytes))
    body.release()
    assert.equal(files(), 0)
    assert.throws(() => body.read(0, 10), /after it was closed/)
  })

  it('stay in Buffers where there are no files left', () => {
    const others: MemoryFile[] = []
    for (let file = MemoryFile.create(); file !== undefined; file = MemoryFile.create()) others.push(file)
    const rig = rigFor(1)
    fetchLarge(rig)
    for (const file of others) file.close()
    const { body } = rig.hit().entry
    assert.equal(body.file, undefined)
    assert.ok(body.bytes.equals(bytes))
    assert.ok(body.read(5, 10).equals(bytes.subarray(5, 10)))
  })
})
