/** Purges of one cache: by URL, prefix and tag, hard and soft, at once and piece by piece, and against answers that are on their way. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ResponseCache } from '../response-cache.ts'
import { groupTag } from '../../../contract/purge.ts'
import type { PurgeTerms } from './compiled-purge.ts'
import { NOW, request, response, Rig, SECOND } from '../caching.support.ts'

const HOST = 'https://example.org'
const FRESH = { 'cache-control': 'max-age=60', etag: '"1"' }
const tagged = (tags: string) => response({ ...FRESH, 'cache-tag': tags })
const hard = (scope: Omit<PurgeTerms, 'soft'>): PurgeTerms => ({ ...scope, soft: false })
const soft = (scope: Omit<PurgeTerms, 'soft'>): PurgeTerms => ({ ...scope, soft: true })

/** A rig whose numbers go up by themselves, and that says how many objects a purge meant. */
class PurgedRig extends Rig {
  #number = 0

  purge(terms: PurgeTerms): number {
    let objects = -1
    this.cache.purge(terms, ++this.#number, this.nowMs, (count) => (objects = count))
    return objects
  }

  isHit(key: string, head = request()): boolean {
    return this.lookup(head, key).kind === 'hit'
  }
}

function filled(...keys: readonly string[]): PurgedRig {
  const rig = new PurgedRig()
  for (const key of keys) assert.ok(rig.fetch(response(FRESH), request(), 'body', key))
  return rig
}

describe('a purge by URL', () => {
  it('takes what stands under the URL, and nothing beside it', () => {
    const rig = filled(`${HOST}/a`, `${HOST}/ab`, `${HOST}/a?x=1`)
    assert.equal(rig.purge(hard({ urls: [`${HOST}/a`] })), 1)
    assert.deepEqual(
      [`${HOST}/a`, `${HOST}/ab`, `${HOST}/a?x=1`].map((key) => rig.isHit(key)),
      [false, true, true],
    )
  })

  it('takes all variants, clients of new versions, slices, and other parts of the key', () => {
    const keys = [`${HOST}/a`, `${HOST}/a page@2`, `${HOST}/a x-tenant=1\nslice 0`]
    const rig = filled(...keys.slice(1))
    for (const language of ['en', 'pt'])
      rig.fetch(
        response({ ...FRESH, vary: 'accept-language' }),
        request({ 'accept-language': language }),
        'body',
        keys[0],
      )
    assert.equal(rig.purge(hard({ urls: [`${HOST}/a`] })), 4)
    for (const key of keys) assert.ok(!rig.isHit(key, request({ 'accept-language': 'en' })), key)
    assert.equal(rig.cache.counters.entries, 0)
  })

  it('takes what stands in a store that several sites share, under the name of the site', () => {
    const rig = filled(`shop ${HOST}/a`, `shop ${HOST}/a c:lang=de`, `news ${HOST}/a`)
    assert.equal(rig.purge(hard({ urls: [`shop ${HOST}/a`], sites: ['shop'] })), 2)
    assert.equal(rig.purge(hard({ prefixes: [`news ${HOST}/`] })), 1)
  })

  it('finds nothing under keys that were evicted or replaced', () => {
    const rig = filled(`${HOST}/a x=1`)
    rig.fetch(response(FRESH), request({ 'cache-control': 'no-cache' }), 'other', `${HOST}/a x=1`)
    assert.equal(rig.purge(hard({ urls: [`${HOST}/a`] })), 1)
    assert.equal(rig.purge(hard({ urls: [`${HOST}/a`] })), 0)
  })
})

describe('a purge by prefix', () => {
  it('takes all whose URL begins so', () => {
    const rig = filled(
      `${HOST}/news/1`,
      `${HOST}/news/2 m@1`,
      `${HOST}/newsletter`,
      'http://example.org/news/1',
    )
    assert.equal(rig.purge(hard({ prefixes: [`${HOST}/news/`] })), 2)
    assert.equal(rig.cache.counters.entries, 2)
  })
})

describe('a purge by tag', () => {
  it('takes what bears the tag in `Cache-Tag`, `Surrogate-Key` or `Cache-Groups`', () => {
    const rig = new PurgedRig()
    rig.fetch(tagged('news, front'), request(), 'a', `${HOST}/1`)
    rig.fetch(response({ ...FRESH, 'surrogate-key': 'front news-2' }), request(), 'b', `${HOST}/2`)
    rig.fetch(response({ ...FRESH, 'cache-groups': '"front";x=1, "other"' }), request(), 'c', `${HOST}/3`)
    rig.fetch(tagged('frontpage'), request(), 'd', `${HOST}/4`)
    assert.equal(rig.purge(hard({ tags: ['front'] })), 3)
    assert.equal(rig.cache.counters.entries, 1)
  })

  it('RFC 9875 §2: a group is one of its origin', () => {
    const rig = new PurgedRig()
    for (const host of ['https://a.example', 'https://b.example'])
      rig.fetch(response({ ...FRESH, 'cache-groups': '"g"' }), request(), 'x', `${host}/`)
    rig.cache.invalidateTags([groupTag('https://a.example', 'g')], rig.nowMs)
    assert.deepEqual([rig.isHit('https://a.example/'), rig.isHit('https://b.example/')], [false, true])
  })

  it('RFC 9651 §4.2: a list of groups that is not in form names none', () => {
    const rig = new PurgedRig()
    rig.fetch(response({ ...FRESH, 'cache-groups': '"g", "without an end' }), request(), 'x', `${HOST}/`)
    assert.equal(rig.purge(hard({ tags: ['g'] })), 0)
  })

  it('counts an object once that bears two of the tags', () => {
    const rig = new PurgedRig()
    rig.fetch(tagged('a,b'), request(), 'x', `${HOST}/`)
    assert.equal(rig.purge(hard({ tags: ['a', 'b'] })), 1)
  })

  it('takes one variant and leaves the other', () => {
    const rig = new PurgedRig()
    const vary = { ...FRESH, vary: 'accept-language' }
    rig.fetch(response({ ...vary, 'cache-tag': 'en' }), request({ 'accept-language': 'en' }), 'e', `${HOST}/`)
    rig.fetch(response({ ...vary, 'cache-tag': 'pt' }), request({ 'accept-language': 'pt' }), 'p', `${HOST}/`)
    assert.equal(rig.purge(hard({ tags: ['en'] })), 1)
    assert.ok(!rig.isHit(`${HOST}/`, request({ 'accept-language': 'en' })))
    assert.ok(rig.isHit(`${HOST}/`, request({ 'accept-language': 'pt' })))
  })
})

describe('a purge of everything', () => {
  it('takes all, and of a shared store only what the sites keep', () => {
    const rig = filled(`shop ${HOST}/a`, `news ${HOST}/a`)
    assert.equal(rig.purge(hard({ sites: ['shop'] })), 1)
    assert.ok(rig.isHit(`news ${HOST}/a`))
    assert.equal(rig.purge(hard({})), 1)
  })
})

describe('a soft purge', () => {
  it('makes stale from this moment on, to be validated', () => {
    const rig = filled(`${HOST}/a`)
    rig.nowMs += 5 * SECOND
    assert.equal(rig.purge(soft({ urls: [`${HOST}/a`] })), 1)
    const found = rig.lookup(request(), `${HOST}/a`)
    assert.ok(found.kind === 'stale' && found.entry.freshUntilMs === rig.nowMs)
    assert.equal(rig.purge(soft({ urls: [`${HOST}/a`] })), 0, 'it is stale already')
    const fill = rig.lead(request(), `${HOST}/a`)
    assert.ok(
      fill.refresh(found.entry, ['etag', '"1"', 'cache-control', 'max-age=60'], rig.nowMs).kind ===
        'refreshed',
    )
    assert.ok(rig.isHit(`${HOST}/a`))
  })

  it('leaves nothing to a hard one that comes after it', () => {
    const rig = filled(`${HOST}/a`)
    rig.purge(soft({ tags: ['none'], urls: [`${HOST}/a`] }))
    assert.equal(rig.purge(hard({})), 1)
    assert.equal(rig.lookup(request(), `${HOST}/a`).kind, 'miss')
  })
})

describe('a purge beats an answer that was asked for before it', () => {
  for (const [name, terms] of Object.entries({
    URL: hard({ urls: [`${HOST}/a`] }),
    prefix: hard({ prefixes: [`${HOST}/`] }),
    tag: hard({ tags: ['front'] }),
    all: hard({}),
    'tag, softly': soft({ tags: ['front'] }),
  })) {
    for (const moment of ['before its head', 'amid its body'] as const) {
      it(`by ${name}, ${moment}: it is not kept, and nobody who comes later is given it`, () => {
        const rig = new PurgedRig()
        const fill = rig.lead(request(), `${HOST}/a`)
        const begin = () => {
          fill.begin(tagged('front'), rig.nowMs)
          fill.append(Buffer.from('old'))
        }
        if (moment === 'amid its body') begin()
        assert.equal(rig.purge(terms), 0)
        const later = rig.join(request(), () => assert.fail('it waited for what is from before'), `${HOST}/a`)
        assert.equal(later.kind, 'fill', 'it asks anew')
        if (moment === 'before its head') begin()
        assert.equal(fill.finish(rig.nowMs), undefined)
        assert.equal(fill.refused, 'invalidated')
        assert.equal(rig.lookup(request(), `${HOST}/a`).kind, 'miss')
        assert.ok(later.kind === 'fill')
        later.begin(tagged('front'), rig.nowMs)
        later.append(Buffer.from('new'))
        assert.equal(later.finish(rig.nowMs)?.bodyText, 'new')
        assert.equal(rig.hit(request(), `${HOST}/a`).entry.bodyText, 'new')
      })
    }
  }

  it('and leaves one alone that it does not mean', () => {
    const rig = new PurgedRig()
    const fill = rig.lead(request(), `${HOST}/a`)
    rig.purge(hard({ tags: ['other'], urls: [`${HOST}/b`], prefixes: [`${HOST}/c`] }))
    fill.begin(tagged('front'), rig.nowMs)
    fill.append(Buffer.from('good'))
    assert.ok(fill.finish(rig.nowMs))
    assert.ok(rig.isHit(`${HOST}/a`))
  })

  it('those who waited before it are told to look again, and share one new answer', () => {
    const rig = new PurgedRig()
    const fill = rig.lead(request(), `${HOST}/a`)
    let told = 0
    for (let i = 0; i < 3; i++) rig.join(request(), () => void told++, `${HOST}/a`)
    rig.purge(hard({ urls: [`${HOST}/a`] }))
    assert.equal(told, 3)
    assert.equal(rig.lead(request(), `${HOST}/a`).kind, 'fill')
    assert.equal(rig.join(request(), () => {}, `${HOST}/a`).kind, 'waiting')
    fill.abandon()
  })

  it('a 304 to a question from before does not make fresh again', () => {
    const rig = filled(`${HOST}/a`)
    rig.nowMs += 61 * SECOND
    const found = rig.lookup(request(), `${HOST}/a`)
    const fill = rig.lead(request(), `${HOST}/a`)
    rig.purge(soft({ prefixes: [HOST] }))
    assert.ok(found.kind === 'stale')
    const refreshed = fill.refresh(found.entry, ['etag', '"1"', 'cache-control', 'max-age=60'], rig.nowMs)
    assert.ok(refreshed.kind === 'refreshed' && !refreshed.stored)
    assert.equal(rig.lookup(request(), `${HOST}/a`).kind, 'stale')
  })

  it('an answer from somebody who has got less far is refused', () => {
    const rig = new PurgedRig()
    rig.purge(hard({ tags: ['x'] }))
    assert.equal(rig.cache.purgeNumber, 1)
    const fill = rig.lead(request(), `${HOST}/a`)
    fill.purgeNumber = 0
    fill.begin(response(FRESH), rig.nowMs)
    fill.append(Buffer.from('?'))
    assert.equal(fill.finish(rig.nowMs), undefined)
  })
})

describe('a large purge', () => {
  const COUNT = 20_000

  /** Work that waits for its turn is done by hand, and time passes by looking at it: a turn has three looks. */
  function large() {
    const turns: (() => void)[] = []
    const clock = { looks: 0 }
    const cache = new ResponseCache({
      bytesMax: 500_000_000,
      objectBytesMax: 1000,
      later: (work) => void turns.push(work),
      elapsedMs: () => clock.looks++,
    })
    const keep = (key: string) => {
      const found = cache.lookup(key, request(), NOW)
      assert.ok(found.kind === 'miss')
      const fill = cache.join(key, request(), found, NOW, NOW, () => {})
      assert.ok(fill.kind === 'fill')
      fill.begin(tagged('all'), NOW)
      assert.ok(fill.finish(NOW))
    }
    for (let i = 0; i < COUNT; i++) keep(`${HOST}/${i}`)
    const isHit = (i: number) => cache.lookup(`${HOST}/${i}`, request(), NOW).kind === 'hit'
    return { cache, turns, clock, keep, isHit }
  }

  for (const [name, terms] of Object.entries({
    tag: hard({ tags: ['all'] }),
    prefix: hard({ prefixes: [`${HOST}/`] }),
    all: hard({}),
    'tag, softly': soft({ tags: ['all'] }),
  })) {
    it(`by ${name}: nothing that it means is found from its first moment, and what comes meanwhile stays`, () => {
      const { cache, turns, clock, keep, isHit } = large()
      let objects = -1
      cache.purge(terms, 1, NOW, (count) => (objects = count))
      assert.equal(objects, -1, 'it takes more than one turn')
      assert.ok(!isHit(COUNT - 1))
      assert.ok(!isHit(COUNT / 2))
      keep(`${HOST}/new`)
      for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
        const start = clock.looks
        turn()
        assert.ok(clock.looks - start <= 6, 'a turn is short')
      }
      assert.equal(objects, COUNT)
      assert.equal(cache.lookup(`${HOST}/new`, request(), NOW).kind, 'hit')
      assert.equal(cache.counters.purged, COUNT)
      for (let i = 0; i < COUNT; i += 997) assert.ok(!isHit(i))
    })
  }

  it('lets others begin while it goes on, each counted on its own', () => {
    const { cache, turns } = large()
    const counts: number[] = []
    cache.purge(hard({ tags: ['all'] }), 1, NOW, (count) => counts.push(count))
    cache.purge(soft({ prefixes: [`${HOST}/1`] }), 2, NOW, (count) => counts.push(count))
    cache.purge(hard({}), 3, NOW, (count) => counts.push(count))
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn()
    assert.deepEqual(counts, [COUNT, 0, 0])
    assert.equal(cache.counters.entries, 0)
  })
})
