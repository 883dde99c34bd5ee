import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KEY, NOW, request, response, Rig, SECOND } from './caching.support.ts'
import { copyOfArriving, copyOfStored, responseOf, type CopiedHead } from './copies.ts'
import type { IncomingResponse, StoredResponse } from './stored-response.ts'

/** All that an answer may have beside its body. */
const RICH: IncomingResponse = response({
  'cache-control': 'max-age=60, private="x-mine", stale-while-revalidate=30, stale-if-error=300',
  'orla-cache-control': 'max-age=100, private="x-mine", stale-while-revalidate=30, stale-if-error=300',
  'cache-status': 'inner; hit',
  'cache-tag': 'news, front',
  'surrogate-key': 'old',
  'cache-groups': '"group"',
  'x-mine': 'mine alone',
  'x-unit': 'set',
  age: '10',
  etag: '"one"',
  vary: 'x-tenant',
})
const SENT: IncomingResponse = {
  ...RICH,
  before: [...RICH.headers, 'x-before', 'as the origin sent it'],
}

const TENANT = request({ 'x-tenant': 'one', 'accept-encoding': 'gzip' })

/** As one worker stores it, for a request of a tenant; and while it comes. */
function original() {
  const rig = new Rig()
  const fill = rig.lead(TENANT)
  assert.ok(fill.begin(SENT, NOW).store)
  fill.append(Buffer.from('body'))
  fill.announce()
  const arriving = copyOfArriving(fill.arrival!)
  const stored = fill.finish(NOW)!
  return { rig, arriving, stored }
}

/** As another one stores the copy, after it went as JSON and some time has passed. */
function copied(head: CopiedHead): { rig: Rig; stored: StoredResponse } {
  const rig = new Rig()
  rig.nowMs = NOW + 5 * SECOND
  const there = JSON.parse(JSON.stringify(head)) as CopiedHead
  const fill = rig.lead(TENANT)
  assert.ok(fill.beginCopy(responseOf(there), there.plan, rig.nowMs, 0).store)
  fill.append(Buffer.from('body'))
  return { rig, stored: fill.finish(rig.nowMs)! }
}

const saidOf = (entry: StoredResponse) => ({
  head: entry.headPrefix,
  headers: new Map(entry.headers.flatMap((name, i, all) => (i % 2 === 0 ? [[name, all[i + 1]!]] : []))),
  before: new Map(entry.beforeHeaders!.flatMap((name, i, all) => (i % 2 === 0 ? [[name, all[i + 1]!]] : []))),
  prior: entry.priorCacheStatus,
  born: entry.bornMs,
  lifetime: entry.plan.lifetimeSource,
  freshUntil: entry.freshUntilMs,
  stale: [entry.staleAllowed, entry.staleWhileRevalidateMs, entry.staleIfErrorMs],
  tags: entry.tags,
  selecting: entry.selecting,
  etag: entry.etag,
  date: entry.date,
  age: entry.ageSeconds(NOW + 20 * SECOND),
})

describe('a copy that another worker has', () => {
  for (const kind of ['stored', 'arriving'] as const) {
    it(`says of itself what the original does (${kind})`, () => {
      const { arriving, stored } = original()
      const copy = copied(kind === 'stored' ? copyOfStored(stored) : arriving)
      const lines = (text: string) => text.split('\r\n').toSorted()
      const [is, was] = [saidOf(copy.stored), saidOf(stored)]
      assert.deepEqual({ ...is, head: lines(is.head) }, { ...was, head: lines(was.head) })
      assert.deepEqual(is.tags.slice(0, 3), ['news', 'front', 'old'])
      assert.equal(is.headers.get('orla-cache-control')?.startsWith('max-age=100'), true)
      assert.equal(is.freshUntil, NOW + 90 * SECOND)
    })

    it(`RFC 9111 §5.2.2.7: has none of the fields that are for one client (${kind})`, () => {
      const { arriving, stored } = original()
      const copy = copied(kind === 'stored' ? copyOfStored(stored) : arriving)
      assert.ok(!copy.stored.headers.includes('x-mine'))
      assert.ok(!copy.stored.beforeHeaders!.includes('x-mine'), 'nor where it is kept for a later 304')
      assert.ok(!copyOfStored(copy.stored).headers.includes('x-mine'))
    })
  }

  it('is stale from the moment on at which the original was purged softly', () => {
    const { rig, stored } = original()
    rig.cache.purge({ tags: ['news'], soft: true }, 1, NOW + SECOND)
    assert.equal(copyOfStored(stored).plan.freshUntilMs, NOW + SECOND)
  })

  it('is gone with a purge by a tag, and not given to those who send another header', () => {
    const { stored } = original()
    const { rig } = copied(copyOfStored(stored))
    assert.equal(rig.lookup(TENANT).kind, 'hit')
    assert.equal(rig.lookup(request({ 'x-tenant': 'two' })).kind, 'miss')
    rig.cache.purge({ tags: ['front'], soft: false }, 1, rig.nowMs)
    assert.equal(rig.lookup(TENANT).kind, 'miss')
    assert.equal(rig.cache.storedAt(KEY).length, 0)
  })

  it('is not kept where a purge came between the question and its end', () => {
    const { arriving } = original()
    const rig = new Rig()
    const fill = rig.lead(TENANT)
    assert.ok(fill.beginCopy(responseOf(arriving), arriving.plan, NOW, 0).store)
    rig.cache.purge({ tags: ['old'], soft: false }, 1, NOW)
    fill.append(Buffer.from('body'))
    assert.equal(fill.finish(NOW), undefined)
    assert.equal(rig.lookup(TENANT).kind, 'miss')
  })
})
