import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { request, response, type Fields } from './caching.support.ts'
import { targetsToInvalidate } from './invalidation.ts'

const targets = (method: string, fields: Fields = {}, status = 200) =>
  targetsToInvalidate(request({}, method, '/a/b?c'), response(fields, status))

describe('targetsToInvalidate (RFC 9111 §4.4)', () => {
  it('names the target of a request that may have changed it', () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'MKCOL', 'UNHEARD-OF']) {
      assert.deepEqual(targets(method), ['/a/b?c'])
    }
  })

  it('names nothing after safe methods', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) assert.deepEqual(targets(method), [])
  })

  it('names nothing after an error', () => {
    assert.deepEqual(targets('POST', {}, 303), ['/a/b?c'])
    assert.deepEqual(targets('POST', {}, 404), [])
    assert.deepEqual(targets('POST', {}, 500), [])
  })

  const table: [title: string, reference: string, expected: string | undefined][] = [
    ['a path', '/new?x', '/new?x'],
    ['a path from here', 'new', '/a/new'],
    ['an address of the same host', 'http://example.org/new', '/new'],
    ['an address of the same host by TLS', 'https://example.org/new', '/new'],
    ['an address of the same host in capitals', 'http://EXAMPLE.org/new', '/new'],
    ['no address of another host', 'http://example.com/new', undefined],
    ['no address of another port', 'http://example.org:8080/new', undefined],
    ['no address of another port by TLS', 'https://example.org:8443/new', undefined],
    ['no address without scheme of another host', '//example.com/new', undefined],
    ['no other scheme', 'mailto:x@example.org', undefined],
    ['no nonsense', 'http://[', undefined],
  ]
  for (const [title, reference, expected] of table) {
    it(`names what Location and Content-Location say: ${title}`, () => {
      const all = expected === undefined ? ['/a/b?c'] : ['/a/b?c', expected]
      assert.deepEqual(targets('POST', { location: reference }, 201), all)
      assert.deepEqual(targets('PUT', { 'content-location': reference }), all)
    })
  }
})
