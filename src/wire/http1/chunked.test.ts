import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkedDecoder } from './chunked.ts'
import { serialiseChunkSize, serialiseLastChunk } from './serialise.ts'

const LIMITS = { headBytes: 256, headerCount: 4 }

/** Decodes a body that arrives in pieces of that many bytes. */
function decode(text: string, pieceBytes: number) {
  const bytes = Buffer.from(text, 'latin1')
  const decoder = new ChunkedDecoder(LIMITS)
  let body = ''
  let at = 0
  while (at < bytes.length && !decoder.done && decoder.problem === undefined) {
    const end = Math.min(bytes.length, at + pieceBytes)
    const next = decoder.feed(bytes, at, end, (chunk) => (body += chunk.toString('latin1')))
    if (!decoder.done && decoder.problem === undefined) assert.equal(next, end)
    at = next
  }
  const { done, trailers, problem } = decoder
  return { body, done, trailers, reason: problem?.reason, rest: done ? text.slice(at) : '' }
}

test('a body is read the same, however it is split', () => {
  const text =
    '5\r\nhello\r\n' +
    '0A;name;other=token;third="a \\" ; b"\r\n0123456789\r\n' +
    '1\r\n\r\r\n' +
    '00\r\nX-Trailer: a\r\nY: b\r\n\r\nGET / HTTP/1.1'
  const expected = {
    body: 'hello0123456789\r',
    done: true,
    trailers: ['x-trailer', 'a', 'y', 'b'],
    reason: undefined,
    rest: 'GET / HTTP/1.1',
  }
  for (let piece = 1; piece <= text.length; piece++)
    assert.deepEqual(decode(text, piece), expected, `${piece} bytes`)
})

test('trailers that would change whom a message is for, or who is believed, are dropped', () => {
  const fields = [
    'Host: a',
    'Authorization: b',
    'Set-Cookie: c',
    'Cache-Control: no-store',
    'X-Forwarded-For: e',
  ]
  for (const field of fields)
    assert.deepEqual(decode(`0\r\n${field}\r\nX: d\r\n\r\n`, 100).trailers, ['x', 'd'])
})

test('what is not exactly a chunked body is refused, however it is split', () => {
  const refused: readonly (readonly [text: string, reason: RegExp])[] = [
    ['\r\n', /without a size/],
    [';a\r\n', /without a size/],
    [' 5\r\nhello\r\n', /without a size/],
    ['-5\r\nhello\r\n', /without a size/],
    ['+5\r\nhello\r\n', /without a size/],
    ['0x5\r\nhello\r\n', /hexadecimal/],
    ['5 \r\nhello\r\n', /hexadecimal/],
    ['5\t;a\r\nhello\r\n', /hexadecimal/],
    ['5_0\r\nhello\r\n', /hexadecimal/],
    ['5g\r\nhello\r\n', /hexadecimal/],
    ['5\nhello\r\n', /bare LF/],
    ['5\rhello\r\n', /bare CR/],
    ['5\r\r\nhello\r\n', /bare CR/],
    ['5\r\nhello\n0\r\n\r\n', /followed by CRLF/],
    ['5\r\nhello0\r\n\r\n', /followed by CRLF/],
    ['5\r\nhello\rX', /followed by CRLF/],
    ['4\r\nhello\r\n', /followed by CRLF/],
    ['6\r\nhello\r\n0\r\n\r\n', /followed by CRLF/],
    ['10000000000000\r\n', /too large/],
    ['FFFFFFFFFFFFFFFF5\r\nhello\r\n', /too large/],
    ['5;\r\nhello\r\n', /extension/],
    ['5; a\r\nhello\r\n', /extension/],
    ['5;a =b\r\nhello\r\n', /extension/],
    ['5;a=\r\nhello\r\n', /extension/],
    ['5;a="b\r\nhello\r\n', /extension/],
    ['5;a="b"c\r\nhello\r\n', /extension/],
    ['5;a\nhello\r\n', /bare LF/],
    ['5;a=b\nhello\r\n', /bare LF/],
    ['5;a\0\r\nhello\r\n', /extension/],
    [`5;${'a'.repeat(5000)}\r\nhello\r\n`, /too long/],
    [`${'1;aaaaaaaaaa\r\nx\r\n'.repeat(400)}`, /too long/],
    ['0\r\nX : a\r\n\r\n', /before the colon/],
    ['0\r\n X: a\r\n\r\n', /space before/],
    ['0\r\nX: a\n\r\n', /bare LF/],
    ['0\r\n\n', /bare LF/],
    ['0\r\nContent-Length: 5\r\n\r\n', /framing/],
    ['0\r\nTransfer-Encoding: chunked\r\n\r\n', /framing/],
    ['0\r\nX: a\r\nconnection: close\r\n\r\n', /framing/],
    ['0\r\n\rX', /bare CR/],
    [`0\r\nX: ${'a'.repeat(300)}\r\n\r\n`, /too large/],
    [`0\r\n${'X: a\r\n'.repeat(5)}\r\n`, /too many/],
  ]
  for (const [text, reason] of refused) {
    for (const piece of [1, 3, text.length]) {
      const result = decode(text, piece)
      assert.match(result.reason ?? 'accepted', reason, `${JSON.stringify(text.slice(0, 40))} by ${piece}`)
      assert.equal(result.done, false)
    }
  }
})

test('trailers that drip in are bounded', () => {
  const decoder = new ChunkedDecoder(LIMITS)
  const head = Buffer.from('0\r\nX: ')
  decoder.feed(head, 0, head.length, () => {})
  const letter = Buffer.from('a')
  let fed = 0
  for (; decoder.problem === undefined && fed < 1000; fed++) decoder.feed(letter, 0, 1, () => {})
  assert.equal(decoder.problem?.status, 431)
  assert.ok(fed <= LIMITS.headBytes)
})

test('the data is handed on where it lies, without a copy', () => {
  const bytes = Buffer.from('5\r\nhello\r\n0\r\n\r\n')
  const decoder = new ChunkedDecoder(LIMITS)
  decoder.feed(bytes, 0, bytes.length, (chunk) => {
    assert.equal(chunk.buffer, bytes.buffer)
    assert.equal(chunk.byteOffset, bytes.byteOffset + 3)
  })
  assert.equal(decoder.done, true)
})

test('small chunks that arrive together are handed on together', () => {
  const small = '1\r\na\r\n'.repeat(5000)
  const large = `800\r\n${'b'.repeat(2048)}\r\n`
  const bytes = Buffer.from(`${small}${large}${small}${large}0\r\n\r\n`)
  const decoder = new ChunkedDecoder(LIMITS)
  const pieces: string[] = []
  decoder.feed(bytes, 0, bytes.length, (chunk) => pieces.push(chunk.toString('latin1')))
  assert.deepEqual(pieces, ['a'.repeat(5000), 'b'.repeat(2048) + 'a'.repeat(5000), 'b'.repeat(2048)])
  assert.equal(decoder.done, true)
})

test('what the serialiser writes, the decoder reads', () => {
  const text = `${serialiseChunkSize(26)}abcdefghijklmnopqrstuvwxyz\r\n${serialiseLastChunk(['x', 'y'])}`
  const result = decode(text, 7)
  assert.equal(result.body, 'abcdefghijklmnopqrstuvwxyz')
  assert.deepEqual(result.trailers, ['x', 'y'])
  assert.equal(decode(serialiseLastChunk(), 1).done, true)
})
