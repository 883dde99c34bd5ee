import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { response, Rig } from './caching.support.ts'
import { appendCacheStatus, boundedStatus, forwardStatus, hitStatus, withKey } from './cache-status.ts'

describe('Cache-Status (RFC 9211)', () => {
  it('tells of a hit, and for how long it will be one', () => {
    assert.equal(hitStatus(30), 'orla; hit; ttl=30')
    assert.equal(hitStatus(-5), 'orla; hit; ttl=-5')
  })

  it('tells why a request went on, and what came of it', () => {
    assert.equal(forwardStatus({ forward: 'uri-miss', stored: true }), 'orla; fwd=uri-miss; stored')
    assert.equal(forwardStatus({ forward: 'vary-miss', stored: false }), 'orla; fwd=vary-miss')
    assert.equal(
      forwardStatus({ forward: 'stale', status: 304, ttlSeconds: 60, stored: true }),
      'orla; fwd=stale; fwd-status=304; ttl=60; stored',
    )
    assert.equal(forwardStatus({ forward: 'uri-miss', collapsed: true }), 'orla; fwd=uri-miss; collapsed')
    assert.equal(forwardStatus({ forward: 'miss', collapsed: false }), 'orla; fwd=miss; collapsed=?0')
    assert.equal(forwardStatus({ forward: 'bypass', detail: 'range' }), 'orla; fwd=bypass; detail=range')
  })

  it('stands last: nearest to the client', () => {
    assert.equal(appendCacheStatus(undefined, hitStatus(1)), 'orla; hit; ttl=1')
    assert.equal(appendCacheStatus('', hitStatus(1)), 'orla; hit; ttl=1')
    assert.equal(appendCacheStatus('Far; hit; ttl=9', hitStatus(1)), 'Far; hit; ttl=9, orla; hit; ttl=1')
  })

  it('names the key as a string, if it is not endless', () => {
    assert.equal(withKey('orla; hit', 'http://a/"x" \u00e9'), 'orla; hit; key="http://a/\\"x\\" "')
    assert.equal(withKey('orla; hit', ''), 'orla; hit')
    assert.equal(withKey('orla; hit', 'x'.repeat(65_536)), 'orla; hit')
  })

  it('keeps what other caches say, if it is a list and not endless', () => {
    assert.equal(boundedStatus('Far; hit, "Near one"; fwd=miss'), 'Far; hit, "Near one"; fwd=miss')
    assert.equal(boundedStatus('Far; hit,'), undefined)
    assert.equal(boundedStatus('a, '.repeat(1000) + 'a'), undefined)
    const rig = new Rig()
    rig.fetch(response({ 'cache-control': 'max-age=9', 'cache-status': ['Far; hit', '=broken'] }))
    assert.equal(rig.hit().entry.priorCacheStatus, undefined)
  })
})
