import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRanges } from './byte-ranges.ts'
import { lengthOf, partedAnswer } from './multipart.ts'

test('RFC 9110 §15.3.7.1: one part is sent as it is, also where several were asked for', () => {
  for (const field of ['bytes=2-4', 'bytes=2-3,4-4'])
    assert.deepEqual(partedAnswer(parseRanges(field, 10), 10, 'text/plain'), {
      status: 206,
      headers: ['content-type', 'text/plain', 'content-range', 'bytes 2-4/10'],
      segments: [{ start: 2, end: 5 }],
    })
})

test('RFC 9110 §15.3.7.2: several parts come between boundaries, each with its type and place', () => {
  const { status, headers, segments } = partedAnswer(parseRanges('bytes=0-1,-2', 10), 10, 'text/plain')
  assert.equal(status, 206)
  assert.equal(headers[0], 'content-type')
  const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(headers[1]!)![1]!
  const text = segments.map((segment) =>
    typeof segment === 'string' ? segment : '0123456789'.slice(segment.start, segment.end),
  )
  const body = text.join('')
  assert.equal(
    body,
    `\r\n--${boundary}\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-1/10\r\n\r\n01` +
      `\r\n--${boundary}\r\ncontent-type: text/plain\r\ncontent-range: bytes 8-9/10\r\n\r\n89\r\n--${boundary}--\r\n`,
  )
  assert.equal(lengthOf(segments), body.length)
  // What has no type gets none.
  assert.ok(!partedAnswer(parseRanges('bytes=0-1,-2', 10), 10, undefined).segments.join('').includes('type'))
})

test('RFC 9110 §15.5.17: 416 says how much there is', () => {
  assert.deepEqual(partedAnswer(parseRanges('bytes=10-', 10), 10, 'text/plain'), {
    status: 416,
    headers: ['content-range', 'bytes */10'],
    segments: [],
  })
})
