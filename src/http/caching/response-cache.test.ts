import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { at, Rig, NOW, request, response, SECOND, type Fields } from './caching.support.ts'
import { hitStatus } from './cache-status.ts'
import { PLAIN_VARY } from './vary-rules.ts'

const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' }

describe('a hit', () => {
  it('has the response, its age and how long it will be one', () => {
    const rig = new Rig()
    assert.equal(rig.lookup().kind, 'miss')
    assert.equal(rig.fetch(response({ ...FRESH, age: '5' })), true)
    rig.nowMs += 20_500
    const { entry, ageSeconds, ttlSeconds } = rig.hit()
    assert.equal(entry.body.bytes.toString(), 'body')
    assert.equal(ageSeconds, 25)
    assert.equal(hitStatus(ttlSeconds), 'orla; hit; ttl=34')
  })

  it('has a head that only lacks what changes, and headers that say the same', () => {
    const rig = new Rig()
    const headers = {
      ...FRESH,
      date: at(NOW),
      'content-type': 'text/plain',
      'transfer-encoding': 'chunked',
      connection: 'x-hop, close',
      'keep-alive': 'timeout=5',
      'x-hop': '1',
      'x-own': ['1', '2'],
      age: '1',
      'cache-status': ['Far; hit', 'Near; fwd=miss'],
      trailer: 'x-sum',
    }
    rig.fetch({ ...response(headers, 200, 'Fine'), nominated: ['x-hop', 'close'] })
    const { entry } = rig.hit()
    const lines = [
      'HTTP/1.1 200 Fine',
      'cache-control: max-age=60',
      'etag: "one"',
      `date: ${at(NOW)}`,
      'content-type: text/plain',
      'x-own: 1',
      'x-own: 2',
      'content-length: 4',
      '',
    ]
    assert.equal(entry.headPrefix, lines.join('\r\n'))
    const fromList = entry.headers.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
    assert.equal(`HTTP/1.1 200 Fine\r\n${fromList}`, entry.headPrefix)
    assert.equal(entry.priorCacheStatus, 'Far; hit, Near; fwd=miss')
  })

  it('has a date although the origin gave none, and no length for 204', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH, 204, 'No Content'), request(), '')
    assert.equal(
      rig.hit().entry.headPrefix,
      `HTTP/1.1 204 No Content\r\ncache-control: max-age=60\r\netag: "one"\r\ndate: ${at(NOW)}\r\n`,
    )
  })

  it('has the body as text, each byte a character, where it is small', () => {
    const rig = new Rig()
    const fill = rig.lead()
    fill.begin(response(FRESH), NOW)
    fill.append(Buffer.from([0, 0x7f, 0x80, 0xff]))
    fill.finish(NOW)
    assert.equal(rig.hit().entry.bodyText, '\0\x7f\x80\xff')
    rig.fetch(response(FRESH), request(), 'x'.repeat(4096), 'k1')
    rig.fetch(response(FRESH), request(), 'x'.repeat(4097), 'k2')
    assert.equal(rig.hit(request(), 'k1').entry.bodyText?.length, 4096)
    assert.equal(rig.hit(request(), 'k2').entry.bodyText, undefined)
  })

  it('answers HEAD with what a GET stored', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH))
    assert.equal(rig.lookup(request({}, 'HEAD')).kind, 'hit')
  })

  it('says when the client has it already, and has the head of the 304', () => {
    const rig = new Rig()
    rig.fetch(response({ ...FRESH, 'content-type': 'text/plain', date: at(NOW) }))
    assert.equal(rig.hit(request({ 'if-none-match': 'W/"one"' })).isNotModified, true)
    assert.equal(rig.hit(request({ 'if-none-match': '"two"' })).isNotModified, false)
    rig.hit(request({ 'if-none-match': '"one"' }))
    const plain = rig.hit()
    assert.equal(plain.isNotModified, false)
    assert.equal(
      plain.entry.notModifiedPrefix,
      `HTTP/1.1 304 Not Modified\r\ncache-control: max-age=60\r\netag: "one"\r\ndate: ${at(NOW)}\r\n`,
    )
  })

  it('ends with the lifetime, to the millisecond', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH))
    rig.nowMs = NOW + 60 * SECOND - 1
    assert.equal(rig.lookup().kind, 'hit')
    rig.nowMs++
    const stale = rig.lookup()
    assert.ok(stale.kind === 'stale' && stale.forward === 'stale' && stale.shared)
    assert.equal(stale.entry.etag, '"one"')
  })

  it('is no hit where the clock was set back far: nobody knows how old it is', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH))
    rig.nowMs = NOW - 1000
    assert.equal(rig.hit().ageSeconds, 0)
    rig.nowMs = NOW - 3600 * SECOND
    assert.equal(rig.lookup().kind, 'stale')
  })

  it('is never one where the response has to be validated each time', () => {
    for (const control of ['no-cache', 'no-cache="etag", max-age=60', 'max-age=0']) {
      const rig = new Rig()
      assert.equal(rig.fetch(response({ 'cache-control': control, etag: '"one"' })), true)
      assert.equal(rig.lookup().kind, 'stale', control)
    }
  })
})

describe("a request's own terms (RFC 9111 §5.2.1)", () => {
  // The response is 20 seconds old and good for 40 more; with `late`, it has been stale for 10.
  const table: [title: string, fields: Fields, expected: string, late?: boolean][] = [
    ['no-cache wants it validated', { 'cache-control': 'no-cache' }, 'stale request alone'],
    ['Pragma: no-cache does too', { pragma: 'no-cache' }, 'stale request alone'],
    [
      'Pragma does not count beside Cache-Control',
      { pragma: 'no-cache', 'cache-control': 'max-age=99' },
      'hit',
    ],
    ['another Pragma says nothing', { pragma: 'x' }, 'hit'],
    ['no-store passes by', { 'cache-control': 'no-store' }, 'bypass no-store'],
    ['max-age may be as old as it is', { 'cache-control': 'max-age=20' }, 'hit'],
    ['max-age may be less', { 'cache-control': 'max-age=19' }, 'stale request alone'],
    ['max-age=0 is a reload', { 'cache-control': 'max-age=0' }, 'stale request alone'],
    ['a broken max-age is a reload', { 'cache-control': 'max-age=x' }, 'stale request alone'],
    ['min-fresh may be what is left', { 'cache-control': 'min-fresh=40' }, 'hit'],
    ['min-fresh may be more', { 'cache-control': 'min-fresh=41' }, 'stale request alone'],
    ['max-stale of a fresh one is no matter', { 'cache-control': 'max-stale=1' }, 'hit'],
    ['only-if-cached is content with a hit', { 'cache-control': 'only-if-cached' }, 'hit'],
    ['a range is taken from what is whole', { range: 'bytes=0-1' }, 'hit'],
    ['If-Match passes by', { 'if-match': '"one"' }, 'bypass precondition'],
    ['If-Unmodified-Since passes by', { 'if-unmodified-since': at(NOW) }, 'bypass precondition'],
    ['a range with only-if-cached as well', { range: 'bytes=0-1', 'cache-control': 'only-if-cached' }, 'hit'],
    ['credentials may have what is for all', { authorization: 'x' }, 'hit'],
    ['a stale one is not taken without a word', {}, 'stale stale', true],
    ['max-stale takes it', { 'cache-control': 'max-stale' }, 'hit', true],
    ['max-stale takes it up to its value', { 'cache-control': 'max-stale=10' }, 'hit', true],
    ['max-stale does not take it beyond', { 'cache-control': 'max-stale=9' }, 'stale stale', true],
    ['a broken max-stale takes nothing', { 'cache-control': 'max-stale=x' }, 'stale stale', true],
    [
      'max-stale does not excuse age',
      { 'cache-control': 'max-stale, max-age=5' },
      'stale request alone',
      true,
    ],
    [
      'only-if-cached does not take a stale one',
      { 'cache-control': 'only-if-cached' },
      'unsatisfiable',
      true,
    ],
    ['only-if-cached takes it with max-stale', { 'cache-control': 'only-if-cached, max-stale' }, 'hit', true],
  ]
  for (const [title, fields, expected, late] of table) {
    it(title, () => {
      const rig = new Rig()
      rig.fetch(response(FRESH))
      rig.nowMs += (late === true ? 70 : 20) * SECOND
      const found = rig.lookup(request(fields))
      const words: string[] = [found.kind]
      if (found.kind === 'stale') words.push(found.forward, ...(found.shared ? [] : ['alone']))
      if (found.kind === 'bypass') words.push(found.reason)
      assert.equal(words.join(' '), expected)
    })
  }

  it('takes no stale answer where the origin forbids it, however stale would do', () => {
    for (const control of [
      'must-revalidate, max-age=60',
      'proxy-revalidate, max-age=60',
      's-maxage=60',
      'no-cache',
    ]) {
      const rig = new Rig()
      rig.fetch(response({ 'cache-control': control, etag: '"one"' }))
      rig.nowMs += 61 * SECOND
      assert.equal(rig.lookup(request({ 'cache-control': 'max-stale' })).kind, 'stale', control)
    }
  })

  it('tells a hit by max-stale from others by a negative ttl', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH))
    rig.nowMs += 70 * SECOND
    assert.equal(rig.hit(request({ 'cache-control': 'max-stale' })).ttlSeconds, -10)
  })

  it('passes by for methods that are not looked up, bodies, and HEAD that finds nothing', () => {
    const rig = new Rig()
    const reasons = [
      request({}, 'POST'),
      request({}, 'OPTIONS'),
      { ...request(), framing: { kind: 'chunked' as const } },
      request({}, 'HEAD'),
    ].map((head) => {
      const found = rig.lookup(head)
      return found.kind === 'bypass' ? `${found.reason} ${found.forward}` : found.kind
    })
    assert.deepEqual(reasons, ['method method', 'method method', 'body bypass', 'head uri-miss'])
  })

  it('is 504 where nothing is stored and nothing else is wanted', () => {
    const found = new Rig().lookup(request({ 'cache-control': 'only-if-cached' }))
    assert.deepEqual(found, { kind: 'unsatisfiable', status: 504 })
  })

  it('does not let a reload wait for an answer that was asked for before', () => {
    const rig = new Rig()
    rig.lead()
    assert.equal(rig.join(request({ 'cache-control': 'no-cache' })).kind, 'fill')
    assert.equal(rig.join(request()).kind, 'waiting')
  })
})

describe('variants of an address', () => {
  const language = (value: string) => request({ 'accept-language': value })
  const inLanguage = { ...FRESH, vary: 'Accept-Language' }

  it('are given to those who asked the same way', () => {
    const rig = new Rig()
    rig.fetch(response(inLanguage), language('pt'), 'olá')
    const other = rig.lookup(language('en'))
    assert.ok(other.kind === 'miss' && other.forward === 'vary-miss')
    rig.fetch(response(inLanguage), language('en'), 'hello')
    assert.equal(rig.hit(language('pt')).entry.body.bytes.toString(), 'olá')
    assert.equal(rig.hit(language('en')).entry.body.bytes.toString(), 'hello')
    assert.equal(rig.lookup(request()).kind, 'miss')
  })

  it('take the place of their predecessor, and of one that did not vary', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH), language('pt'), 'for all')
    assert.equal(rig.hit(language('en')).entry.body.bytes.toString(), 'for all')
    rig.nowMs += 61 * SECOND
    rig.fetch(response(inLanguage), language('pt'), 'olá')
    assert.equal(rig.lookup(language('en')).kind, 'miss')
    rig.nowMs += 61 * SECOND
    rig.fetch(response(inLanguage), language('pt'), 'olá!')
    assert.equal(rig.hit(language('pt')).entry.body.bytes.toString(), 'olá!')
    assert.equal(rig.cache.counters.entries, 2)
  })

  it('may vary by different headers', () => {
    const rig = new Rig()
    rig.fetch(response(inLanguage), language('pt'), 'olá')
    rig.fetch(response({ ...FRESH, vary: 'x-device' }), request({ 'x-device': 'tv' }), 'tv')
    assert.equal(rig.hit(language('pt')).entry.body.bytes.toString(), 'olá')
    assert.equal(rig.hit(request({ 'x-device': 'tv' })).entry.body.bytes.toString(), 'tv')
    assert.equal(rig.lookup(request({ 'x-device': 'phone' })).kind, 'miss')
  })

  it('are preferred to one that forgot to say that it varies (§4.1)', () => {
    const rig = new Rig()
    rig.fetch(response(inLanguage), language('pt'), 'olá')
    rig.fetch(response(FRESH), request(), 'default')
    assert.equal(rig.hit(language('pt')).entry.body.bytes.toString(), 'olá')
    assert.equal(rig.hit(request()).entry.body.bytes.toString(), 'default')
  })

  it('are so many at most', () => {
    const rig = new Rig()
    for (let i = 0; i < PLAIN_VARY.variantsMax + 5; i++) rig.fetch(response(inLanguage), language(`l${i}`))
    assert.equal(rig.cache.counters.entries, PLAIN_VARY.variantsMax + 1)
    assert.equal(rig.lookup(language('l4')).kind, 'miss')
    assert.equal(rig.lookup(language('l5')).kind, 'hit')
    assert.equal(rig.lookup(language(`l${PLAIN_VARY.variantsMax + 4}`)).kind, 'hit')
  })

  it('leave one by one when room is needed, and the last takes the set along', () => {
    // Room for about five of these.
    const rig = new Rig(20_000, 5_000, { policy: 'lru' })
    const body = 'x'.repeat(1000)
    for (const value of ['a', 'b']) rig.fetch(response(inLanguage), language(value), body)
    for (let i = 0; i < 10; i++) {
      rig.hit(language('a'))
      rig.fetch(response(FRESH), request(), body, `other ${i}`)
    }
    assert.equal(rig.lookup(language('a')).kind, 'hit')
    const gone = rig.lookup(language('b'))
    assert.ok(gone.kind === 'miss' && gone.forward === 'vary-miss')
    for (let i = 0; i < 10; i++) rig.fetch(response(FRESH), request(), body, `last ${i}`)
    const goneToo = rig.lookup(language('a'))
    assert.ok(goneToo.kind === 'miss' && goneToo.forward === 'uri-miss')
  })

  it('take the room of each other where there is room for one only', () => {
    const rig = new Rig(9_400)
    for (const value of ['a', 'b', 'c']) {
      assert.equal(rig.fetch(response(inLanguage), language(value), 'x'.repeat(1200)), true)
      assert.equal(rig.lookup(language(value)).kind, 'hit')
      assert.equal(rig.cache.counters.entries, 2)
    }
  })

  it('leave nothing behind where one is too large', () => {
    const rig = new Rig(9_000)
    assert.equal(rig.fetch(response(inLanguage), language('a'), 'x'.repeat(4000)), false)
    assert.equal(rig.cache.counters.entries, 0)
    assert.equal(rig.cache.counters.bytes, 0)
  })

  it('go together when their address is invalidated', () => {
    const rig = new Rig()
    for (const value of ['a', 'b', 'c']) rig.fetch(response(inLanguage), language(value))
    assert.equal(rig.cache.invalidate('example.org/x'), true)
    assert.equal(rig.cache.counters.entries, 0)
    assert.equal(rig.cache.counters.bytes, 0)
    assert.equal(rig.cache.invalidate('example.org/x'), false)
  })
})

describe('the room', () => {
  it('is never exceeded, and old responses leave for new ones', () => {
    const rig = new Rig(50_000)
    for (let i = 0; i < 200; i++) {
      rig.fetch(response(FRESH), request(), 'x'.repeat(i * 7), `key ${i}`)
      assert.ok(rig.cache.counters.bytes <= 50_000)
    }
    assert.equal(rig.lookup(request(), 'key 0').kind, 'miss')
    assert.equal(rig.lookup(request(), 'key 199').kind, 'hit')
    assert.ok(rig.cache.counters.evicted > 100)
  })

  it('is empty after clear, and what was being fetched is not stored', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH))
    const fill = rig.lead(request(), 'other')
    fill.begin(response(FRESH), NOW)
    rig.cache.clear()
    assert.equal(fill.finish(NOW), undefined)
    assert.equal(fill.refused, 'invalidated')
    assert.equal(rig.cache.counters.entries, 0)
  })

  it('counts what it did', () => {
    const rig = new Rig()
    rig.fetch(response(FRESH))
    rig.hit()
    rig.hit()
    rig.lookup(request({}, 'POST'))
    rig.nowMs += 61 * SECOND
    rig.lookup()
    const { hit, miss, bypass, stale, stored, entries, flights } = rig.cache.counters
    assert.deepEqual(
      { hit, miss, bypass, stale, stored, entries, flights },
      {
        hit: 2,
        miss: 1,
        bypass: 1,
        stale: 1,
        stored: 1,
        entries: 1,
        flights: 0,
      },
    )
  })
})
