/** The guard of a login with its real limits, as the tests of a deploy would run it. What a ban does is shown by `test/scenarios/ban-units.test.ts`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { eventually } from '../test/harness/eventually.ts'
import { bundle } from '../src/checker/bundle.ts'
import type { UnitVersion } from '../src/contract/unit.ts'
import { makeBundles } from '../src/sandbox/bundle-files.ts'
import { startTrial } from '../src/trial/trial.ts'
import { TrialLimits } from '../src/trial/trial-limits.ts'
import { runRequest, type UnitAnswer } from '../src/trial/unit-request.ts'
import { parseManifest } from '../src/unit/manifest.ts'

type Try = (address: string, status?: number) => Promise<UnitAnswer>

/** Tries at the login, each with what the origin says of it. */
async function guard(t: TestContext, env: UnitVersion['env'] = {}): Promise<{ try: Try; log: string[] }> {
  const source = readFileSync(new URL('login-guard.ts', import.meta.url), 'utf8')
  const built = await bundle(new Map([['login-guard.ts', source]]), 'login-guard.ts', 'ts')
  assert.ok(built.ok, JSON.stringify(built))
  const log: string[] = []
  const limits = new TrialLimits()
  const trial = startTrial({
    bundles: await makeBundles(),
    node: { name: 'test', groups: [] },
    limits,
    onLine: ({ level, message }) => log.push(`${level}: ${message}`),
  })
  t.after(async () => {
    await trial.close()
    limits.close()
  })
  const { code, sourceMap } = built
  const draft = { name: 'login-guard', version: 1, code, sourceMap, env, ...known({}, 0) }
  const { module, problems } = await trial.runner.try(draft)
  assert.deepEqual(problems, [])
  // A machine that stands still is no slow unit.
  const unit = {
    ...draft,
    ...known({ ...module!.fields, limits: { cpuMs: 1000, wallMs: 30_000 } }, module!.phases),
  }
  limits.addOwn(unit)
  return {
    log,
    try: (address, status = 401) =>
      runRequest(
        trial.runner,
        unit,
        {
          method: 'POST',
          target: '/login',
          headers: ['host', 'example.org'],
          body: '',
          address,
          scheme: 'https',
          endpoints: [],
          origin: { status, headers: [], body: '' },
        },
        { limits },
      ),
  }
}

function known(fields: unknown, phases: number): Pick<UnitVersion, 'manifest' | 'phases'> {
  const result = parseManifest(fields)
  assert.ok('manifest' in result, JSON.stringify(result))
  return { manifest: result.manifest, phases }
}

test('five tries may fail, and the one after them waits', async (t) => {
  const login = await guard(t)
  for (let i = 0; i < 5; i++)
    assert.equal((await login.try('192.0.2.1', i % 2 === 0 ? 401 : 403)).by, 'origin')
  const refused = await login.try('192.0.2.1', 200)
  assert.deepEqual([refused.by, refused.response.status], ['unit', 429])
  const retryAfter = Number(refused.response.headers[refused.response.headers.indexOf('retry-after') + 1])
  assert.ok(retryAfter > 60 && retryAfter <= 120, String(retryAfter))
  assert.equal((await login.try('192.0.2.2')).by, 'origin', 'another client')
})

test('a try that did not fail is no failure, but more than twenty a minute are too many', async (t) => {
  const login = await guard(t)
  for (let i = 0; i < 20; i++) assert.equal((await login.try('2001:db8::1', 200)).by, 'origin')
  const answers = await Promise.all(Array.from({ length: 5 }, (_, i) => login.try(`2001:db8::${i}:2`, 200)))
  assert.ok(
    answers.some(({ by, response }) => by === 'limit' && response.status === 429),
    'of the same /64',
  )
})

test('who goes on is banned where that is asked for, and what keeps it from being banned is told', async (t) => {
  const login = await guard(t, { BAN: '1h' })
  for (let i = 0; i < 16; i++) await login.try('192.0.2.1')
  await eventually(() => login.log.length > 0)
  assert.deepEqual(login.log, ['warn: banned 192.0.2.1 for 1h'])
  const wrong = await guard(t, { BAN: 'soon' })
  for (let i = 0; i < 16; i++) await wrong.try('192.0.2.1')
  await eventually(() => wrong.log.length > 0)
  assert.match(wrong.log.join(), /^warn: edge\.ban: "soon" is not a time/)
  const calm = await guard(t)
  for (let i = 0; i < 18; i++) await calm.try('192.0.2.1')
  assert.deepEqual(calm.log, [])
})
