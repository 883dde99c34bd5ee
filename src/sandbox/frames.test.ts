import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ANSWERED,
  FRAME_BYTES_MAX,
  FRAME_HEAD,
  FrameError,
  FrameReader,
  textFrame,
  writeHead,
} from './frames.ts'

function collect(): { readonly reader: FrameReader; readonly seen: string[] } {
  const seen: string[] = []
  const reader = new FrameReader((head, bytes, start, end) => {
    seen.push(`${head.kind} ${head.seq} ${head.slot} ${bytes.toString('utf8', start, end)}`)
  })
  return { reader, seen }
}

test('frames come out whole, however the stream is cut', () => {
  const stream = Buffer.concat([
    textFrame(ANSWERED, 1, 2, 'grüße'),
    textFrame(ANSWERED, 2, 3, ''),
    textFrame(ANSWERED, 0xffff_ffff, 4, 'x'.repeat(1000)),
  ])
  const expected = [
    `${ANSWERED} 1 2 grüße`,
    `${ANSWERED} 2 3 `,
    `${ANSWERED} 4294967295 4 ${'x'.repeat(1000)}`,
  ]
  for (const size of [1, 2, 3, 7, FRAME_HEAD, FRAME_HEAD + 1, 100, stream.length]) {
    const { reader, seen } = collect()
    for (let at = 0; at < stream.length; at += size) reader.push(stream.subarray(at, at + size))
    assert.deepEqual(seen, expected, `pieces of ${size}`)
  }
})

test('what is kept of a piece does not change when its buffer is used again', () => {
  const { reader, seen } = collect()
  const frame = textFrame(ANSWERED, 1, 2, 'abc')
  const reused = Buffer.alloc(frame.length - 1)
  frame.copy(reused, 0, 0, frame.length - 1)
  reader.push(reused)
  reused.fill(0)
  reader.push(frame.subarray(frame.length - 1))
  assert.deepEqual(seen, [`${ANSWERED} 1 2 abc`])
})

test('the reader knows whether a frame goes on in the next piece', () => {
  const { reader } = collect()
  const two = Buffer.concat([textFrame(ANSWERED, 1, 2, 'abc'), textFrame(ANSWERED, 2, 2, 'def')])
  assert.equal(reader.isAmid, false)
  reader.push(two.subarray(0, two.length - 1))
  assert.equal(reader.isAmid, true)
  reader.push(two.subarray(two.length - 1))
  assert.equal(reader.isAmid, false)
})

test('a length out of bounds is refused before anything is kept for it', () => {
  const head = Buffer.alloc(FRAME_HEAD)
  writeHead(head, 0, ANSWERED, 0, FRAME_BYTES_MAX + 1, 1, 1, 0, 0)
  const { reader } = collect()
  assert.throws(() => reader.push(head), FrameError)
})
