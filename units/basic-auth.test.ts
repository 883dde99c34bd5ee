import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openUnit } from './harness.ts'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

async function open(t: TestContext, env: Record<string, string>) {
  const unit = await openUnit('basic-auth.ts', { env })
  t.after(() => unit.close())
  return (authorization?: string) =>
    unit.run({
      phase: 'access',
      url: 'http://example.org/',
      headers: authorization === undefined ? {} : { authorization },
    })
}

test('who is known gets in, and the header goes no further', async (t) => {
  const visit = await open(t, { USERS: 'ana:correct horse, éli:a:b' })
  for (const known of ['ana:correct horse', 'éli:a:b']) {
    const answer = visit(basic(known))
    assert.deepEqual([answer.kind, answer.edits], ['next', ['d authorization']], known)
  }
})

test('others are asked', async (t) => {
  const visit = await open(t, { USERS: 'ana:secret', REALM: 'the "site"' })
  for (const wrong of [
    undefined,
    '',
    'Basic',
    'Basic !!!',
    basic('ana'),
    basic('ana:'),
    basic('ana:other'),
    basic(':secret'),
    'Bearer x',
    basic(''),
  ]) {
    const answer = visit(wrong)
    assert.equal(answer.status, 401, String(wrong))
    assert.equal(answer.headers.get('www-authenticate'), 'Basic realm="the site", charset="UTF-8"')
  }
})

test('the header stays where the origin asks as well', async (t) => {
  const visit = await open(t, { USERS: 'ana:secret', KEEP: 'yes' })
  assert.deepEqual(visit(basic('ana:secret')).edits, [])
})

test('without users, or with an entry that is none, nobody gets in', async (t) => {
  assert.match((await open(t, {}))(basic('a:b')).message, /USERS is not set/)
  assert.match((await open(t, { USERS: 'ana' }))(basic('a:b')).message, /NAME:PASSWORD/)
})
