/** `orla dev` in front of the sites of a configuration, and private addresses that a unit may fetch there and in `orla bench`. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { orla, startOrla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { startOrigin } from '../harness/origin.ts'

const UNIT = `export default {
  limits: { cpuMs: 1000, wallMs: 30_000 },
  async access(request, response, edge) {
    if (!request.query.has('ask')) return
    const answer = await fetch(edge.env.API + request.path)
    response.headers.set('x-api', await answer.text())
  },
}
`

function write(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'orla-devconfig-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'public'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

test('the sites are those of the file, and so is what may be fetched, with what --allow-fetch adds', async (t) => {
  const origin = await startOrigin(t, (request, response) => response.end(`origin ${request.headers.host}`))
  const api = await startOrigin(t, (request, response) => response.end(`api ${request.url}`))
  const config = {
    // Neither these addresses nor these logs are those of a unit's author.
    edge: { listen: '192.0.2.1:1', accessLog: '/nowhere/log', fetch: { sites: ['localhost'] } },
    sites: [
      { hosts: ['tv.example.com'], origin: origin.url, redirectHttps: true, accessLog: '/nowhere/tv.log' },
      { hosts: ['www.example.com'], static: 'public' },
    ],
  }
  const folder = write(t, {
    'gate.ts': UNIT,
    'edge.json': JSON.stringify(config),
    'public/index.html': 'a page',
  })
  const file = join(folder, 'gate.ts')
  const allowed = ['--allow-fetch', new URL(api.url).host, '--env', `API=${api.url}`]
  const dev = await startOrla(t, [
    'dev',
    file,
    '--config',
    join(folder, 'edge.json'),
    '--listen',
    '127.0.0.1:0',
    ...allowed,
  ])
  await eventually(() => /^deployed gate 1 live/m.test(dev.stdout()), { what: dev.stderr })
  assert.match(
    dev.stderr(),
    /in front of the sites of .*edge\.json \(hosts tv\.example\.com, www\.example\.com\)/,
  )
  const get = (host: string, target: string) => ask(`${dev.edges[0]}${target}`, { headers: { host } })
  const tv = await get('tv.example.com', '/a?ask')
  assert.deepEqual([tv.status, tv.headers['x-api']], [200, 'api /a'], dev.stdout() + dev.stderr())
  assert.match(tv.text, /^origin /)
  assert.equal((await get('www.example.com', '/')).text, 'a page')
  assert.notEqual((await get('other.example.com', '/')).status, 200)
})

test('orla bench fetches a private address where the option allows it, and names the option where not', async (t) => {
  const api = await startOrigin(t, (_, response) => response.end('api'))
  const file = join(write(t, { 'gate.ts': UNIT }), 'gate.ts')
  const bench = ['bench', file, '--calls', '3', '--request', 'GET /?ask', '--env', `API=${api.url}`]
  const refused = await orla(bench)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /private address: units may not reach it .*--allow-fetch/)
  const measured = await orla([...bench, '--allow-fetch', new URL(api.url).host])
  assert.equal(measured.code, 0, measured.stderr)
})

test('options that cannot be are refused, with what would be right', async (t) => {
  const folder = write(t, { 'gate.ts': UNIT, 'empty.json': '{}' })
  const file = join(folder, 'gate.ts')
  const empty = ['--config', join(folder, 'empty.json')]
  const cases: readonly (readonly [options: readonly string[], code: number, told: RegExp])[] = [
    [[...empty, '--origin', 'http://127.0.0.1:1'], 64, /--config and --origin exclude each other/],
    [[...empty, '--cache'], 64, /--config and --cache exclude each other/],
    [empty, 1, /empty\.json has no site[^]*--origin instead/],
    [['--allow-fetch', 'http://127.0.0.1/'], 64, /--allow-fetch takes "HOST", "HOST:PORT"/],
  ]
  for (const [options, code, told] of cases) {
    const result = await orla(['dev', file, '--listen', '127.0.0.1:0', ...options])
    assert.equal(result.code, code, result.stderr)
    assert.match(result.stderr, told)
  }
})
