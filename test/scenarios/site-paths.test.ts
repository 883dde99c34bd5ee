/** Sites that share a host and differ in paths: who answers, what they keep apart, and how they change. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { SiteSummary } from '../../src/control/shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { askHttp2 } from '../harness/http2-client.ts'
import { startNode, WITH_TIME } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { exchange } from '../harness/raw-client.ts'

const HOST = 'tv.example.org'
const hosts = [HOST]

/** Says who it is and what it was asked for, and may be stored. */
const named = (t: TestContext, name: string) =>
  startOrigin(t, (request, response) => {
    response.setHeader('cache-control', 'max-age=60')
    response.end(`${name} ${request.url}`)
  })

test('sites of one host answer for their paths, whatever the protocol and the spelling', async (t) => {
  const [tv, api] = [await named(t, 'tv'), await named(t, 'api')]
  const node = await startNode(t, {
    config: {
      edge: { listen: [{ address: '127.0.0.1:0', h2c: true }], accessLog: 'access.log' },
      sites: [
        { hosts, origin: tv.url, cache: {} },
        { name: 'tv-api', hosts, paths: ['/api/*'], origin: api.url, cache: {} },
        { name: 'tv-files', hosts, paths: ['/files/*'], static: '.' },
      ],
    },
    files: { 'files/a.txt': 'a file' },
    units: {
      turn: `export default { paths: ['/turned'], rewrite(request) { request.path = '/api/turned' } }`,
    },
  })
  const get = async (target: string) => {
    const answer = await exchange(
      node.url,
      `GET ${target} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`,
    )
    return answer.slice(answer.indexOf('\r\n\r\n') + 4)
  }
  const session = connect(node.url)
  t.after(() => session.destroy())
  for (const [target, expected] of [
    ['/', 'tv /'],
    ['/api', 'tv /api'],
    ['/api/x?y', 'api /api/x?y'],
    // The origin gets the path as it came, and reads it as the site was chosen.
    ['/x/..%2Fapi/x', 'api /x/..%2Fapi/x'],
    ['/api/%2e%2e/x', 'tv /api/%2e%2e/x'],
    ['/files/a.txt', 'a file'],
    ['//files/a.txt', 'a file'],
    // A unit changes what the origin is asked, not who it is.
    ['/turned', 'tv /api/turned'],
  ] as const) {
    assert.equal(await get(target), expected, target)
    const { body } = await askHttp2(session, { ':path': target, ':authority': HOST })
    assert.equal(body.toString(), expected, `HTTP/2 ${target}`)
  }
  assert.equal(await get(`http://${HOST}/api/y`), 'api /api/y')

  // A unit's rewrite makes the key of another site's answer: each has a cache of its own.
  assert.equal(await get('/api/turned'), 'api /api/turned')
  assert.equal(await get('/turned'), 'tv /api/turned')

  const lines = await eventually(async () => {
    const text = await readFile(join(node.folder, 'access.log'), 'utf8')
    const all = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { target: string; site: string })
    return all.length === 19 && all
  })
  const siteOf = (target: string) => [
    ...new Set(lines.filter((line) => line.target === target).map(({ site }) => site)),
  ]
  assert.deepEqual(['/', '/api/x?y', '/files/a.txt', '/turned'].map(siteOf), [
    [HOST],
    ['tv-api'],
    ['tv-files'],
    [HOST],
  ])

  // A scrape does not wait long for a worker that is busy.
  await eventually(async () => {
    const { text } = await node.api('GET', '/metrics')
    const stored = [HOST, 'tv-api'].map((site) => {
      const line = new RegExp(`^orla_cache_stored_total\\{site="${site}"\\} (\\d+)$`, 'm').exec(text)
      return Number(line?.[1])
    })
    assert.deepEqual(stored, [tv.requests.length, api.requests.length])
    return true
  })
})

test('a part of a host is given to another site and taken back, live; what two would have is refused', async (t) => {
  const [tv, api] = [await named(t, 'tv'), await named(t, 'api')]
  const node = await startNode(t, { config: { sites: [{ hosts, origin: tv.url, cache: {} }] } })
  const get = async (path: string) => (await node.request(path, { headers: { host: HOST } })).text
  assert.deepEqual([await get('/api/x'), await get('/x')], ['tv /api/x', 'tv /x'])

  const set = (name: string, ...more: string[]) =>
    node.orla('sites', 'set', name, '--hosts', HOST, '--origin', api.url, ...more)
  const made = await set('tv-api', '--paths', '/api/*,/login', '--cache', '1mb')
  assert.match(made.stdout, /^added tv-api;/, made.stderr)
  // Not what the site before has stored of it.
  assert.deepEqual(
    [await get('/api/x'), await get('/x'), await get('/login')],
    ['api /api/x', 'tv /x', 'api /login'],
  )
  assert.match((await node.orla('sites')).stdout, /^tv-api +tv\.example\.org +\/api\/\*,\/login +http/m)
  const shown = JSON.parse((await node.orla('sites', 'show', 'tv-api', '--json')).stdout) as SiteSummary
  assert.deepEqual([shown.hosts, shown.paths], [hosts, ['/api/*', '/login']])

  const twice = await set('other', '--paths', '/x,/%61pi/*')
  assert.equal(twice.code, 1)
  assert.match(
    twice.stderr,
    /site other: paths\[1\]: the host "tv\.example\.org" with the path "\/api\/\*" belongs to the site tv-api already/,
  )
  const nameless = await node.api('POST', '/v1/sites', { sites: [{ hosts, paths: ['/y'], origin: api.url }] })
  assert.equal(nameless.status, 400, nameless.text)
  assert.match(nameless.text, /a site with `paths` needs a name/)
  const put = await node.api('PUT', `/v1/sites/${HOST}-y`, { hosts, paths: ['/y'], origin: api.url })
  assert.equal(put.status, 200, put.text)
  assert.equal(await get('/y'), 'api /y')

  assert.equal((await node.orla('sites', 'remove', 'tv-api')).code, 0)
  assert.deepEqual([await get('/api/x'), await get('/login')], ['tv /api/x', 'tv /login'])
})

test('a token that is limited to a part of a host reaches nothing of the rest', async (t) => {
  const { url: origin } = await named(t, 'tv')
  const node = await startNode(t, {
    config: {
      sites: [
        { hosts, origin },
        { name: 'tv-api', hosts, paths: ['/api/*'], origin },
      ],
    },
  })
  const made = await node.orla('tokens', 'new', 'ci', '--role', 'deploy', '--site', 'tv-api')
  const call = async (path: string, body: object) => {
    const { status, text } = await ask(new URL(path, node.control), {
      method: 'PUT',
      headers: { authorization: `Bearer ${made.stdout.trim()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...WITH_TIME, ...body }),
    })
    return status === 200 ? 200 : text
  }
  const source = 'export default { access() {} }'
  const unit = (paths: readonly string[]) => call('/v1/units/mine', { source, manifest: { hosts, paths } })
  assert.match(String(await unit([])), /mine would reach `tv\.example\.org`/)
  assert.match(String(await unit(['/api/x', '/x'])), /mine would reach `tv\.example\.org\/x`/)
  assert.match(String(await unit(['/api/../x'])), /mine would reach `tv\.example\.org\/x`/)
  assert.equal(await unit(['/api/v1/*']), 200)

  const site = (paths: readonly string[]) =>
    ask(new URL(`/v1/sites/tv-api?timeoutMs=${WITH_TIME.timeoutMs}`, node.control), {
      method: 'PUT',
      headers: { authorization: `Bearer ${made.stdout.trim()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ hosts, paths, origin }),
    })
  const wider = await site(['/api/*', '/x'])
  assert.equal(wider.status, 403)
  assert.match(wider.text, /the site would take `tv\.example\.org\/x`/)
  assert.equal((await site(['/api/v1/*'])).status, 200)
})
