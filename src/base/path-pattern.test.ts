import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchPath } from './path-pattern.ts'

test('a path is matched by what origins would take it for', () => {
  for (const [received, matched] of [
    ['/', '/'],
    ['/hls/a.ts', '/hls/a.ts'],
    ['/hls/', '/hls/'],
    ['/%68ls/a', '/hls/a'],
    ['/hls%2Fa', '/hls/a'],
    ['/%2568ls/a', '/%68ls/a'],
    ['//hls//a', '/hls/a'],
    ['/x/../hls/a', '/hls/a'],
    ['/x/%2e%2E/hls/a', '/hls/a'],
    ['/./hls/./a/.', '/hls/a/'],
    ['/../..', '/'],
    ['/a..b/.c', '/a..b/.c'],
    ['/100%', '/100%'],
  ]) {
    assert.equal(matchPath(received!), matched)
  }
})
