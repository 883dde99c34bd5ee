/**
 * Bytes that are no request of HTTP/1.1, or that two servers could read differently, with and without TLS: each is refused with its
 * status, nothing behind it is read, the connection closes, and whoever comes next is served.
 *
 * What is malformed is told in full beside the parser (`src/wire/http1/request-parser.test.ts`).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateMaker } from '../harness/certificates.ts'
import { PATIENT, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { exchange } from '../harness/raw-client.ts'

const head = (...lines: readonly string[]) => `${lines.join('\r\n')}\r\n\r\n`
const get = (...fields: readonly string[]) => head('GET / HTTP/1.1', 'Host: a', ...fields)
const chunks = (body: string) => `${head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}${body}`

const MALFORMED: Readonly<Record<string, readonly [bytes: string, status: number]>> = {
  // The request line.
  'two spaces in the request line': [head('GET  / HTTP/1.1', 'Host: a'), 400],
  'a request line without a version': [head('GET /', 'Host: a'), 400],
  'a method in small letters': [head('get / HTTP/1.1', 'Host: a'), 400],
  'a target that is no path': [head('GET a HTTP/1.1', 'Host: a'), 400],
  'two empty lines first': [`\r\n\r\n${get()}`, 400],
  'the beginning of a TLS handshake': ['\x16\x03\x01\x02\x00\x01\r\n\r\n', 400],
  'HTTP/2.5': [head('GET / HTTP/2.5', 'Host: a'), 505],
  'HTTP/0.9': [head('GET / HTTP/0.9', 'Host: a'), 505],
  CONNECT: [head('CONNECT a:443 HTTP/1.1', 'Host: a:443'), 501],
  'a target that is too long': [head(`GET /${'a'.repeat(9000)} HTTP/1.1`, 'Host: a'), 414],
  // Lines and fields.
  'a folded line': [get('X: a', ' b'), 400],
  'a space before the colon': [get('X : a'), 400],
  'a field without a colon': [get('X'), 400],
  'a bare LF': ['GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n', 400],
  'a bare LF at the end': ['GET / HTTP/1.1\r\nHost: a\r\n\n', 400],
  'a bare CR': ['GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n', 400],
  'NUL in a value': [get('X: a\0b'), 400],
  'NUL in a name': [get('X\0: a'), 400],
  'fields that are too large': [get(`X: ${'a'.repeat(33 * 1024)}`), 431],
  'too many fields': [get(...Array.from({ length: 101 }, (_, i) => `X${i}: a`)), 431],
  'an expectation that is not known': [get('Expect: 200-ok'), 417],
  // The host.
  'no Host': [head('GET / HTTP/1.1', 'X: a'), 400],
  'two Hosts': [get('Host: b'), 400],
  'a Host that is none': [head('GET / HTTP/1.1', 'Host: a b'), 400],
  // Where the body ends.
  'two lengths': [`${get('Content-Length: 5', 'Content-Length: 6')}hello!`, 400],
  'the same length twice': [`${get('Content-Length: 5', 'Content-Length: 5')}hello`, 400],
  'a length that is no number': [`${get('Content-Length: +5')}hello`, 400],
  'a length and chunks': [`${get('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`, 400],
  'a coding that is not chunked': [get('Transfer-Encoding: identity'), 400],
  'a coding that is not known': [get('Transfer-Encoding: gzip, chunked'), 501],
  'a chunk whose size is none': [chunks('x\r\nhello\r\n0\r\n\r\n'), 400],
  'a chunk whose size is negative': [chunks('-5\r\nhello\r\n0\r\n\r\n'), 400],
  'a chunk whose size is too large for a number': [chunks(`${'f'.repeat(17)}\r\nhello\r\n`), 400],
  'a chunk that is longer than its size': [chunks('4\r\nhello\r\n0\r\n\r\n'), 400],
  'a chunk size that ends in a bare LF': [chunks('5\nhello\r\n0\r\n\r\n'), 400],
}

test('what is malformed is refused and closes the connection, and others are served', async (t) => {
  const certificates = [certificateMaker(t).make('a', ['a'])]
  /** Requests that came whole. */
  const whole: string[] = []
  const origin = await startOrigin(t, (request, response) => {
    request.on('error', () => {})
    request.resume().on('end', () => {
      whole.push(`${request.method} ${request.url}`)
      response.end('served')
    })
  })
  const node = await startNode(t, {
    config: {
      edge: { listen: ['127.0.0.1:0', { address: '127.0.0.1:0', tls: { certificates } }], limits: PATIENT },
      sites: [{ origin: origin.url }],
    },
  })
  for (const url of node.urls) {
    const { protocol } = new URL(url)
    for (const [what, [bytes, status]] of Object.entries(MALFORMED)) {
      await t.test(`${protocol} ${what}`, async () => {
        whole.length = 0
        const answer = await exchange(url, `${bytes}${head('GET /behind HTTP/1.1', 'Host: a')}`)
        assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
        assert.match(answer, /^connection: close\r$/im)
        assert.equal(answer.match(/^HTTP\/1\.1 \d/gm)?.length, 1, answer)
        const next = await exchange(url, head('GET /next HTTP/1.1', 'Host: a', 'Connection: close'))
        assert.match(next, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nserved$/)
        assert.deepEqual(whole, ['GET /next'])
      })
    }
  }
})
