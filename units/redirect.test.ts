import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openUnit } from './harness.ts'

const REDIRECTS = `
  /old        /new  301
  /blog/*     https://blog.example.org/*
  /search     https://search.example/?from=edge 302; /root/* /*
`
const unit = await openUnit('redirect.ts', { env: { REDIRECTS } })
after(() => unit.close())

const to = (path: string) => {
  const { status, headers } = unit.run({ phase: 'rewrite', url: `http://example.org${path}` })
  return `${status} ${headers.get('location')}`
}

test('a path on the list is sent where its rule says', () => {
  assert.equal(to('/old'), '301 /new')
  assert.equal(to('/blog/2026/a'), '308 https://blog.example.org/2026/a')
})

test('the query goes along', () => {
  assert.equal(to('/old?a=1&b=2'), '301 /new?a=1&b=2')
  assert.equal(to('/search?q=x'), '302 https://search.example/?from=edge&q=x')
})

test('other paths go on', () => {
  for (const path of ['/', '/older', '/old/', '/blog']) {
    assert.equal(unit.run({ phase: 'rewrite', url: `http://example.org${path}` }).kind, 'next', path)
  }
})

test('a path with two slashes does not become another host', () => {
  assert.equal(to('/root//evil.example/x'), '308 /evil.example/x')
})

test('a line that is no rule is an error that names it', async (t) => {
  for (const line of ['/only-from', 'old /new', '/a /b 200', '/a /b 301 more']) {
    const broken = await openUnit('redirect.ts', { env: { REDIRECTS: line } })
    t.after(() => broken.close())
    const answer = broken.run({ phase: 'rewrite', url: 'http://example.org/' })
    assert.equal(answer.kind, 'threw')
    assert.ok(answer.message.includes(line))
  }
})
