import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { appendCacheStatus, forwardStatus, hitStatus } from './cache-status.ts'

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
})
