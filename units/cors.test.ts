import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openUnit } from './harness.ts'

async function cors(t: TestContext, env: Record<string, string>) {
  const unit = await openUnit('cors.ts', { env })
  t.after(() => unit.close())
  return (method: string, headers: Record<string, string>) =>
    unit.run({ phase: 'access', url: 'http://example.org/api', method, headers })
}

const PREFLIGHT = { origin: 'https://app.example', 'access-control-request-method': 'PUT' }

test('every origin may read by default', async (t) => {
  const send = await cors(t, {})
  const answer = send('GET', { origin: 'https://app.example' })
  assert.equal(answer.kind, 'next')
  assert.equal(answer.headers.get('access-control-allow-origin'), '*')
  assert.equal(answer.headers.get('vary'), null)
})

test('a preflight is answered here', async (t) => {
  const send = await cors(t, {
    ORIGINS: 'https://app.example',
    METHODS: 'PUT',
    HEADERS: 'x-a, x-b',
    MAX_AGE: '60',
  })
  const answer = send('OPTIONS', PREFLIGHT)
  assert.equal(answer.status, 204)
  assert.deepEqual(
    [...answer.headers],
    [
      ['access-control-allow-headers', 'x-a, x-b'],
      ['access-control-allow-methods', 'PUT'],
      ['access-control-allow-origin', 'https://app.example'],
      ['access-control-max-age', '60'],
      ['vary', 'origin'],
    ],
  )
})

test('an OPTIONS that is no preflight goes on', async (t) => {
  const send = await cors(t, {})
  assert.equal(send('OPTIONS', { origin: 'https://app.example' }).kind, 'next')
})

test('origins that are not on the list get nothing, and caches are told that it depends', async (t) => {
  const send = await cors(t, { ORIGINS: 'https://app.example, https://b.example' })
  for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, {}]) {
    const answer = send('GET', headers as Record<string, string>)
    assert.equal(answer.kind, 'next')
    assert.deepEqual([...answer.headers], [['vary', 'origin']])
  }
  assert.equal(send('OPTIONS', { ...PREFLIGHT, origin: 'https://evil.example' }).kind, 'next')
  assert.equal(
    send('GET', { origin: 'https://b.example' }).headers.get('access-control-allow-origin'),
    'https://b.example',
  )
})

test('credentials need origins by name', async (t) => {
  assert.equal((await cors(t, { CREDENTIALS: 'yes' }))('GET', {}).kind, 'threw')
  const send = await cors(t, { CREDENTIALS: 'yes', ORIGINS: 'https://app.example' })
  assert.equal(
    send('GET', { origin: 'https://app.example' }).headers.get('access-control-allow-credentials'),
    'true',
  )
})
