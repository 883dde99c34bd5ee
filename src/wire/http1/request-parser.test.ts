import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RequestHead } from './message.ts'
import { HeadMemo, parseRequestHead, type RequestHeadResult } from './request-parser.ts'

const LIMITS = { headBytes: 1024, targetBytes: 200, headerCount: 8 }

function parse(text: string, memo?: HeadMemo): RequestHeadResult {
  const bytes = Buffer.from(text, 'latin1')
  return parseRequestHead(bytes, 0, bytes.length, LIMITS, memo)
}

function accepted(text: string): RequestHead {
  const result = parse(text)
  assert.equal(result.kind, 'head', JSON.stringify(result))
  return (result as { head: RequestHead }).head
}

/** A request with these lines after the request line. */
const withFields = (...lines: string[]) => ['GET / HTTP/1.1', ...lines, '', ''].join('\r\n')
const withHost = (...lines: string[]) => withFields('Host: example.org', ...lines)
const withLine = (line: string) => `${line}\r\nHost: example.org\r\n\r\n`

test('a request is read as it was sent', () => {
  const text =
    'POST /a/b?c=d&e HTTP/1.1\r\nHost: Example.ORG:8080\r\nX-Empty:\r\nX-Padded: \t a b \t\r\ncontent-length: 12\r\n\r\nbody'
  const bytes = Buffer.from(text, 'latin1')
  const result = parseRequestHead(bytes, 0, bytes.length, LIMITS)
  assert.deepEqual(result, {
    kind: 'head',
    next: text.indexOf('body'),
    head: {
      method: 'POST',
      target: '/a/b?c=d&e',
      path: '/a/b',
      query: 'c=d&e',
      authority: 'example.org:8080',
      host: 'example.org',
      minor: 1,
      headers: ['host', 'Example.ORG:8080', 'x-empty', '', 'x-padded', 'a b', 'content-length', '12'],
      raw: text.slice(0, text.indexOf('\r\nbody')),
      framing: { kind: 'length', bytes: 12 },
      keepAlive: true,
      expectContinue: false,
      nominated: [],
      hasForwarding: false,
      upgrade: undefined,
    },
  })
})

test('what two servers could read differently is refused, with a reason', () => {
  const refused: readonly (readonly [text: string, status: number, reason: RegExp])[] = [
    // Framing.
    [withHost('Content-Length: 5', 'Transfer-Encoding: chunked'), 400, /both/],
    [withHost('Transfer-Encoding: chunked', 'Content-Length: 5'), 400, /both/],
    [withHost('Content-Length: 5', 'Content-Length: 6'), 400, /several/],
    [withHost('Content-Length: 5', 'Content-Length: 5'), 400, /several/],
    [withHost('Content-Length: 5, 5'), 400, /several/],
    [withHost('Content-Length: +5'), 400, /not a number/],
    [withHost('Content-Length: -5'), 400, /not a number/],
    [withHost('Content-Length: 5 5'), 400, /not a number/],
    [withHost('Content-Length: 0x5'), 400, /not a number/],
    [withHost('Content-Length: 5.0'), 400, /not a number/],
    [withHost('Content-Length: 1e3'), 400, /not a number/],
    [withHost('Content-Length:'), 400, /not a number/],
    [withHost('Content-Length: 9007199254740993'), 400, /not a number/],
    [withHost('Content-Length: 18446744073709551621'), 400, /not a number/],
    [withHost('Content_Length: 5'), 400, /content_length/],
    [withHost('Transfer_Encoding: chunked'), 400, /transfer_encoding/],
    [withHost('Transfer-Encoding: chunked\t'), 400, /tab/],
    [withHost('Content-Length: 5 \t '), 400, /tab/],
    [withHost('Transfer-Encoding: gzip'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: identity'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding:'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: chunked, chunked'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: chunked, gzip'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: chunked', 'Transfer-Encoding: identity'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: chunked;q=1'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: "chunked"'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: xchunked'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: chunked,'), 400, /exactly chunked/],
    [withHost('Transfer-Encoding: gzip, chunked'), 501, /other than chunked/],
    ['POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 400, /HTTP\/1\.0/],
    // Lines.
    ['GET / HTTP/1.1\nHost: a\n\n', 400, /bare LF/],
    ['GET / HTTP/1.1\r\nHost: a\n\r\n', 400, /bare LF/],
    ['GET / HTTP/1.1\r\nHost: a\r\n\n', 400, /bare LF/],
    ['GET / HTTP/1.1\rHost: a\r\n\r\n', 400, /bare CR/],
    ['GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n', 400, /bare CR/],
    ['GET / HTTP/1.1\r\nHost: a\r\r\n\r\n', 400, /bare CR/],
    ['GET / HTTP/1.1\r\nHost: a\r\n\rX', 400, /bare CR/],
    [withHost('X: a', ' b'), 400, /folding/],
    [withHost('X: a', '\tb'), 400, /folding/],
    [withFields(' Host: a'), 400, /before the first field/],
    [withHost('X : a'), 400, /before the colon/],
    [withHost('X\t: a'), 400, /before the colon/],
    [withHost(': a'), 400, /without a name/],
    [withHost('X'), 400, /not allowed/],
    [withHost('X(: a'), 400, /not allowed/],
    [withHost('X\u00e9: a'), 400, /not allowed/],
    [withHost('X\0: a'), 400, /not allowed/],
    [withHost('X: a\0b'), 400, /control/],
    [withHost('X: a\x0bb'), 400, /control/],
    [withHost('X: a\x7fb'), 400, /control/],
    // Host.
    [withFields('X: a'), 400, /no Host/],
    [withHost('Host: example.org'), 400, /two Host/],
    [withHost('HOST: other.example.org'), 400, /two Host/],
    [withFields('Host: a b'), 400, /malformed Host/],
    [withFields('Host: a, b'), 400, /malformed Host/],
    [withFields('Host: a/b'), 400, /malformed Host/],
    [withFields('Host: user@a'), 400, /malformed Host/],
    [withFields('Host: a%2eb'), 400, /malformed Host/],
    [withFields('Host: a?b'), 400, /malformed Host/],
    [withFields('Host: a#b'), 400, /malformed Host/],
    [withFields('Host: \u00e9.example.org'), 400, /malformed Host/],
    [withFields('Host: a:b'), 400, /malformed Host/],
    [withFields('Host: a:80:80'), 400, /malformed Host/],
    [withFields('Host: a:65536'), 400, /malformed Host/],
    [withFields('Host: a:-1'), 400, /malformed Host/],
    [withFields('Host: :80'), 400, /malformed Host/],
    [withFields('Host: ::1'), 400, /malformed Host/],
    [withFields('Host: [::1'), 400, /malformed Host/],
    [withFields('Host: [1:2]'), 400, /malformed Host/],
    [withFields('Host: [::1::2]'), 400, /malformed Host/],
    [withFields('Host: [::1]x'), 400, /malformed Host/],
    [withFields('Host: [fe80::1%25eth0]'), 400, /malformed Host/],
    [withFields('Host: [::256.0.0.1]'), 400, /malformed Host/],
    // Request line.
    [withLine('GET  / HTTP/1.1'), 400, /request target/],
    [withLine('GET / HTTP/1.1 '), 400, /version/],
    [withLine('GET /  HTTP/1.1'), 400, /version/],
    [withLine('GET /a b HTTP/1.1'), 400, /version/],
    [withLine(' GET / HTTP/1.1'), 400, /method/],
    [withLine('GET\t/ HTTP/1.1'), 400, /method/],
    [withLine('G(T / HTTP/1.1'), 400, /method/],
    [withLine('get / HTTP/1.1'), 400, /method/],
    [withLine(`${'A'.repeat(33)} / HTTP/1.1`), 501, /method too long/],
    [withLine('GET /'), 400, /version/],
    [withLine('GET'), 400, /method/],
    [withLine('GET / http/1.1'), 400, /version/],
    [withLine('GET / HTTP/1.1x'), 400, /version/],
    [withLine('GET / HTTP/2'), 505, /HTTP\/1\.1/],
    [withLine('GET / HTTP/0.9'), 505, /HTTP\/1\.1/],
    [withLine('GET / HTTP/1.2'), 505, /HTTP\/1\.1/],
    [withLine('GET / HTTP/2.0'), 505, /HTTP\/1\.1/],
    [withLine('GET / HTTP/01.1'), 400, /version/],
    [withLine('GET / HTTPS/1.1'), 400, /version/],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, /HTTP\/1\.1/],
    ['\x16\x03\x01\x02\x00\x01', 400, /method/],
    ['\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400, /method/],
    ['\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400, /bare LF/],
    // Target.
    [withLine('GET /a#b HTTP/1.1'), 400, /target/],
    [withLine('GET /a"b HTTP/1.1'), 400, /target/],
    [withLine('GET /<a> HTTP/1.1'), 400, /target/],
    [withLine('GET /\u00e9 HTTP/1.1'), 400, /target/],
    [withLine('GET /\x01 HTTP/1.1'), 400, /target/],
    [withLine('GET /\x7f HTTP/1.1'), 400, /target/],
    [withLine('GET /a\\b HTTP/1.1'), 400, /target/],
    [withLine('GET /a\\b?c HTTP/1.1'), 400, /target/],
    [withLine('GET a HTTP/1.1'), 400, /neither/],
    [withLine('GET * HTTP/1.1'), 400, /OPTIONS/],
    [withLine('OPTIONS *a HTTP/1.1'), 400, /neither/],
    [withLine('GET ftp://a/ HTTP/1.1'), 400, /neither/],
    [withLine('GET http:/a HTTP/1.1'), 400, /neither/],
    [withLine('GET http:///a HTTP/1.1'), 400, /authority/],
    [withLine('GET http://:80/ HTTP/1.1'), 400, /authority/],
    [withLine('GET http://a%20b/ HTTP/1.1'), 400, /authority/],
    [withLine('GET http://a:b/ HTTP/1.1'), 400, /authority/],
    [withLine('GET http://u@a/ HTTP/1.1'), 400, /user/],
    [withLine('GET http://u:p@a/ HTTP/1.1'), 400, /user/],
    [withLine('GET example.org:80 HTTP/1.1'), 400, /neither/],
    [withLine('CONNECT example.org:80 HTTP/1.1'), 501, /CONNECT/],
    [withLine('CONNECT example.org HTTP/1.1'), 400, /authority/],
    [withLine('CONNECT / HTTP/1.1'), 400, /authority/],
    [withLine(`GET /${'a'.repeat(200)} HTTP/1.1`), 414, /too long/],
    [`GET /${'a'.repeat(250)}`, 414, /too long/],
    ['GET http://example.org/ HTTP/1.1\r\n\r\n', 400, /no Host/],
    ['GET http://example.org/ HTTP/1.1\r\nHost: a b\r\n\r\n', 400, /malformed Host/],
    // Size.
    [withHost(...Array.from({ length: 8 }, (_, i) => `X${i}: a`)), 431, /too many/],
    [withHost(`X: ${'a'.repeat(1024)}`), 431, /too large/],
    [`GET / HTTP/1.1\r\nX: ${'a'.repeat(1024)}`, 431, /too large/],
    // Others.
    [withHost('Expect: 200-ok'), 417, /Expect/],
    [withHost('Expect: 100-continue, 100-continue'), 417, /Expect/],
    [withHost('Connection: a b'), 400, /Connection/],
    [withHost('Connection: "close"'), 400, /Connection/],
    [withHost('Connection: \xa0 keep-alive'), 400, /Connection/],
  ]
  for (const [text, status, reason] of refused) {
    const result = parse(text)
    assert.equal(result.kind, 'problem', `accepted: ${JSON.stringify(text)}`)
    const { status: got, reason: words } = result as { status: number; reason: string }
    assert.equal(got, status, `${JSON.stringify(text)}: ${words}`)
    assert.match(words, reason, JSON.stringify(text))
  }
})

test('what is unusual and clear is accepted', () => {
  const table: readonly (readonly [text: string, expected: Partial<RequestHead>])[] = [
    ['\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', { target: '/', raw: 'GET / HTTP/1.1\r\nHost: a\r\n' }],
    ['GET / HTTP/1.0\r\n\r\n', { minor: 0, host: '', authority: '', keepAlive: false, headers: [] }],
    [withFields('Host:'), { host: '', authority: '' }],
    [withFields('Host: example.org:'), { host: 'example.org', authority: 'example.org' }],
    [withFields('Host: 127.0.0.1:80'), { host: '127.0.0.1', authority: '127.0.0.1:80' }],
    [withFields('Host: [::1]:80'), { host: '[::1]', authority: '[::1]:80' }],
    [withFields('Host: [2001:DB8::192.0.2.1]'), { host: '[2001:db8::192.0.2.1]' }],
    [withFields('Host: [1:2:3:4:5:6:7:8]'), { host: '[1:2:3:4:5:6:7:8]' }],
    [withFields('Host: a_b.example.org.'), { host: 'a_b.example.org', authority: 'a_b.example.org.' }],
    [withLine('GET /?a?b HTTP/1.1'), { path: '/', query: 'a?b' }],
    [withLine("GET /a|b[c]{d}^`~!$&'()*+,;=:@%20?\\d HTTP/1.1"), { query: '\\d' }],
    [withLine('GET //a//b/../c HTTP/1.1'), { path: '//a//b/../c' }],
    [withLine('M-SEARCH / HTTP/1.1'), { method: 'M-SEARCH' }],
    [withLine('OPTIONS * HTTP/1.1'), { target: '*', path: '*', query: '' }],
    [withHost('X: \u00e9\xff'), { headers: ['host', 'example.org', 'x', '\u00e9\xff'] }],
    [withHost('X-A: 1', 'x-a: 2'), { headers: ['host', 'example.org', 'x-a', '1', 'x-a', '2'] }],
    [withHost('Content-Length: 0'), { framing: { kind: 'length', bytes: 0 } }],
    [withHost('Content-Length: 005'), { framing: { kind: 'length', bytes: 5 } }],
    [
      withHost('Content-Length: 999999999999999'),
      { framing: { kind: 'length', bytes: 999_999_999_999_999 } },
    ],
    [withHost('Transfer-Encoding: Chunked'), { framing: { kind: 'chunked' } }],
    [withHost('Connection: close'), { keepAlive: false }],
    [withHost('Connection: CLOSE, x'), { keepAlive: false, nominated: ['x'] }],
    [withHost('Connection: keep-alive', 'Connection: close'), { keepAlive: false }],
    [withHost('Connection: , X-A,,x-b ,'), { keepAlive: true, nominated: ['x-a', 'x-b'] }],
    ['GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n', { keepAlive: true }],
    ['GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n', { keepAlive: false }],
    [withHost('Content-Length: 1', 'Expect: 100-Continue'), { expectContinue: true }],
    [withHost('Expect: 100-continue'), { expectContinue: false }],
    ['POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n', { expectContinue: false }],
  ]
  for (const [text, expected] of table) {
    const head = accepted(text)
    for (const [key, value] of Object.entries(expected)) {
      assert.deepEqual(head[key as keyof RequestHead], value, `${key} of ${JSON.stringify(text)}`)
    }
  }
})

test('Connection cannot take away what a check behind the edge looks at', () => {
  const head = accepted(
    withHost(
      'Connection: Host, Cookie, Authorization, X-Forwarded-For, Content-Length, Cache-Control, X-Own',
    ),
  )
  assert.deepEqual(head.nominated, ['x-own'])
})

test('a target in absolute form becomes a path, and its authority the Host', () => {
  const table: readonly (readonly [line: string, target: string, authority: string])[] = [
    ['GET HTTP://Other.example.org:81/a?b HTTP/1.1', '/a?b', 'other.example.org:81'],
    ['GET https://other.example.org HTTP/1.1', '/', 'other.example.org'],
    ['GET http://other.example.org?b HTTP/1.1', '/?b', 'other.example.org'],
    ['OPTIONS http://other.example.org HTTP/1.1', '*', 'other.example.org'],
    ['OPTIONS http://other.example.org/ HTTP/1.1', '/', 'other.example.org'],
  ]
  for (const [line, target, authority] of table) {
    const head = accepted(`${line}\r\nX: a\r\nHost: example.org\r\n\r\n`)
    assert.equal(head.target, target)
    assert.equal(head.authority, authority)
    assert.deepEqual(head.headers, ['x', 'a', 'host', authority])
    assert.equal(head.raw, `${head.method} ${target} HTTP/1.1\r\nx: a\r\nhost: ${authority}\r\n`)
  }
  const old = accepted('GET http://a.example.org/b HTTP/1.0\r\n\r\n')
  assert.equal(old.raw, 'GET /b HTTP/1.0\r\nhost: a.example.org\r\n')
})

test('a head that comes in pieces is read the same, wherever it is split', () => {
  const text = '\r\nGET /a?b HTTP/1.1\r\nHost: example.org\r\nX: a\r\n\r\nGET /next'
  const bytes = Buffer.from(text, 'latin1')
  const whole = parseRequestHead(bytes, 0, bytes.length, LIMITS)
  assert.equal(whole.kind, 'head')
  const headEnd = text.indexOf('GET /next')
  for (let first = 0; first < headEnd; first++) {
    assert.deepEqual(parseRequestHead(bytes, 0, first, LIMITS), { kind: 'more' }, `${first} bytes`)
    assert.deepEqual(parseRequestHead(bytes, 0, bytes.length, LIMITS, undefined, first), whole)
    // The same, a byte at a time from there.
    for (let end = first + 1; end < headEnd; end++) {
      assert.equal(parseRequestHead(bytes, 0, end, LIMITS, undefined, end - 1).kind, 'more')
    }
  }
})

test('a line that ends in a bare LF is refused at once, also when it comes late', () => {
  const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: a\n\n')
  assert.equal(parseRequestHead(bytes, 0, 20, LIMITS).kind, 'more')
  assert.equal(parseRequestHead(bytes, 0, bytes.length, LIMITS, undefined, 20).kind, 'problem')
})

/** The same bytes; counts each look at one of them, those of a search or a decoding too. */
function watched(bytes: Buffer, onLooks: (count: number) => void): Buffer {
  const methods: Partial<Record<string | symbol, (...given: never[]) => unknown>> = {
    indexOf(value: number, from: number) {
      const at = bytes.indexOf(value, from)
      onLooks((at === -1 ? bytes.length : at + 1) - from)
      return at
    },
    toString(encoding: BufferEncoding, from: number, to: number) {
      onLooks(to - from)
      return bytes.toString(encoding, from, to)
    },
  }
  return new Proxy(bytes, {
    get(_, name) {
      const value: unknown = methods[name] ?? Reflect.get(bytes, name, bytes)
      if (typeof value === 'number') onLooks(1)
      return value
    },
  })
}

test('a head that drips in costs one look at each byte', () => {
  const limits = { headBytes: 1 << 20, targetBytes: 100, headerCount: 10 }
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(2000)}\r\n\r\n`)
  let looks = 0
  const arrived = (end: number): Buffer => watched(bytes.subarray(0, end), (count) => (looks += count))
  for (let end = 1; end < bytes.length; end++) {
    assert.equal(parseRequestHead(arrived(end), 0, end, limits, undefined, end - 1).kind, 'more')
  }
  // Each byte once, and a few of those around the ends of lines again. All bytes each time would be two million looks.
  assert.ok(looks >= bytes.length - 1 && looks < bytes.length + 20, `${looks} looks at ${bytes.length} bytes`)
  const { length } = bytes
  assert.equal(parseRequestHead(arrived(length), 0, length, limits, undefined, length - 1).kind, 'head')
})

test('a head too large is refused before it is whole, however it arrives', () => {
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(2000)}`)
  for (let end = 100, scanned = 0; ; scanned = end, end += 100) {
    const result = parseRequestHead(bytes, 0, end, LIMITS, undefined, scanned)
    if (end <= LIMITS.headBytes) assert.equal(result.kind, 'more')
    else {
      assert.equal(result.kind === 'problem' && result.status, 431)
      return
    }
  }
})

test('with a memo every request is read as without', () => {
  const memo = new HeadMemo()
  const fields = 'Host: a\r\nConnection: x\r\nCookie: b=c\r\n\r\n'
  const texts = [
    `GET /1?a HTTP/1.1\r\n${fields}`,
    `GET /2 HTTP/1.1\r\n${fields}`,
    `POST /3 HTTP/1.1\r\n${fields}`,
    `GET /4 HTTP/1.0\r\n${fields}`,
    `GET /5 HTTP/1.1\r\n${fields.replace('b=c', 'b=d')}`,
    `GET http://b.example.org/6 HTTP/1.1\r\n${fields.replace('b=c', 'b=d')}`,
    `GET /7 HTTP/1.1\r\n${fields.replace('b=c', 'b=d')}`,
    `OPTIONS * HTTP/1.1\r\n${fields.replace('b=c', 'b=d')}`,
    `CONNECT /8 HTTP/1.1\r\n${fields.replace('b=c', 'b=d')}`,
    `GET /9 HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET /9 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n`,
    `GET /9 HTTP/1.1\r\nHost: a\r\n\r\n${fields}`,
    `GET /9 HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n`,
    `\r\nGET /10 HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET /11\x01 HTTP/1.1\r\nHost: a\r\n\r\n`,
  ]
  for (const text of [...texts, ...texts.toReversed(), ...texts]) {
    assert.deepEqual(parse(text, memo), parse(text), text)
  }
})

test('a repeated block does not carry a head past its limit', () => {
  const memo = new HeadMemo()
  const block = `Host: a\r\nX: ${'a'.repeat(900)}\r\n\r\n`
  assert.equal(parse(`GET / HTTP/1.1\r\n${block}`, memo).kind, 'head')
  const result = parse(`GET /${'b'.repeat(150)} HTTP/1.1\r\n${block}`, memo)
  assert.equal(result.kind === 'problem' && result.status, 431)
})

test('a connection does not hold on to a long head', () => {
  const memo = new HeadMemo()
  const limits = { headBytes: 32 * 1024, targetBytes: 8 * 1024, headerCount: 100 }
  for (const length of [100, 5000, 100]) {
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nCookie: ${'c'.repeat(length)}\r\n\r\n`)
    assert.equal(parseRequestHead(bytes, 0, bytes.length, limits, memo).kind, 'head')
    assert.equal(memo.head === undefined, length === 5000)
    assert.ok(memo.block.length < 200)
  }
})
