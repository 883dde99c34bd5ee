import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfig } from '../config/check.ts'
import { request, response } from './caching/caching.support.ts'
import type { ResponseCache } from './caching/response-cache.ts'
import { SiteCaches } from './site-caches.ts'

const MIB = 1024 * 1024
const NOW = Date.UTC(2033, 10, 6)

function rig() {
  const result = checkConfig({
    edge: { cache: { ram: '4mb' } },
    sites: ['1s', '2s'].map((ifError, at) => ({
      hosts: [`${at}.example.org`],
      origin: 'http://127.0.0.1:9',
      cache: { stale: { ifError } },
    })),
  })
  assert.equal(result.kind, 'config', JSON.stringify(result))
  const { edge, sites } = result.config
  const caches = new SiteCaches({
    workers: 1,
    nowMs: () => NOW,
    shared: edge.cache,
    purging: () => ({ number: 0, invalidated: () => {} }),
    isShared: () => true,
    openOwn: () => undefined,
    openShared: () => undefined,
  })
  const [one, two] = sites as [(typeof sites)[0], (typeof sites)[0]]
  return { caches, one, two }
}

/** What it holds once more has come than any of them may. */
function filled(cache: ResponseCache): number {
  for (let i = 0; i < 100; i++) {
    const key = `http://a.example.org/${i}`
    const found = cache.lookup(key, request(), NOW)
    assert.equal(found.kind, 'miss')
    const fill = cache.join(key, request(), found, NOW, NOW, () => {})
    assert.equal(fill.kind, 'fill')
    fill.begin(response({ 'cache-control': 'max-age=600' }), NOW)
    fill.append(Buffer.alloc(60_000))
    fill.finish(NOW)
  }
  return cache.counters.bytes
}

test('sites of several kinds that come together have even parts of a shared store', () => {
  const { caches, one, two } = rig()
  const parts = [one, two].map((site) => filled(caches.of(site, [one, two])!))
  for (const bytes of parts) assert.ok(bytes > 1.7 * MIB && bytes <= 2 * MIB, `${bytes}`)
})

test('one of another kind that comes later has what is left of it, or little', () => {
  const { caches, one, two } = rig()
  const before = filled(caches.of(one, [one])!)
  assert.ok(before > 3.7 * MIB, `${before}`)
  const later = filled(caches.of(two, [one, two])!)
  assert.ok(later > 0.15 * MIB && later <= 0.25 * MIB, `${later}`)
})

test('one that takes the place of all before it has the whole', () => {
  const { caches, one, two } = rig()
  filled(caches.of(one, [one])!)
  assert.ok(filled(caches.of(two, [two])!) > 3.7 * MIB)
})
