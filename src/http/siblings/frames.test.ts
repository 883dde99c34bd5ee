import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dataHeader, END_FRAME, FrameReader, KIND, textFrame } from './frames.ts'

const BODY = Buffer.from('0123456789'.repeat(50))
const STREAM = Buffer.concat([
  textFrame(KIND.head, { status: 200, headers: ['x-a', 'ü\u0000'] }),
  dataHeader(BODY.length),
  BODY,
  dataHeader(0),
  END_FRAME,
  textFrame(KIND.none, { vary: [] }),
])

function read(pieces: readonly Buffer[]) {
  const texts: [number, unknown][] = []
  const data: Buffer[] = []
  const reader = new FrameReader({
    onText: (kind, value) => texts.push([kind, value]),
    onData: (piece) => data.push(Buffer.from(piece)),
  })
  for (const piece of pieces) reader.push(piece)
  return { texts, body: Buffer.concat(data) }
}

describe('frames between workers', () => {
  it('are the same however their bytes are cut', () => {
    for (const size of [1, 2, 3, 7, 64, STREAM.length]) {
      const pieces: Buffer[] = []
      for (let at = 0; at < STREAM.length; at += size) pieces.push(STREAM.subarray(at, at + size))
      const { texts, body } = read(pieces)
      assert.deepEqual(texts, [
        [KIND.head, { status: 200, headers: ['x-a', 'ü\u0000'] }],
        [KIND.end, undefined],
        [KIND.none, { vary: [] }],
      ])
      assert.ok(body.equals(BODY))
    }
  })

  it('of no kind, of a length that none has, or with nonsense in them are refused', () => {
    for (const bytes of [
      Buffer.from([0, 0, 0, 0, 0]),
      Buffer.from([9, 1, 0, 0, 0]),
      Buffer.from([KIND.head, 255, 255, 255, 255]),
      Buffer.from([KIND.head, 1, 0, 0, 0, 0x7b]),
      Buffer.from([KIND.head, 0, 0, 0, 0]),
    ])
      assert.throws(() => read([bytes]))
  })
})
