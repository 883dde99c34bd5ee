/** Pieces of bodies on their way to `bodyFilter` and back, in the sandbox process and inline. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BodyPiece } from '../contract/unit-runner.ts'
import { go, startRunner, step, unit } from './testing/runner.ts'

const text = (content: string, mark: string): BodyPiece => ({ mark, bytes: Buffer.from(content, 'latin1') })
const utf8 = (content: string, mark: string): BodyPiece => ({ mark, bytes: Buffer.from(content) })

const LOUD = `chunks: 'text', bodyFilter: (chunk, last) => chunk.replace('quiet', 'LOUD') + (last ? '|end' : '')`
const long = (word: string): string => 'a'.repeat(40_000) + word + 'b'.repeat(40_000)

for (const isolation of ['process', 'inline'] as const) {
  test(`pieces that cross together reach their runs (${isolation})`, async (t) => {
    const { runner, close } = await startRunner()
    t.after(close)
    const of = unit(`${LOUD}, access(request) { return new Response(request.path) }`, {
      manifest: { isolation, chunks: 'text' },
    })
    const filter = (body: BodyPiece) => go(runner, [step(of, 'bodyFilter')], { body, response: '200\n' })
    // In one turn, so in one frame: pieces next to each other, without bytes, and among runs that have none.
    const [small, large, empty, other, plain, last] = await Promise.all([
      filter(text('quiet', 'a0')),
      filter(text(long('quiet'), 'a0')),
      filter(text('', 'a1')),
      filter(utf8('grüße quiet 🌊', 'u1')),
      go(runner, [step(of, 'access')]),
      filter(text(long('calm'), 'a1')),
    ])
    assert.ok(small.kind === 'response' && large.kind === 'response' && empty.kind === 'response')
    assert.ok(other.kind === 'response' && plain.kind === 'response' && last.kind === 'response')
    assert.deepEqual([small.body, small.kept], ['LOUD', undefined])
    // Of what is mostly kept, only the difference comes back.
    assert.deepEqual([large.body, large.kept], ['LOUD', { prefix: 40_000, suffix: 40_000 }])
    assert.equal(empty.body, '|end')
    assert.equal(other.body, 'grüße LOUD 🌊|end')
    assert.equal(plain.body, '/x')
    assert.deepEqual([last.body, last.kept], ['|end', { prefix: 80_004, suffix: 0 }])
  })
}

test('a hundred large pieces at a time come back as what they are', async (t) => {
  const { runner, close } = await startRunner()
  t.after(close)
  const of = unit(LOUD, { manifest: { chunks: 'text' } })
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      go(runner, [step(of, 'bodyFilter')], { body: text(`${i}:${long('quiet')}`, 'a0'), response: '200\n' }),
    ),
  )
  for (const [i, outcome] of outcomes.entries()) {
    assert.ok(outcome.kind === 'response')
    assert.deepEqual([outcome.body, outcome.kept?.prefix], ['LOUD', 40_000 + `${i}:`.length])
  }
})
