import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodyStart } from './body-start.ts'

const text = (start: BodyStart, piece: string): string | undefined =>
  start.take(Buffer.from(piece))?.toString()

test('a small body is taken whole, in however many pieces it comes', () => {
  assert.equal(text(new BodyStart(5), 'hello'), 'hello')
  const drips = new BodyStart(5)
  assert.deepEqual(
    ['h', 'el', 'l', 'o'].map((piece) => text(drips, piece)),
    [undefined, undefined, undefined, 'hello'],
  )
})

test('of a large one the first 16 KiB are enough, and nothing of the piece is lost', () => {
  const start = new BodyStart(1_000_000)
  const piece = Buffer.alloc(10_000, 'a')
  assert.equal(start.take(piece), undefined)
  piece.fill('b')
  assert.equal(start.take(piece)?.toString(), 'a'.repeat(10_000) + 'b'.repeat(10_000))
})
