import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { openUnit } from './harness.ts'

const LATER = Math.floor(Date.now() / 1000) + 3600
const sign = (path: string, expires: number | string, key = 'topsecret') =>
  createHmac('sha256', key).update(`${path}\n${expires}`).digest('hex')

async function open(t: TestContext, env: Record<string, string>) {
  const unit = await openUnit('signed-url.ts', { env })
  t.after(() => unit.close())
  return (target: string) => unit.run({ phase: 'access', url: `http://example.org${target}` })
}

test('a signed link lets in, and its arguments are taken out', async (t) => {
  const visit = await open(t, { KEY: 'topsecret' })
  const good = visit(`/signed/a%20b?x=1&expires=${LATER}&signature=${sign('/signed/a%20b', LATER)}`)
  assert.deepEqual([good.kind, good.edits], ['next', ['q x=1']])
})

test('what is not signed, signed for something else, or changed is refused', async (t) => {
  const visit = await open(t, { KEY: 'topsecret' })
  const signature = sign('/signed/a', LATER)
  for (const target of [
    '/signed/a',
    `/signed/a?expires=${LATER}`,
    `/signed/a?expires=${LATER}&signature=`,
    `/signed/a?expires=${LATER}&signature=${signature.slice(2)}`,
    `/signed/b?expires=${LATER}&signature=${signature}`,
    `/signed/a?expires=${LATER + 1}&signature=${signature}`,
    `/signed/a?expires=x&signature=${signature}`,
    `/signed/a?expires=${LATER}&signature=${sign('/signed/a', LATER, 'other')}`,
  ])
    assert.equal(visit(target).status, 403, target)
})

test('a link that has expired says so', async (t) => {
  const visit = await open(t, { KEY: 'topsecret' })
  const answer = visit(`/signed/a?expires=1000&signature=${sign('/signed/a', 1000)}`)
  assert.deepEqual([answer.status, answer.body], [410, 'the link has expired\n'])
})

test('while keys are changed, the old one counts too', async (t) => {
  const visit = await open(t, { KEY: 'new', OLD_KEY: 'old' })
  for (const key of ['new', 'old'])
    assert.equal(
      visit(`/signed/a?expires=${LATER}&signature=${sign('/signed/a', LATER, key)}`).kind,
      'next',
      key,
    )
})

test('an old key that was emptied counts no more', async (t) => {
  const visit = await open(t, { KEY: 'new', OLD_KEY: '' })
  assert.equal(visit(`/signed/a?expires=${LATER}&signature=${sign('/signed/a', LATER, 'old')}`).status, 403)
  assert.equal(visit(`/signed/a?expires=${LATER}&signature=${sign('/signed/a', LATER, '')}`).status, 403)
})

test('without a key it lets nobody in, and says why', async (t) => {
  const visit = await open(t, {})
  assert.match(visit('/signed/a').message, /KEY is not set/)
})
