import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeConditions } from './conditions.ts'
import { acceptedEncodings } from './encodings.ts'
import { encodePath, filePath } from './file-path.ts'
import { mediaType } from './media-types.ts'

test('a path is decoded once, and cannot leave the root however it is spelt', () => {
  const paths: Readonly<Record<string, string>> = {
    '/': '/',
    '/a/b.txt': '/a/b.txt',
    '/a//b/./c': '/a/b/c',
    '/%61/b%20c': '/a/b c',
    '/a/../b': '/b',
    '/../../etc/passwd': '/etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd': '/etc/passwd',
    '/..%2f..%2fetc%2fpasswd': '/etc/passwd',
    '/a/b/..': '/a/',
    '/a/': '/a/',
    '/%C3%A9': '/Ã©',
    '/..\\..\\etc': undefined as unknown as string,
  }
  for (const [asked, path] of Object.entries(paths)) {
    const found = filePath(asked)
    if (path === undefined) assert.equal(found.kind, 'refused', asked)
    else assert.deepEqual(found, { kind: 'path', path }, asked)
  }
})

test('what is decoded twice, has a NUL, a broken escape or a hidden name is refused', () => {
  assert.deepEqual(filePath('/%252e%252e/x'), { kind: 'path', path: '/%2e%2e/x' })
  for (const [path, status] of [
    ['/a%00.txt', 400],
    ['/%', 400],
    ['/%g1', 400],
    ['/.git/config', 404],
    ['/a/.env', 404],
    ['/%2egit/config', 404],
    ['/a/.well-known/x', 404],
    ['/.well-known/.secret', 404],
    ['/...', 404],
  ] as const) {
    const found = filePath(path)
    assert.equal(found.kind === 'refused' && found.status, status, path)
  }
  assert.equal(filePath('/.well-known/acme-challenge/token').kind, 'path')
})

test('a path in a URL is written so that it is read as it was meant', () => {
  assert.equal(encodePath('/a b/"<é>?#%'), '/a%20b/%22%3C%E9%3E%3F%23%25')
})

test('conditions, in their order', () => {
  const file = { etag: '"v2"', lastModified: 'Wed, 21 Oct 2026 07:28:00 GMT' }
  const [before, same, after] = ['27', '28', '29'].map((minute) => `Wed, 21 Oct 2026 07:${minute}:00 GMT`)
  const cases: readonly (readonly [headers: string[], verdict: 'go' | 304 | 412])[] = [
    [[], 'go'],
    [['if-none-match', '"v2"'], 304],
    [['if-none-match', '"v1", W/"v2"'], 304],
    [['if-none-match', '*'], 304],
    [['if-none-match', '"v1"'], 'go'],
    [['if-none-match', '"v1"', 'if-modified-since', after!], 'go'],
    [['if-modified-since', same!], 304],
    [['if-modified-since', before!], 'go'],
    [['if-modified-since', 'yesterday'], 'go'],
    [['if-match', '"v2"'], 'go'],
    [['if-match', '*'], 'go'],
    [['if-match', 'W/"v2"'], 412],
    [['if-match', '"v1"'], 412],
    [['if-match', '"v2"', 'if-unmodified-since', before!], 'go'],
    [['if-unmodified-since', before!], 412],
    [['if-unmodified-since', same!], 'go'],
    [['if-match', '"v1"', 'if-none-match', '"v2"'], 412],
  ]
  const now = Date.UTC(2026, 9, 22)
  for (const [headers, verdict] of cases)
    assert.equal(judgeConditions(headers, file, now), verdict, headers.join(' '))
})

test('the encoding that the client would rather have, and none that it refuses', () => {
  const all = ['br', 'zstd', 'gzip'] as const
  const cases: readonly (readonly [field: string | undefined, best: string])[] = [
    ['gzip, deflate, br, zstd', 'br zstd gzip'],
    ['gzip', 'gzip'],
    ['GZIP;q=1.0, br;q=0.5', 'gzip br'],
    ['br;q=0, gzip', 'gzip'],
    ['*', 'br zstd gzip'],
    ['*;q=0', ''],
    ['identity, gzip;q=0.5', ''],
    ['x-gzip', 'gzip'],
    ['', ''],
    [undefined, ''],
  ]
  for (const [field, best] of cases)
    assert.equal(acceptedEncodings(field, all).join(' '), best, field ?? 'none')
  assert.deepEqual(acceptedEncodings('br, gzip', ['gzip']), ['gzip'])
})

test('media types by ending', () => {
  assert.equal(mediaType('/a/INDEX.HTML', {}), 'text/html; charset=utf-8')
  assert.equal(mediaType('/live/x.m3u8', {}), 'application/vnd.apple.mpegurl')
  assert.equal(mediaType('/x.ts', { '.ts': 'text/typescript' }), 'text/typescript')
  for (const path of ['/x', '/x.unknown', '/a.b/x', '/constructor', '/x.constructor'])
    assert.equal(mediaType(path, {}), 'application/octet-stream')
})
