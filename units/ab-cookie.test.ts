import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openUnit } from './harness.ts'

test('a newcomer draws a variant, and is remembered', async (t) => {
  const unit = await openUnit('ab-cookie.ts')
  t.after(() => unit.close())
  const seen = new Set<string>()
  for (let visit = 0; visit < 100; visit++) {
    const answer = unit.run({ phase: 'rewrite', url: 'http://example.org/page' })
    const [, variant = ''] = /^ab=(\w+); Path=\/; Max-Age=2592000; SameSite=Lax$/.exec(
      answer.headers.get('set-cookie')!,
    )!
    assert.ok(answer.edits.includes(`h x-variant: ${variant}`))
    assert.equal(answer.headers.get('vary'), 'cookie')
    seen.add(variant)
  }
  assert.deepEqual([...seen].toSorted(), ['a', 'b'])
})

test('who has a cookie stays with its variant, and gets no other cookie', async (t) => {
  const unit = await openUnit('ab-cookie.ts', { env: { VARIANTS: 'control=100, new=0:/next' } })
  t.after(() => unit.close())
  const visit = (cookie: string) =>
    unit.run({ phase: 'rewrite', url: 'http://example.org/page', headers: { cookie } })
  assert.deepEqual(visit('x=y; ab=new').edits, ['h x-variant: new', 'A vary: cookie', 'p /next/page'])
  assert.deepEqual(visit('ab=control').edits, ['h x-variant: control', 'A vary: cookie'])
  const forged = visit('ab=evil')
  assert.ok(forged.edits.includes('h x-variant: control'))
  assert.match(forged.headers.get('set-cookie')!, /^ab=control/)
})

test('a value that is none is an error that names it', async (t) => {
  for (const [env, message] of [
    [{ VARIANTS: 'a=50, b' }, /"b"/],
    [{ VARIANTS: 'a=x' }, /"a=x"/],
    [{ VARIANTS: 'a=0, b=0' }, /above 0/],
    [{ COOKIE: 'a b' }, /COOKIE is "a b"/],
    [{ DAYS: 'many' }, /DAYS is "many"/],
  ] as const) {
    const unit = await openUnit('ab-cookie.ts', { env })
    t.after(() => unit.close())
    const answer = unit.run({ phase: 'rewrite', url: 'http://example.org/' })
    assert.equal(answer.kind, 'threw')
    assert.match(answer.message, message)
  }
})
