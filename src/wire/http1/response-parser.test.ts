import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ResponseHead } from './message.ts'
import { parseResponseHead, type ResponseHeadResult } from './response-parser.ts'

const LIMITS = { headBytes: 1024, headerCount: 8 }

function parse(text: string, method = 'GET'): ResponseHeadResult {
  const bytes = Buffer.from(text, 'latin1')
  return parseResponseHead(bytes, 0, bytes.length, LIMITS, method)
}

const ok = (...lines: string[]) => ['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n')
const status = (line: string, ...lines: string[]) => [`HTTP/1.1 ${line}`, ...lines, '', ''].join('\r\n')

test('a response is read as it was sent', () => {
  const text = 'HTTP/1.1 404 Not \u00e9 Found\r\nContent-Length: 3\r\nX-A: b\r\nConnection: x-a\r\n\r\nabc'
  assert.deepEqual(parse(text), {
    kind: 'head',
    next: text.indexOf('abc'),
    head: {
      status: 404,
      reason: 'Not \u00e9 Found',
      minor: 1,
      headers: ['content-length', '3', 'x-a', 'b', 'connection', 'x-a'],
      framing: { kind: 'length', bytes: 3 },
      keepAlive: true,
      nominated: ['x-a'],
    },
  })
})

test('the end of the body is found as RFC 9112 §6.3 says', () => {
  const table: readonly (readonly [text: string, method: string, expected: Partial<ResponseHead>])[] = [
    [ok('Content-Length: 3'), 'GET', { framing: { kind: 'length', bytes: 3 }, keepAlive: true }],
    [ok('Content-Length: 3'), 'HEAD', { framing: { kind: 'none' }, keepAlive: true }],
    [ok('Transfer-Encoding: chunked'), 'GET', { framing: { kind: 'chunked' }, keepAlive: true }],
    [ok('Transfer-Encoding: chunked'), 'HEAD', { framing: { kind: 'none' }, keepAlive: true }],
    [ok(), 'GET', { framing: { kind: 'close' }, keepAlive: false }],
    [ok(), 'HEAD', { framing: { kind: 'none' }, keepAlive: true }],
    [ok('Content-Length: 3', 'Connection: close'), 'GET', { keepAlive: false }],
    [status('304 Not Modified', 'Content-Length: 3'), 'GET', { framing: { kind: 'none' }, keepAlive: true }],
    [status('204 No Content'), 'GET', { framing: { kind: 'none' }, keepAlive: true }],
    [status('204 No Content', 'Content-Length: 0'), 'GET', { framing: { kind: 'none' }, keepAlive: true }],
    [status('100 Continue'), 'POST', { framing: { kind: 'none' } }],
    [status('103 Early Hints', 'Link: </a>'), 'GET', { framing: { kind: 'none' } }],
    ['HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n', 'GET', { minor: 0, keepAlive: false }],
    ['HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n', 'GET', { keepAlive: true }],
    [
      'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n',
      'GET',
      { framing: { kind: 'close' }, keepAlive: false },
    ],
    ['HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', 'GET', { status: 200, reason: '' }],
    ['HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n', 'GET', { status: 200, reason: '' }],
  ]
  for (const [text, method, expected] of table) {
    const result = parse(text, method)
    assert.equal(result.kind, 'head', JSON.stringify([text, result]))
    const { head } = result as { head: ResponseHead }
    for (const [key, value] of Object.entries(expected)) {
      assert.deepEqual(head[key as keyof ResponseHead], value, `${key} of ${JSON.stringify(text)}`)
    }
  }
})

test('a 204 that announces a body loses the announcement, and its connection', () => {
  for (const field of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    const result = parse(status('204 No Content', field, 'X: a'))
    assert.equal(result.kind, 'head')
    const { head } = result as { head: ResponseHead }
    assert.deepEqual(head.headers, ['x', 'a'])
    assert.deepEqual(head.framing, { kind: 'none' })
    assert.equal(head.keepAlive, false)
  }
})

test('what has no single meaning is refused', () => {
  const refused: readonly (readonly [text: string, reason: RegExp])[] = [
    ['ICY 200 OK\r\n\r\n', /status line/],
    ['HTTP/2.0 200 OK\r\n\r\n', /status line/],
    ['HTTP/1.2 200 OK\r\n\r\n', /status line/],
    ['http/1.1 200 OK\r\n\r\n', /status line/],
    [' HTTP/1.1 200 OK\r\n\r\n', /status line/],
    ['\r\nHTTP/1.1 200 OK\r\n\r\n', /status line/],
    ['SSH-2.0-x', /status line/],
    ['<html>', /status line/],
    ['HTTP/1.1  200 OK\r\n\r\n', /three digits/],
    ['HTTP/1.1 20 OK\r\n\r\n', /three digits/],
    ['HTTP/1.1 2000 OK\r\n\r\n', /three digits/],
    ['HTTP/1.1 099 OK\r\n\r\n', /three digits/],
    ['HTTP/1.1 +20 OK\r\n\r\n', /three digits/],
    ['HTTP/1.1 200 OK\n\n', /bare LF/],
    ['HTTP/1.1 200\n\n', /bare LF/],
    ['HTTP/1.1 200 O\0K\r\n\r\n', /control/],
    ['HTTP/1.1 200 OK\rX\r\n\r\n', /control/],
    [ok('Content-Length: 3', 'Transfer-Encoding: chunked'), /both/],
    [ok('Content-Length: 3', 'Content-Length: 3'), /several/],
    [ok('Content-Length: 3, 4'), /several/],
    [ok('Content-Length: -1'), /not a number/],
    [ok('Transfer-Encoding: gzip, chunked'), /other than chunked/],
    [ok('Transfer-Encoding: chunked, chunked'), /exactly chunked/],
    ['HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', /HTTP\/1\.0/],
    [ok('X : a'), /before the colon/],
    [ok('X: a', ' b'), /folding/],
    [ok('X: a\nY: b'), /bare LF/],
    [ok(`X: ${'a'.repeat(2000)}`), /too large/],
    [ok(...Array.from({ length: 9 }, () => 'X: a')), /too many/],
  ]
  for (const [text, reason] of refused) {
    const result = parse(text)
    assert.equal(result.kind, 'problem', `accepted: ${JSON.stringify(text)}`)
    assert.match((result as { reason: string }).reason, reason, JSON.stringify(text))
  }
})

test('a head that comes in pieces is read the same, wherever it is split', () => {
  const text = ok('Content-Length: 3', 'X: a')
  const bytes = Buffer.from(`${text}abc`, 'latin1')
  const whole = parseResponseHead(bytes, 0, bytes.length, LIMITS, 'GET')
  for (let first = 0; first < text.length; first++) {
    assert.deepEqual(parseResponseHead(bytes, 0, first, LIMITS, 'GET'), { kind: 'more' }, `${first} bytes`)
    assert.deepEqual(parseResponseHead(bytes, 0, bytes.length, LIMITS, 'GET', first), whole)
  }
})
