import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bound, boundOf, cacheSizeOf, parseCacheSize } from './sizes.ts'

for (const [text, expected] of [
  ['5%', { kind: 'share', share: 0.05 }],
  ['0.5 %', { kind: 'share', share: 0.005 }],
  ['1000', { kind: 'count', capacity: 1000 }],
  ['10mb', { kind: 'bytes', capacity: 10 * 1024 ** 2 }],
  ['1.5GB', { kind: 'bytes', capacity: 1.5 * 1024 ** 3 }],
  ['0', undefined],
  ['0%', undefined],
  ['0mb', undefined],
  ['-5', undefined],
  ['1e3', undefined],
  ['many', undefined],
] as const) {
  test(`"${text}" as the size of a cache`, () => assert.deepEqual(parseCacheSize(text), expected))
}

const facts = { requests: 0, distinct: 2000, requestedOnce: 0, bytes: 1e6, requestBytes: 0, hitRatioMax: 0 }

for (const [texts, asked, hasSizes, expected] of [
  [['1%'], undefined, true, ['bytes 10000']],
  [['1%'], undefined, false, ['entries 20']],
  [['1%', '500'], undefined, true, ['entries 20', 'entries 500']],
  [['1%', '500', '1kb'], undefined, true, ['bytes 10000', 'entries 500', 'bytes 1024']],
  [['1%', '500'], 'bytes', true, ['bytes 10000', 'bytes 500']],
  [['1%', '500'], 'entries', true, ['entries 20', 'entries 500']],
  [['0.0001%'], 'entries', true, ['entries 1']],
] as const) {
  const of = hasSizes ? 'with sizes' : 'without sizes'
  test(`${texts.join(', ')} by ${asked ?? 'nothing that was said'}, of a trace ${of}`, () => {
    const written = texts.map((text) => parseCacheSize(text)!)
    const by: Bound = asked ?? boundOf(written, { hasSizes })
    const sizes = written.map((size) => cacheSizeOf(size, { by, isAsked: asked !== undefined }, facts))
    assert.deepEqual(
      sizes.map(({ by, capacity }) => `${by} ${capacity}`),
      expected,
    )
  })
}

test('a size knows what share of everything it is', () => {
  const size = cacheSizeOf(parseCacheSize('500')!, { by: 'entries', isAsked: false }, facts)
  assert.equal(size.share, 0.25)
})
