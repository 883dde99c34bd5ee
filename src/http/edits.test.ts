import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editHeaders, parseEdits, parseFields, parseOriginEdits } from './edits.ts'

test('what is appended to a response is spelled as the unit wrote it', () => {
  const edits = parseEdits('A X-Metrics-upstream_response_time: 0.1\nA set-cookie: a=1\n')
  assert.equal(edits?.appended, 'X-Metrics-upstream_response_time: 0.1\r\nset-cookie: a=1\r\n')
})

test('which headers of a response are the same is decided without regard to case', () => {
  const before = ['x-kept', '1', 'X-Set', 'old', 'x-set', 'old', 'X-DROPPED', 'old']
  const edits = parseEdits('H x-SET: new\nD X-Dropped\n')!
  assert.deepEqual(editHeaders(before, edits.headers), ['x-kept', '1', 'x-SET', 'new'])
  assert.equal(edits.appended, undefined)
})

test('the names of a request stay in lower case: cache and origin look for them so', () => {
  const { request } = parseEdits('h Authorization: x\na Cookie: a=1\nd X-Gone\n')!
  const before = ['authorization', 'old', 'x-gone', '1']
  assert.deepEqual(editHeaders(before, request!.headers), ['authorization', 'x', 'cookie', 'a=1'])
})

test('a header that frames the message is refused in any spelling', () => {
  for (const name of ['Content-Length', 'TRANSFER-ENCODING', 'connection', 'Host']) {
    for (const kind of 'haHA') assert.equal(parseEdits(`${kind} ${name}: 1\n`), undefined, name)
    for (const kind of 'dD') assert.equal(parseEdits(`${kind} ${name}\n`), undefined, name)
  }
})

test("a unit's response keeps its spelling, and loses what is the edge's own", () => {
  const lines = 'X-Why: key\r\nContent-Length: 9\r\nDATE: now\r\nContent-Type: text/plain\r\n'
  assert.deepEqual(parseFields(lines), ['X-Why', 'key', 'Content-Type', 'text/plain'])
  assert.equal(parseFields('X Why: key\r\n'), undefined)
})

test('what an answer is kept under is visible text behind a slash, said before the origin is asked', () => {
  assert.equal(parseEdits('k /a?b\n')?.cacheKey, '/a?b')
  assert.equal(parseEdits('k /a\nk /b\n')?.cacheKey, '/b')
  for (const key of ['a', '', '/a b', '/é', '/\x7f', `/${'x'.repeat(1024)}`])
    assert.equal(parseEdits(`k ${key}\n`), undefined, key)
  for (const phase of ['origin', 'originResponse'] as const)
    assert.equal(parseOriginEdits('k /a\n', phase), undefined)
})
