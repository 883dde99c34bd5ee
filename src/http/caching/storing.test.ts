import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RequestHead } from '../../wire/http1/message.ts'
import { at, NOW, request, response, Rig, SECOND, type Fields } from './caching.support.ts'
import { planStore, STRICT_RULES, type StoringRules } from './storing.ts'

/** `kept`, or the reason why not. */
function verdict(fields: Fields, status = 200, head: RequestHead = request()): string {
  const plan = planStore(head, response(fields, status), NOW, NOW)
  return plan.store ? 'kept' : plan.reason
}

const FRESH = { 'cache-control': 'max-age=60' }

describe('planStore (RFC 9111 §3)', () => {
  const table: [title: string, fields: Fields, expected: string][] = [
    ['keeps what has a lifetime', FRESH, 'kept'],
    ['keeps what has a lifetime for shared caches', { 'cache-control': 's-maxage=60' }, 'kept'],
    ['keeps what expires later', { expires: at(NOW + SECOND) }, 'kept'],
    ['keeps what was changed long ago', { 'last-modified': at(NOW - 100 * SECOND) }, 'kept'],
    ['does not keep what says nothing', {}, 'no-lifetime'],
    ['does not keep what has a validator alone', { etag: '"a"' }, 'no-lifetime'],
    ['does not keep what is only public', { 'cache-control': 'public' }, 'no-lifetime'],
    ['obeys no-store', { 'cache-control': 'max-age=60, no-store' }, 'no-store'],
    ['obeys no-store in whatever case', { 'cache-control': 'max-age=60, NO-STORE' }, 'no-store'],
    ['obeys no-store in a field of its own', { 'cache-control': ['max-age=60', 'no-store'] }, 'no-store'],
    ['obeys private', { 'cache-control': 'private, max-age=60' }, 'private'],
    ['obeys private beside public', { 'cache-control': 'public, private, max-age=60' }, 'private'],
    ['does not keep what sets a cookie', { ...FRESH, 'set-cookie': 'a=b' }, 'set-cookie'],
    [
      'does not keep what sets a cookie, public or not',
      { 'cache-control': 'public, max-age=60', 'set-cookie': 'a' },
      'set-cookie',
    ],
    ['does not keep what varies by everything', { ...FRESH, vary: '*' }, 'vary'],
    [
      'does not keep what varies by everything among others',
      { ...FRESH, vary: ['accept', 'cookie, *'] },
      'vary',
    ],
    ['keeps what varies by a header', { ...FRESH, vary: 'accept' }, 'kept'],
    ['does not keep what is stale on arrival', { 'cache-control': 'max-age=0' }, 'expired'],
    ['keeps what became stale on the way, for those who say max-stale', { ...FRESH, age: '60' }, 'kept'],
    [
      'does not keep it where it would have to be validated',
      { 'cache-control': 'max-age=60, must-revalidate', age: '60' },
      'expired',
    ],
    [
      'keeps what is stale on arrival with a validator, to ask again',
      { 'cache-control': 'max-age=0', etag: '"a"' },
      'kept',
    ],
    ['does not keep no-cache without a validator', { 'cache-control': 'no-cache' }, 'expired'],
    ['keeps no-cache with a validator', { 'cache-control': 'no-cache', 'last-modified': at(NOW) }, 'kept'],
    [
      'keeps must-understand of a status it knows, as no-store beside it is for others',
      { 'cache-control': 'max-age=9, no-store, must-understand' },
      'kept',
    ],
  ]
  for (const [title, fields, expected] of table) {
    it(title, () => assert.equal(verdict(fields), expected))
  }

  it('keeps answers to GET alone', () => {
    for (const method of ['HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'get']) {
      assert.equal(verdict(FRESH, 200, request({}, method)), 'method')
    }
  })

  it('keeps errors and redirections that say how long they are good for, no others', () => {
    for (const status of [302, 307, 400, 403, 404, 410, 500, 503]) {
      assert.equal(verdict(FRESH, status), 'kept', `${status}`)
      assert.equal(verdict({ 'last-modified': at(NOW - 1000 * SECOND) }, status), 'no-lifetime', `${status}`)
    }
  })

  it('keeps no answers that are partial, or mean something to one requester only', () => {
    for (const status of [100, 101, 103, 206, 304, 401, 407, 412, 416, 425, 428, 429, 431, 511, 600]) {
      assert.equal(verdict({ 'cache-control': 'public, max-age=60' }, status), 'status', `${status}`)
    }
  })

  it('does not keep must-understand of a status it does not know', () => {
    assert.equal(verdict({ 'cache-control': 'max-age=60, must-understand' }, 299), 'status')
    assert.equal(verdict({ 'cache-control': 'max-age=60' }, 299), 'kept')
  })

  it('keeps an answer to a request with credentials only where it is said to be for all (§3.5)', () => {
    const head = request({ authorization: 'Basic eDp5' })
    const verdicts = [
      '',
      ', public',
      ', must-revalidate',
      ', s-maxage=9',
      ', proxy-revalidate',
      ', public=1',
    ].map((more) => verdict({ 'cache-control': `max-age=60${more}` }, 200, head))
    assert.deepEqual(verdicts, ['authorization', 'kept', 'kept', 'kept', 'authorization', 'authorization'])
  })

  it('does not keep answers to requests with terms of their own', () => {
    const terms: Fields[] = [
      { range: 'bytes=0-1' },
      { 'if-match': '"a"' },
      { 'if-unmodified-since': at(NOW) },
      { 'cache-control': 'no-store' },
    ]
    for (const fields of terms) assert.equal(verdict(FRESH, 200, request(fields)), 'request')
    const withBody: RequestHead = { ...request(), framing: { kind: 'length', bytes: 3 } }
    assert.equal(verdict(FRESH, 200, withBody), 'request')
    assert.equal(verdict(FRESH, 200, { ...request(), framing: { kind: 'length', bytes: 0 } }), 'kept')
  })

  it('says when the response was made and until when it is fresh', () => {
    const plan = planStore(request(), response({ ...FRESH, age: '10', date: at(NOW) }), NOW - 2000, NOW)
    assert.ok(plan.store)
    assert.equal(plan.bornMs, NOW - 12 * SECOND)
    assert.equal(plan.freshUntilMs, NOW + 48 * SECOND)
    assert.equal(plan.lifetimeSource, 'max-age')
  })

  it('lets stale answers out only where nothing forbids it', () => {
    const allowed = ['', ', must-revalidate', ', proxy-revalidate', ', s-maxage=9', ', no-cache'].map(
      (more) => {
        const plan = planStore(
          request(),
          response({ 'cache-control': `max-age=60${more}`, etag: '"a"' }),
          NOW,
          NOW,
        )
        return plan.store && plan.staleAllowed
      },
    )
    assert.deepEqual(allowed, [true, false, false, false, false])
  })

  describe('RFC 5861: stale answers', () => {
    const rules = { setCookie: false, staleWhileRevalidateMs: 7000, staleIfErrorMs: 8000 }
    const plan = (control: string) => {
      const planned = planStore(request(), response({ 'cache-control': control }), NOW, NOW, rules)
      return planned.store ? [planned.staleWhileRevalidateMs, planned.staleIfErrorMs] : planned.reason
    }

    it('may be used for as long as the response says, else as the site does', () => {
      assert.deepEqual(plan('max-age=1, stale-while-revalidate=2, stale-if-error=3'), [2000, 3000])
      assert.deepEqual(plan('max-age=1'), [7000, 8000])
      assert.deepEqual(plan('max-age=1, stale-while-revalidate=0, stale-if-error=x'), [0, 0])
    })

    it('may not be used where the response has to be validated', () => {
      for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=1', 'no-cache'])
        assert.deepEqual(
          planStore(
            request(),
            response({ 'cache-control': `max-age=1, stale-while-revalidate=2, ${directive}`, etag: '"a"' }),
            NOW,
            NOW,
            rules,
          ).store && plan(`max-age=1, stale-while-revalidate=2, stale-if-error=3, ${directive}`),
          directive === 'no-cache' ? 'expired' : [0, 0],
          directive,
        )
    })

    it('are worth keeping from the start', () => {
      assert.deepEqual(plan('max-age=0, stale-while-revalidate=2'), [2000, 8000])
      assert.equal(plan('max-age=0, stale-while-revalidate=0, stale-if-error=0'), 'expired')
    })
  })

  describe('what sets a cookie', () => {
    const rules = { ...STRICT_RULES, setCookie: true }
    const cookie = { 'set-cookie': 'a=b', 'last-modified': at(NOW - 99_000 * SECOND) }
    const verdictBy = (fields: Fields, site: StoringRules) => {
      const plan = planStore(request(), response({ ...cookie, ...fields }), NOW, NOW, site)
      return plan.store ? 'kept' : plan.reason
    }

    it('is kept where the site allows it and its headers say how long', () => {
      assert.equal(verdictBy({ 'cache-control': 'max-age=60' }, STRICT_RULES), 'set-cookie')
      assert.equal(verdictBy({ 'cache-control': 'max-age=60' }, rules), 'kept')
      assert.equal(verdictBy({}, rules), 'set-cookie')
      assert.equal(verdictBy({ 'cache-control': 'private, max-age=60' }, rules), 'private')
    })

    it('is kept without the cookie where no-cache or private names it (RFC 9111 §5.2.2.4, §5.2.2.7)', () => {
      for (const directive of ['no-cache', 'private']) {
        const control = `max-age=60, ${directive}="Set-Cookie"`
        assert.equal(verdictBy({ 'cache-control': control }, STRICT_RULES), 'kept')
        const rig = new Rig()
        rig.fetch(response({ 'cache-control': control, 'set-cookie': 'a=b', 'x-other': '1' }))
        const { headers } = rig.hit().entry
        assert.equal(headers.includes('set-cookie'), false)
        assert.equal(headers.includes('x-other'), true)
      }
    })
  })
})
