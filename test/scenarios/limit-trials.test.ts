/** Units with limits before they are live: their own tests, `orla bench`, `orla dev`, and beside the live version as a shadow. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { orla, startOrla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { rolloutOf } from '../harness/rollouts.ts'

const GATE = `import type { Unit } from 'orla'
export default {
  limit: ['login', { name: 'users', rate: '2/1d', key: 'header:x-user' }, { name: 'own', rate: '1/1d', key: 'unit' }],
  limits: { cpuMs: 1000, wallMs: 30000 },
  async access(request, response, edge) {
    const { allowed, retryAfterMs } = await edge.limit('own').take(request.path)
    if (!allowed) return new Response(String(retryAfterMs), { status: 403 })
    if (request.path === '/ban') response.headers.set('x-banned', (await edge.ban('2001:db8::7', '1m')).prefix)
  },
} satisfies Unit
`

function write(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'orla-limittrial-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

test("a unit's own tests see what its limits refuse, of limits that are theirs alone", async (t) => {
  const tests = (limits: string) => `import { assert, test } from 'orla/test'
export const limits = ${limits}
test('the limit that the field names', async (unit) => {
  const all = []
  for (const path of ['/a', '/b', '/c', '/d']) all.push(await unit.request(path, { headers: { 'x-user': path }, address: '192.0.2.1' }))
  assert.deepEqual(all.map(({ status, by }) => [status, by].join()), ['200,origin', '200,origin', '200,origin', '429,limit'])
  assert.ok(Number(all[3]!.headers.get('retry-after')) > 0)
  assert.deepEqual((await all[3]!.json())['violated-policies'], ['login'])
})
test('the one of the unit', async (unit) => {
  const statuses = []
  for (const path of ['/e', '/f', '/g']) {
    const { status } = await unit.request(path, { headers: { 'x-user': 'ana' }, address: '192.0.2.2' })
    statuses.push(status)
  }
  assert.deepEqual(statuses, [200, 200, 429])
})
test('the one that it asks', async (unit) => {
  const request = () => unit.request('/h', { address: '192.0.2.3' })
  assert.equal((await request()).by, 'origin')
  const refused = await request()
  assert.equal(refused.by, 'unit')
  assert.ok(Number(await refused.text()) > 0)
})
test('bans', async (unit) => {
  const { headers } = await unit.request('/ban', { address: '192.0.2.4' })
  assert.equal(headers.get('x-banned'), '2001:db8::7')
})
`
  const node = await startNode(t, {
    // Nobody's state: these are refused at once.
    config: {
      sites: [{ origin: 'http://127.0.0.1:1', limits: [{ name: 'login', rate: '1/1d', key: 'all' }] }],
    },
    files: { 'gate.ts': GATE, 'gate.test.ts': tests("{ login: '3/1d' }") },
  })
  const deployed = await node.orla('deploy', join(node.folder, 'gate.ts'))
  assert.equal(deployed.code, 0, deployed.stderr)
  assert.match(deployed.stderr, /4 tests passed/)
  const wrong = async (limits: string) => {
    writeFileSync(join(node.folder, 'gate.test.ts'), tests(limits))
    const { code, stderr } = await node.orla('deploy', join(node.folder, 'gate.ts'))
    assert.equal(code, 1)
    return stderr
  }
  assert.match(await wrong("{ login: '3' }"), /`limits\.login.*expected a rate/)
  assert.match(await wrong('5'), /`limits` is no object such as \{ login: '3\/1m' \}/)
  assert.match(
    await wrong('{}'),
    /there is no limit called `login`: the tests say which there are, in `limits`/,
  )
})

test('orla bench measures a unit whose limits allow everything', async (t) => {
  const file = join(write(t, { 'gate.ts': GATE }), 'gate.ts')
  const bench = await orla(['bench', file, '--calls', '50', '--request', 'GET /a', '--json'])
  assert.equal(bench.code, 0, bench.stderr)
  assert.match(bench.stderr, /GET \/a was answered 200 by the origin/)
})

test('orla dev has the limits of the file, and those of the command line', async (t) => {
  const origin = await startOrigin(t)
  const unit = `export default {
    async content(request, edge) {
      const { remaining } = await edge.limit(request.path.slice(1)).take('k')
      return new Response(String(remaining))
    },
  }`
  const config = {
    edge: { limitsRedis: { url: 'redis://192.0.2.1:1' } },
    limits: [{ name: 'all', rate: '9/1d', scope: 'cluster', mode: 'batched' }],
    sites: [{ origin: origin.url, limits: [{ name: 'site', rate: '7/1d' }] }],
  }
  const folder = write(t, { 'taker.ts': unit, 'edge.json': JSON.stringify(config) })
  const dev = await startOrla(t, [
    'dev',
    join(folder, 'taker.ts'),
    '--config',
    join(folder, 'edge.json'),
    '--limit',
    'mine=5/1d',
    '--listen',
    '127.0.0.1:0',
  ])
  await eventually(() => /^deployed taker 1 live/m.test(dev.stdout()), { what: dev.stderr })
  const remaining = async (name: string) => (await ask(`${dev.edges[0]}/${name}`)).text
  assert.deepEqual(
    [await remaining('all'), await remaining('site'), await remaining('mine')],
    ['8', '6', '4'],
  )
  await eventually(() => /limit\.take mine k/.test(dev.stdout()), { what: dev.stdout })
})

test('a shadow looks at limits and takes of none, and bans nobody', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url, limits: [{ name: 'login', rate: '100/1d' }] }] },
    units: { gate: 'export default { access() {} }' },
  })
  const next = `export default {
    limit: { rate: '1/1d', key: 'all' },
    async access(request, response, edge) {
      const { allowed } = await edge.limit('login').take('k')
      await edge.ban('192.0.2.7', '1m')
      if (!allowed) return new Response('no', { status: 403 })
    },
  }`
  await node.deploy('gate', next, { shadow: {} })
  for (let i = 0; i < 5; i++) assert.equal((await node.request('/')).status, 200)
  await eventually(async () => (await rolloutOf<'shadow'>(node, 'gate')).results.same === 5)
  const { text } = await node.api('GET', '/metrics')
  assert.doesNotMatch(text, /orla_limit_decisions_total\{[^}]*limit="login"[^}]*\} [1-9]/)
  assert.equal((await node.api('GET', '/v1/bans')).text.includes('192.0.2.7'), false)
})
