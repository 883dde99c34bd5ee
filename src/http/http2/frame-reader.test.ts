import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FRAME, frameHead, PREFACE, settingsFrame } from '../../wire/http2/frames.ts'
import { ConnectionError } from './connection-error.ts'
import { FrameReader } from './frame-reader.ts'

const frame = (type: number, stream: number, payload: string): string =>
  frameHead(payload.length, type, 0, stream) + payload
const LARGE = Array.from({ length: 16_384 }, (_, n) => String.fromCharCode(n % 251)).join('')
const SENT = Buffer.from(
  PREFACE +
    settingsFrame([4, 1000]) +
    frame(FRAME.ping, 0, '12345678') +
    frame(FRAME.data, 1, '') +
    frame(FRAME.data, 1, LARGE) +
    frame(FRAME.data, 3, 'the last'),
  'latin1',
)

/** Each frame as `type stream payload`, of bytes that come so many at a time into a buffer that is used again. */
function readBy(bytesMax: number): string[] {
  const frames: string[] = []
  const reader = new FrameReader({
    isClosing: false,
    onFrame: (type, _flags, stream, payload) =>
      void frames.push(`${type} ${stream} ${payload.toString('latin1')}`),
  })
  const shared = Buffer.alloc(bytesMax)
  for (let at = 0; at < SENT.length; at += bytesMax) {
    const bytes = SENT.copy(shared, 0, at, at + bytesMax)
    reader.read(shared.subarray(0, bytes))
    shared.fill(0)
  }
  return frames
}

test('frames are the same however their bytes come', () => {
  const whole = readBy(SENT.length)
  assert.deepEqual(
    whole.map((text) => text.length),
    ['4 0 '.length + 6, '6 0 '.length + 8, '0 1 '.length, '0 1 '.length + 16_384, '0 3 the last'.length],
  )
  assert.equal(whole[3], `0 1 ${LARGE}`)
  for (const bytes of [1, 2, 7, 9, 23, 4096, 16_384]) assert.deepEqual(readBy(bytes), whole, `by ${bytes}`)
})

test('what is wrong is seen before all of it has come', () => {
  const sink = { isClosing: false, onFrame: () => {} }
  const assertRefused = (...pieces: readonly string[]): void => {
    const reader = new FrameReader(sink)
    const last = pieces.at(-1)!
    for (const piece of pieces.slice(0, -1)) reader.read(Buffer.from(piece, 'latin1'))
    assert.throws(() => reader.read(Buffer.from(last, 'latin1')), ConnectionError, JSON.stringify(last))
  }
  assertRefused('PRI * HTTP/1')
  assertRefused('PRI * HTTP/', '1')
  assertRefused(PREFACE, frameHead(8, FRAME.ping, 0, 0))
  assertRefused(PREFACE + settingsFrame([]), frameHead(16_385, FRAME.data, 0, 1))
})
