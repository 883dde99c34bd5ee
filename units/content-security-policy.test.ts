import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openUnit } from './harness.ts'

async function policyOf(t: TestContext, env: Record<string, string>, headers: Record<string, string>) {
  const unit = await openUnit('content-security-policy.ts', { env })
  t.after(() => unit.close())
  return unit.run({ phase: 'headerFilter', url: 'http://example.org/', response: { status: 200, headers } })
    .edits
}

const PAGE = { 'content-type': 'text/html; charset=utf-8' }

test('pages get the policy, other answers none', async (t) => {
  assert.deepEqual(await policyOf(t, {}, PAGE), ["H content-security-policy: default-src 'self'"])
  assert.deepEqual(await policyOf(t, {}, { 'content-type': 'image/png' }), [])
  assert.deepEqual(await policyOf(t, {}, {}), [])
  assert.deepEqual(await policyOf(t, { POLICY: 'img-src *' }, { 'content-type': 'TEXT/HTML' }), [
    'H content-security-policy: img-src *',
  ])
})

test('a policy of the origin stays, unless it is to be replaced', async (t) => {
  const own = { ...PAGE, 'content-security-policy': "default-src 'none'" }
  assert.deepEqual(await policyOf(t, {}, own), [])
  assert.deepEqual(await policyOf(t, { OVERRIDE: 'yes' }, own), [
    "H content-security-policy: default-src 'self'",
  ])
})

test('a policy that is tried out is only reported', async (t) => {
  assert.deepEqual(await policyOf(t, { REPORT_ONLY: 'yes' }, PAGE), [
    "H content-security-policy-report-only: default-src 'self'",
  ])
})
