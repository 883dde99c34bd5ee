/** What a line of a log is to a cache. That real lines of ours are understood is shown by test/scenarios/cache-sim.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commonLogLines, jsonLogLines, type LogFilter } from './access-log-lines.ts'

const readJson = (fields: object, filter: LogFilter = {}) =>
  jsonLogLines(filter, { asked: 0, hits: 0 }).read(JSON.stringify(fields))
const readCommon = (line: string, filter: LogFilter = {}) =>
  commonLogLines(filter, { asked: 0, hits: 0 }).read(line)

const GET = { method: 'GET', host: 'a.test', target: '/x?y=1', status: 200, bytesSent: 700 }

for (const [what, fields, key, bytes] of [
  ['host and target', GET, 'a.test/x?y=1', 700],
  ['path and query', { ...GET, target: undefined, path: '/x', query: 'y=1' }, 'a.test/x?y=1', 700],
  ['a path alone', { path: '/x' }, '/x', undefined],
  ['a target in absolute form', { ...GET, target: 'http://b.test/x' }, 'b.test/x', 700],
  ['the body alone, where it is told', { ...GET, bodyBytesSent: 500 }, 'a.test/x?y=1', 500],
  ['no size of a 304', { ...GET, status: 304, bytesSent: 90 }, 'a.test/x?y=1', undefined],
  ['a host in capitals', { ...GET, host: 'A.Test' }, 'a.test/x?y=1', 700],
  [
    "nginx's JSON",
    { request_method: 'GET', request_uri: '/x', http_host: 'a.test', status: '200', body_bytes_sent: '70' },
    'a.test/x',
    70,
  ],
  [
    "Caddy's JSON",
    { request: { method: 'GET', host: 'a.test', uri: '/x' }, status: 200, size: 60 },
    'a.test/x',
    60,
  ],
] as const) {
  test(`an object of a log in JSON: ${what}`, () =>
    assert.deepEqual(readJson(fields), { kind: 'request', key, bytes }))
}

for (const [fields, why] of [
  [{ ...GET, method: 'POST' }, 'another method than GET'],
  [{ ...GET, method: 'HEAD' }, 'another method than GET'],
  [{ ...GET, source: 'unit' }, 'answered by a unit or the edge itself'],
  [{ ...GET, source: 'edge' }, 'answered by a unit or the edge itself'],
  [{ ...GET, status: 503 }, 'a status that is not kept'],
  [{ ...GET, status: 499 }, 'a status that is not kept'],
  [{ ...GET, cache: 'no-store' }, 'not for the cache to answer'],
  [{ ...GET, cache: 'range' }, 'not for the cache to answer'],
  [{ ...GET, cache: 'precondition' }, 'not for the cache to answer'],
  [{ ...GET, 'response:cache-control': 'private, max-age=60' }, 'not to be kept, says the origin'],
  [{ status: 400 }, 'no request that could be read'],
] as const) {
  test(`${JSON.stringify(fields)} is put aside: ${why}`, () =>
    assert.deepEqual(readJson(fields), { kind: 'aside', why }))
}

test('sites and hosts that were asked for count alone', () => {
  const fields = { ...GET, site: 'shop' }
  assert.equal(readJson(fields, { sites: ['shop', 'news'] }).kind, 'request')
  assert.deepEqual(readJson(fields, { sites: ['news'] }), { kind: 'aside', why: 'of another site' })
  assert.deepEqual(readJson(GET, { sites: ['shop'] }), { kind: 'aside', why: 'of another site' })
  assert.equal(readJson(fields, { hosts: ['a.test'] }).kind, 'request')
  assert.deepEqual(readJson(fields, { hosts: ['b.test'] }), { kind: 'aside', why: 'of another host' })
})

test('what the cache said in the log is counted', () => {
  const logged = { asked: 0, hits: 0 }
  const format = jsonLogLines({}, logged)
  for (const cache of ['hit', 'uri-miss', 'collapsed', 'stale', 'stream', undefined])
    format.read(JSON.stringify({ ...GET, cache }))
  assert.deepEqual(logged, { asked: 4, hits: 2 })
})

test('what came from the disk, from another worker or past its time is what the cache answered', () => {
  const logged = { asked: 0, hits: 0 }
  const format = jsonLogLines({}, logged)
  for (const cache of ['disk', 'sibling', 'stale-while-revalidate', 'stale-if-error', 'vary-miss'])
    format.read(JSON.stringify({ ...GET, cache }))
  assert.deepEqual(logged, { asked: 5, hits: 4 })
})

for (const line of ['', '{', '[]', '7', '{"a":1}', 'null', '"x"']) {
  test(`${JSON.stringify(line)} is no line of a log in JSON`, () =>
    assert.equal(jsonLogLines({}, { asked: 0, hits: 0 }).read(line).kind, line === '' ? 'silent' : 'bad'))
}

const HEAD = '192.0.2.7 - ann [26/Nov/2026:10:54:40 +0000]'

for (const [line, expected] of [
  [`${HEAD} "GET /a?b HTTP/1.1" 200 16 "-" "tester"`, { kind: 'request', key: '/a?b', bytes: 16 }],
  [`${HEAD} "GET /a HTTP/1.0" 200 -`, { kind: 'request', key: '/a', bytes: 0 }],
  [`${HEAD} "GET /a" 200 5`, { kind: 'request', key: '/a', bytes: 5 }],
  [`A.test:443 ${HEAD} "GET /a HTTP/2.0" 200 5 "-" "-"`, { kind: 'request', key: 'a.test/a', bytes: 5 }],
  [
    `${HEAD} "GET /\\x22\\x22 HTTP/1.1" 200 5 "-" "a \\x22b"`,
    { kind: 'request', key: '/\\x22\\x22', bytes: 5 },
  ],
  [`${HEAD} "POST /a HTTP/1.1" 200 5 "-" "-"`, { kind: 'aside', why: 'another method than GET' }],
  [`${HEAD} "-" 400 0 "-" "-"`, { kind: 'aside', why: 'no request that could be read' }],
  [`${HEAD} "GET /a HTTP/1.1" 500 9 "-" "-"`, { kind: 'aside', why: 'a status that is not kept' }],
  [`${HEAD} "GET /a HTTP/1.1" much 9`, { kind: 'bad' }],
  ['page/7 512', { kind: 'bad' }],
  ['', { kind: 'silent' }],
] as const) {
  test(`a line as Apache writes it: ${line}`, () => assert.deepEqual(readCommon(line), expected))
}
