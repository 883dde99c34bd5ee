import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openUnit } from './harness.ts'

async function visit(
  t: TestContext,
  env: Record<string, string>,
  headers: Record<string, string> = {},
  address?: string,
) {
  const unit = await openUnit('maintenance.ts', { env })
  t.after(() => unit.close())
  return unit.run({ phase: 'rewrite', url: 'http://example.org/', headers, ...(address && { address }) })
}

test('everybody is told that it passes', async (t) => {
  const answer = await visit(t, {})
  assert.deepEqual(
    [answer.status, answer.headers.get('retry-after'), answer.headers.get('cache-control'), answer.body],
    [503, '600', 'no-store', 'down for maintenance\n'],
  )
})

test('a browser gets a page, in which texts stay texts', async (t) => {
  const answer = await visit(
    t,
    { TITLE: 'Closed <now>', MESSAGE: 'A & B', UNTIL: '2100-12-01T06:00:00Z' },
    { accept: 'text/html,*/*' },
  )
  assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
  assert.equal(answer.headers.get('retry-after'), 'Wed, 01 Dec 2100 06:00:00 GMT')
  assert.match(answer.body, /<h1>Closed &lt;now&gt;<\/h1>\n<p>A &amp; B<\/p>/)
})

test('who works on the site sees it', async (t) => {
  assert.equal((await visit(t, { ALLOW: '192.0.2.1, 192.0.2.9' }, {}, '192.0.2.9')).kind, 'next')
  assert.equal((await visit(t, { ALLOW: '192.0.2.1' }, {}, '192.0.2.9')).status, 503)
  const bypass = await visit(t, { BYPASS: 'key' }, { 'x-maintenance-bypass': 'key' })
  assert.deepEqual([bypass.kind, bypass.edits], ['next', ['d x-maintenance-bypass']])
  for (const wrong of ['other', 'kez', 'ke', ''])
    assert.equal((await visit(t, { BYPASS: 'key' }, { 'x-maintenance-bypass': wrong })).status, 503, wrong)
  assert.equal((await visit(t, { BYPASS: '' }, { 'x-maintenance-bypass': '' })).status, 503)
})

test('once its end has passed, those who ask are not all called back at once', async (t) => {
  const answer = await visit(t, { UNTIL: '2020-01-01T00:00:00Z' })
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '600'])
})

test('a time that is none is an error that names it', async (t) => {
  const answer = await visit(t, { UNTIL: 'soon' })
  assert.match(answer.message, /"soon"/)
})
