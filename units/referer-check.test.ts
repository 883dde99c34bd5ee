import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openUnit } from './harness.ts'

const unit = await openUnit('referer-check.ts', { env: { REFERERS: 'example.org, *.tv.example' } })
after(() => unit.close())

const from = (referer?: string) =>
  unit.run({
    phase: 'access',
    url: 'http://cdn.example/video',
    headers: referer === undefined ? {} : { referer },
  })

test('pages of the hosts on the list are let in', () => {
  const pages = [
    'https://example.org/page?x',
    'http://EXAMPLE.org:8080/',
    'https://a.tv.example/',
    'https://b.a.tv.example/',
  ]
  for (const page of pages) assert.equal(from(page).kind, 'next', page)
})

test('other pages are refused, also those whose address only looks alike', () => {
  const pages = [
    'https://evil.example/',
    'https://evil.example/?https://example.org/',
    'https://example.org.evil.example/',
    'https://example.org@evil.example/',
    'https://notexample.org/',
    'https://tv.example/',
    'https://xtv.example/',
    'example.org',
    '',
  ]
  for (const page of pages) assert.equal(from(page).status, 403, page)
})

test('a missing referer is refused', () => {
  assert.equal(from().status, 403)
})

test('without a list nobody is let in', async (t) => {
  const bare = await openUnit('referer-check.ts')
  t.after(() => bare.close())
  const answer = bare.run({ phase: 'access', url: 'http://h/', headers: { referer: 'https://example.org/' } })
  assert.equal(answer.status, 403)
})
