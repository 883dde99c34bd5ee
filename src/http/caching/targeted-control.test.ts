import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { headerList, NOW, request, response, Rig, SECOND, type Fields } from './caching.support.ts'
import { passedHeaders } from './passed-headers.ts'
import { planStore } from './storing.ts'
import { responseControl } from './targeted-control.ts'

const LONG = { 'cache-control': 'max-age=3600' }
const cdn = (text: string | readonly string[], more: Fields = LONG) =>
  responseControl(headerList({ 'cdn-cache-control': text, ...more }))

describe('RFC 9213 §2.2: of targeted fields', () => {
  it('the closest counts, and counts whole', () => {
    assert.equal(cdn('max-age=5').maxAge, 5)
    const own = cdn('max-age=5, no-store', { 'orla-cache-control': 'max-age=7', ...LONG })
    assert.deepEqual([own.maxAge, own.noStore, own.isTargeted], [7, false, true])
    assert.deepEqual([cdn('foo').maxAge, cdn('foo').isTargeted], [undefined, true])
    assert.equal(cdn('max-age=5', { 'cache-control': 'no-store' }).noStore, false)
    assert.equal(cdn('max-age=5', { 'cache-control': 'private, s-maxage=9' }).sMaxAge, undefined)
  })

  it('Expires is not looked at', () => {
    const expires = new Date(NOW + 3600 * SECOND).toUTCString()
    const stored = (fields: Fields) => {
      const plan = planStore(request(), response({ expires, ...fields }), NOW, NOW)
      return plan.store ? (plan.freshUntilMs - NOW) / SECOND : plan.reason
    }
    assert.equal(stored({}), 3600)
    assert.equal(stored({ 'cdn-cache-control': 'max-age=5' }), 5)
    assert.equal(stored({ 'cdn-cache-control': 'foo' }), 'no-lifetime')
    assert.equal(stored({ 'cdn-cache-control': 'no-store' }), 'no-store')
    assert.equal(stored({ 'cdn-cache-control': 'private' }), 'private')
    assert.equal(stored({ 'cdn-cache-control': '' }), 3600)
  })

  it('one that is empty or no dictionary is as if it were not there', () => {
    const broken = ['', 'max-age=1, &&&&&', 'MaX-aGe=1', 'max-age =1', 'max-age= 1', 'max-age=1,']
    for (const text of broken) assert.equal(cdn(text).maxAge, 3600, text)
    assert.equal(cdn('max-age=1', { 'orla-cache-control': '&', ...LONG }).maxAge, 1)
  })

  it('several lines are one field, and of two members of one name the last counts', () => {
    assert.equal(cdn(['max-age=1', 'public, max-age=2']).maxAge, 2)
    assert.equal(cdn(['max-age=1', '&']).maxAge, 3600)
  })
})

describe('RFC 9213 §2.1: in a targeted field', () => {
  it('parameters and unknown directives are passed over', () => {
    assert.equal(cdn('foo=(1 2);a, max-age=5;b=1, bar="x"').maxAge, 5)
  })

  it('a lifetime of another type is not consumed', () => {
    for (const value of ['"5"', '5.0', 'five', '?1', '(5)', ':NQ==:', '@5'])
      assert.equal(cdn(`max-age=${value}`).maxAge, undefined, value)
    assert.equal(cdn('max-age').maxAge, undefined)
    assert.equal(cdn('max-age=-5').maxAge, 0)
    assert.equal(cdn('max-age=99999999999').maxAge, 2 ** 31)
  })

  it('what restricts is heard with any value but ?0', () => {
    assert.equal(cdn('no-store=?0').noStore, false)
    assert.equal(cdn('no-store=1').noStore, true)
    assert.equal(cdn('public=1').public, false)
    assert.equal(cdn('must-revalidate, no-cache, private').private, true)
  })

  it('no-cache and private may name fields', () => {
    const control = cdn('no-cache="x, Y", private="z"')
    assert.deepEqual([control.withheld, control.noCache, control.private], [['x', 'y', 'z'], false, false])
    assert.equal(cdn('no-cache=x').noCache, true)
  })
})

describe('RFC 9213 §2: Orla-Cache-Control', () => {
  it('is for this cache: clients do not see it, and a 304 leaves it as it was', () => {
    const rig = new Rig()
    const fields = { 'orla-cache-control': 'max-age=60', 'cdn-cache-control': 'max-age=5', etag: '"a"' }
    rig.fetch(response({ 'cache-control': 'no-store', ...fields }))
    const { entry } = rig.hit()
    assert.doesNotMatch(entry.headPrefix + entry.notModifiedPrefix, /orla-cache-control/)
    assert.match(entry.headPrefix, /cdn-cache-control: max-age=5/)
    rig.nowMs += 61 * SECOND
    const fill = rig.lead()
    const refreshed = fill.refresh(entry, headerList({ etag: '"a"' }), rig.nowMs)
    assert.ok(refreshed.kind === 'refreshed' && refreshed.stored)
    rig.nowMs += 59 * SECOND
    assert.equal(rig.hit().entry, refreshed.entry)
    assert.doesNotMatch(refreshed.entry.headPrefix, /orla-cache-control/)
    assert.match(refreshed.entry.headPrefix, /cache-control: no-store/)
  })

  it('does not go on with an answer as it comes, and all else does', () => {
    const headers = headerList({ 'orla-cache-control': 'a', 'x-b': '1', 'cache-status': 'Far; hit' })
    assert.deepEqual(passedHeaders(headers), headerList({ 'x-b': '1', 'cache-status': 'Far; hit' }))
    assert.deepEqual(passedHeaders(headerList({ 'cache-status': ',', 'x-b': '1' })), ['x-b', '1'])
    const plain = headerList({ 'x-b': '1' })
    assert.equal(passedHeaders(plain), plain)
  })
})
