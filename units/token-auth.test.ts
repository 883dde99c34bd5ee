import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openUnit } from './harness.ts'

const unit = await openUnit('token-auth.ts')
after(() => unit.close())

const PLAYLIST = 'http://example.org/hls/colorbar.m3u8'
const access = (query: string, cookie?: string) =>
  unit.run({ phase: 'access', url: PLAYLIST + query, headers: cookie ? { cookie } : {} })

test('who brings no token is refused', () => {
  assert.equal(access('').status, 403)
  assert.equal(access('?token=wrong').status, 403)
  assert.equal(access('?token').status, 403)
  assert.equal(access('', 'other=token').status, 403)
})

test('the token in the query lets in, is taken out of it, and is remembered by a cookie', () => {
  const answer = access('?a=1&token=token&b=2')
  assert.equal(answer.kind, 'next')
  assert.match(answer.headers.get('set-cookie')!, /^superstition=token;/)
  assert.ok(answer.edits.includes('q a=1&b=2'))
})

test('the cookie lets in, and is not set again', () => {
  const answer = access('', 'a=b; superstition=token')
  assert.equal(answer.kind, 'next')
  assert.deepEqual(answer.edits, [])
})

test('a wrong token in the query is refused, whatever the cookie says', () => {
  assert.equal(access('?token=wrong', 'superstition=token').status, 403)
})

test('the environment says which token it is, with any characters', async (t) => {
  const own = await openUnit('token-auth.ts', { env: { TOKEN: 'a b;c' } })
  t.after(() => own.close())
  const run = (query: string, headers = {}) => own.run({ phase: 'access', url: PLAYLIST + query, headers })
  assert.equal(run('?token=token').status, 403)
  const cookie = run('?token=a%20b%3Bc').headers.get('set-cookie')!.split(';')[0]!
  assert.equal(run('', { cookie }).kind, 'next')
})

test('it runs for the demo’s playlists', () => {
  assert.deepEqual(unit.installed, { ok: true, phases: 2, fields: { paths: ['/hls/*'] } })
})
