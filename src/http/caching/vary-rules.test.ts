import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { headerList, response, request, Rig } from './caching.support.ts'
import { isSelectedBy, selectingOf } from './vary.ts'
import { PLAIN_VARY, varyRules } from './vary-rules.ts'

const RULES = varyRules({
  encodings: ['zstd', 'br', 'gzip'],
  languages: ['en', 'pt-BR', 'de'],
  variantsMax: 4,
})

describe('Accept-Encoding, reduced to the codings of the site', () => {
  const table: [value: string, expected: string | undefined][] = [
    ['gzip, deflate, br, zstd', 'zstd, br, gzip'],
    ['br;q=0.1, gzip;q=1.0', 'br, gzip'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['*', 'zstd, br, gzip'],
    ['*, br;q=0', 'zstd, gzip'],
    ['gzip;q=0', undefined],
    ['identity', undefined],
    ['deflate', undefined],
    ['', undefined],
    ['gzip;q=0.000', undefined],
    ['gzip , ,br', 'br, gzip'],
    // Who refuses plain bodies is alone with that.
    ['gzip, identity;q=0', 'gzip,identity;q=0'],
    ['gzip, *;q=0', 'gzip,*;q=0'],
    // What is no list of codings is compared as it comes.
    ['gzip;q=2', 'gzip;q=2'],
    ['gzip br', 'gzip br'],
  ]
  for (const [value, expected] of table)
    it(`${JSON.stringify(value)} is ${expected}`, () => {
      assert.equal(RULES.of('accept-encoding')(value), expected)
      assert.equal(RULES.of('accept-encoding')(value), expected)
    })

  it('is compared as it comes where the site has no codings', () => {
    assert.equal(PLAIN_VARY.of('accept-encoding')('gzip, br'), 'gzip,br')
  })
})

describe('Accept-Language, reduced to the best language of the site (RFC 4647 §3.4)', () => {
  const table: [value: string, expected: string | undefined][] = [
    ['de', 'de'],
    ['de-CH-1996, en;q=0.5', 'de'],
    ['PT-br', 'pt-BR'],
    ['pt', 'pt-BR'],
    ['fr;q=0.9, de;q=0.8, en;q=0.7', 'de'],
    ['en;q=0.1, de;q=0.9', 'de'],
    ['de, en', 'de'],
    ['en, de', 'en'],
    ['*', undefined],
    ['fr', undefined],
    ['de;q=0, de-AT', undefined],
    ['a b', undefined],
  ]
  for (const [value, expected] of table)
    it(`${JSON.stringify(value)} is ${expected}`, () =>
      assert.equal(RULES.of('accept-language')(value), expected))
})

describe('RFC 9111 §4.1: Accept-Language where the languages of a site are not known', () => {
  const same = (a: string, b: string) =>
    isSelectedBy(selectingOf(['accept-language'], ['accept-language', a]), ['accept-language', b])
  it('is the same in any case, with any space, and in any order of what is as welcome', () => {
    assert.equal(same('en, de', 'eN,  De'), true)
    assert.equal(same('en, de', 'de, en'), true)
    assert.equal(same('en;q=0.50, de', 'de;q=1.0, en;q=0.5'), true)
  })
  it('is another by what is more welcome', () => {
    assert.equal(same('en, de;q=0.5', 'de, en;q=0.5'), false)
    assert.equal(same('en', 'en, de'), false)
    assert.equal(same('en, a b', 'a b, en'), false)
  })
})

describe('what goes to the origin', () => {
  const sent = (fields: Record<string, string | readonly string[]>) => RULES.forOrigin(headerList(fields))
  it('says what was compared, in one field, and the rest as it came', () => {
    assert.deepEqual(
      sent({
        host: 'x',
        'accept-encoding': ['deflate', 'gzip;q=0.5'],
        'x-a': '1',
        'accept-language': 'fr, de',
      }),
      headerList({ host: 'x', 'accept-encoding': 'gzip', 'x-a': '1', 'accept-language': 'de' }),
    )
    assert.deepEqual(sent({ 'accept-encoding': 'deflate', 'accept-language': 'fr' }), [])
  })
  it('asks for plain bodies where the edge does', () => {
    assert.deepEqual(sent({ 'accept-encoding': 'identity' }), ['accept-encoding', 'identity'])
  })
  it('is as it came where the site has nothing to say', () => {
    const headers = headerList({ 'accept-encoding': 'deflate', 'accept-language': 'fr' })
    assert.equal(PLAIN_VARY.forOrigin(headers), headers)
  })
})

describe('RFC 9111 §4.1: variants of an address', () => {
  const VARIED = response({ 'cache-control': 'max-age=60', vary: 'accept-encoding, x-tenant' })
  const asks = (encoding: string, tenant = '1') =>
    request({ 'accept-encoding': encoding, 'x-tenant': tenant })

  it('are few where clients spell the same in many ways', () => {
    const rig = new Rig(1_000_000, 100_000, { vary: RULES })
    rig.fetch(VARIED, asks('gzip, deflate, br'))
    assert.equal(rig.lookup(asks('br;q=1.0, gzip;q=0.8, *;q=0.1')).kind, 'miss')
    assert.equal(rig.lookup(asks('br;q=1.0, gzip;q=0.8')).kind, 'hit')
    assert.equal(rig.lookup(asks('br;q=1.0, gzip;q=0.8', '2')).kind, 'miss')
    assert.equal(rig.lookup(request({ 'x-tenant': '1' })).kind, 'miss')
  })

  it('wait for one answer', () => {
    const rig = new Rig(1_000_000, 100_000, { vary: RULES })
    rig.fetch(VARIED, asks('gzip', '1'))
    rig.lead(asks('gzip', '2'))
    assert.equal(rig.join(asks('deflate, gzip;q=0.3', '2')).kind, 'waiting')
    assert.equal(rig.join(asks('gzip', '3')).kind, 'fill')
  })

  it('are bounded, the oldest going first', () => {
    const rig = new Rig(1_000_000, 100_000, { vary: RULES })
    for (let i = 0; i < 1000; i++) rig.fetch(VARIED, asks('gzip', `${i}`))
    assert.equal(rig.cache.counters.entries, 5)
    assert.equal(rig.lookup(asks('gzip', '995')).kind, 'miss')
    assert.equal(rig.lookup(asks('gzip', '996')).kind, 'hit')
  })
})
