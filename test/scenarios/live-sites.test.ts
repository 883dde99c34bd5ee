/** Sites that change while the node runs: by hand, by the API, by the configuration file. */
import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { ConfigInput, SiteInput } from '../../src/config/schema.ts'
import type { ReloadResult, SiteChange, SiteSummary } from '../../src/control/shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { startNode, type TestNode, WITH_TIME } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { rounds } from '../harness/rounds.ts'

const hello = (t: TestContext, name: string) =>
  startOrigin(t, (_request, response) => {
    response.setHeader('cache-control', 'max-age=60')
    response.end(name)
  })

const from = (node: TestNode, host: string) =>
  node.request('/', { headers: { host } }).then(({ status, text }) => (status === 200 ? text : status))

const PATIENTLY = `?timeoutMs=${WITH_TIME.timeoutMs}`

/** The file of the node as the harness wrote it, with other sites or keys. */
async function writeConfig(node: TestNode, more: ConfigInput, how: 'write' | 'rename' = 'write') {
  const config: ConfigInput = {
    store: { path: './data' },
    node: { name: 'test' },
    ...more,
    edge: { listen: '127.0.0.1:0', workers: 1, ...more.edge },
    control: { listen: '127.0.0.1:0', token: 'test', warmChecker: false, ...more.control },
  }
  const path = join(node.folder, 'orla.config.json')
  if (how === 'write') return writeFile(path, JSON.stringify(config))
  await writeFile(`${path}.new`, JSON.stringify(config))
  await rename(`${path}.new`, path)
}

const json = async <T>(answer: Promise<{ readonly status: number; readonly text: string }>): Promise<T> => {
  const { status, text } = await answer
  assert.equal(status, 200, text)
  return JSON.parse(text) as T
}

test('sites are set, shown, changed and removed live, by command and API, and outlive a restart', async (t) => {
  const [one, two] = [await hello(t, 'one'), await hello(t, 'two')]
  const folder = t
  const node = await startNode(folder, {
    config: { edge: { workers: 2 }, sites: [{ hosts: ['a.example.org'], origin: one.url }] },
  })
  assert.deepEqual([await from(node, 'a.example.org'), await from(node, 'b.example.org')], ['one', 404])

  const set = await node.orla('sites', 'set', 'b.example.org', '--origin', two.url)
  assert.equal(set.code, 0, set.stderr)
  assert.match(set.stdout, /^added b\.example\.org; live on 2\/2 workers in \d+ ms\n$/)
  for (let i = 0; i < 8; i += 1) assert.equal(await from(node, 'b.example.org'), 'two')

  const listed = (await node.orla('sites')).stdout
  assert.match(listed, /^NAME +HOSTS +PATHS +ORIGIN +FROM +CHANGED\n/)
  assert.match(listed, /a\.example\.org .* file /)
  assert.match(listed, /b\.example\.org .* live /)
  const shown = JSON.parse(
    (await node.orla('sites', 'show', 'b.example.org', '--json')).stdout,
  ) as SiteSummary
  assert.deepEqual(shown.site, { hosts: ['b.example.org'], origin: two.url })

  // By its version: who has read another one changes nothing.
  const stale = await ask(new URL('/v1/sites/b.example.org', node.control), {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${node.token}`,
      'content-type': 'application/json',
      'if-match': `"${shown.version + 7}"`,
    },
    body: JSON.stringify({ origin: one.url }),
  })
  assert.equal(stale.status, 412, stale.text)
  assert.equal(await from(node, 'b.example.org'), 'two')
  const exact = await node.orla(
    'sites',
    'set',
    'b.example.org',
    '--origin',
    one.url,
    '--if-version',
    `${shown.version}`,
  )
  assert.equal(exact.code, 0, exact.stderr)
  assert.equal(await from(node, 'b.example.org'), 'one')

  await json<SiteChange>(node.api('PUT', `/v1/sites/c.example.org${PATIENTLY}`, { origin: two.url }))
  const removed = await json<SiteChange>(node.api('DELETE', '/v1/sites/a.example.org', WITH_TIME))
  assert.deepEqual(removed.removed, ['a.example.org'])
  const state = async (at: TestNode) => [
    await from(at, 'a.example.org'),
    await from(at, 'b.example.org'),
    await from(at, 'c.example.org'),
  ]
  assert.deepEqual(await state(node), [404, 'one', 'two'])

  node.kill('SIGKILL')
  await node.ended
  const again = await startNode(t, {
    folder: node.folder,
    config: { edge: { workers: 2 }, sites: [{ hosts: ['a.example.org'], origin: one.url }] },
  })
  // The file says what it said before: what was changed live holds.
  assert.deepEqual(await state(again), [404, 'one', 'two'])
  await again.stop()
})

test('what is wrong with a site is told, all of it, and nothing changes', async (t) => {
  const one = await hello(t, 'one')
  const node = await startNode(t, { config: { sites: [{ hosts: ['a.example.org'], origin: one.url }] } })
  const refuses = async (sites: readonly object[], ...says: RegExp[]) => {
    const { status, text } = await node.api('POST', '/v1/sites', { sites, ...WITH_TIME })
    assert.equal(status, 400, text)
    const { code, detail } = JSON.parse(text) as { code: string; detail: string }
    assert.equal(code, 'config-invalid')
    for (const pattern of says) assert.match(detail, pattern)
  }
  const good = { hosts: ['good.example.org'], origin: one.url }
  await refuses(
    [good, { hosts: ['b'], orgin: one.url }],
    /site b: orgin: unknown key `orgin`; did you mean `origin`\?/,
  )
  await refuses([good, { hosts: ['b'], origin: 'ftp://x' }], /site b: origin: expected "http:\/\/HOST:PORT"/)
  await refuses(
    [good, { hosts: ['A.example.org.', 'x'], name: 'other', origin: one.url }],
    /belongs to the site/,
  )
  await refuses([good, good], /two sites are called so/)
  await refuses(
    [{ hosts: ['b'], origin: { endpoints: ['https://x:1'], tls: { ca: '/no/such.pem' } } }],
    /such\.pem/,
  )
  const unwritable = { hosts: ['b'], origin: one.url, accessLog: 'no/such/folder/x.log' }
  const refused = await node.api('POST', '/v1/sites', { sites: [good, unwritable], ...WITH_TIME })
  assert.equal(refused.status, 422, refused.text)
  assert.match(refused.text, /the access log .*no\/such\/folder\/x\.log cannot be opened: ENOENT/)
  assert.equal((await node.api('PUT', `/v1/sites/x${PATIENTLY}`, [])).status, 400)
  assert.equal((await node.api('GET', '/v1/sites/nothing')).status, 404)
  assert.equal((await node.api('DELETE', '/v1/sites/nothing')).status, 404)
  assert.deepEqual(
    (await json<SiteSummary[]>(node.api('GET', '/v1/sites'))).map(({ name }) => name),
    ['a.example.org'],
  )
  assert.equal(await from(node, 'good.example.org'), 404)
  assert.equal(await from(node, 'a.example.org'), 'one')
})

test('a reload makes the node what the file says, and tells what it took the place of', async (t) => {
  const [one, two] = [await hello(t, 'one'), await hello(t, 'two')]
  const site = (host: string, origin: { readonly url: string }): SiteInput => ({
    hosts: [host],
    origin: origin.url,
  })
  const node = await startNode(t, { config: { sites: [site('a', one), site('b', one)] } })
  await node.orla('sites', 'set', 'a', '--origin', two.url)
  await node.orla('sites', 'set', 'live', '--origin', two.url)
  assert.equal(await from(node, 'a'), 'two')

  await writeConfig(node, { sites: [site('a', one), site('c', two)], edge: { limits: { headBytes: '1kb' } } })
  const { code, stdout, stderr } = await node.orla('reload', '--json')
  assert.equal(code, 0, stderr)
  const reloaded = JSON.parse(stdout) as ReloadResult
  // The watch of the file may have been first.
  if (reloaded.added.length > 0) {
    assert.deepEqual(
      [reloaded.added, reloaded.changed, reloaded.removed, reloaded.overridden, reloaded.settings],
      [['c'], ['a'], ['b'], ['a'], ['edge.limits.headBytes']],
    )
  }
  assert.deepEqual(await Promise.all(['a', 'b', 'c', 'live'].map((host) => from(node, host))), [
    'one',
    404,
    'two',
    'two',
  ])
  await eventually(() =>
    /the site a was changed live; what the configuration file says now took its place/.test(node.stderr()),
  )
  const long = await node.request('/', { headers: { host: 'a', 'x-long': 'x'.repeat(2000) } })
  assert.equal(long.status, 431)

  // Once more: nothing is left to do.
  const { epoch, added, changed, removed } = JSON.parse(
    (await node.orla('reload', '--json')).stdout,
  ) as ReloadResult
  assert.deepEqual([added, changed, removed], [[], [], []])
  assert.equal(epoch, reloaded.epoch)
})

test('a bad file at a reload is told on standard error and to the command, and the old configuration goes on', async (t) => {
  const one = await hello(t, 'one')
  const sites: SiteInput[] = [{ hosts: ['a'], origin: one.url }]
  const node = await startNode(t, { config: { sites } })
  const path = join(node.folder, 'orla.config.json')
  const refuses = async (says: RegExp, write: () => Promise<unknown>) => {
    await write()
    const { code, stderr } = await node.orla('reload')
    assert.equal(code, 1)
    assert.match(stderr, says)
    await eventually(() => says.test(node.stderr()), { what: `${says} on standard error` })
    assert.equal(await from(node, 'a'), 'one')
  }
  await refuses(/orla\.config\.json:1:\d+: /, () => writeFile(path, '{ "sites": [ '))
  await refuses(/unknown key `orgin`; did you mean `origin`\?/, () =>
    writeConfig(node, {
      sites: [
        { hosts: ['a'], orgin: 'http://x' },
        { hosts: ['zz'], origin: one.url },
      ] as never,
    }),
  )
  await refuses(
    /these need a restart: edge\.listen\[0\]\.address is .*127\.0\.0\.1:0.*127\.0\.0\.1:1.*; edge\.workers is 1, and would be 2/,
    () =>
      writeConfig(node, {
        edge: { listen: '127.0.0.1:1', workers: 2 },
        sites: [...sites, { hosts: ['zz'], origin: one.url }],
      }),
  )
  assert.equal(await from(node, 'zz'), 404)
  await writeConfig(node, { sites: [...sites, { hosts: ['zz'], origin: one.url }] })
  await eventually(async () => (await from(node, 'zz')) === 'one', { what: 'the mended file is live' })
})

test('a change of the file goes live by itself, written in place or renamed over it, and so does SIGHUP', async (t) => {
  const [one, two] = [await hello(t, 'one'), await hello(t, 'two')]
  const node = await startNode(t, { config: { sites: [{ hosts: ['a'], origin: one.url }] } })
  for (const [how, origin, name] of [
    ['rename', two, 'two'],
    ['write', one, 'one'],
    ['rename', two, 'two'],
  ] as const) {
    await writeConfig(node, { sites: [{ hosts: ['a'], origin: origin.url }] }, how)
    await eventually(async () => (await from(node, 'a')) === name, { what: `${name} after ${how}` })
  }
  // The last rename may be told twice, and the second time takes back what is set here.
  await eventually(async () => {
    await node.orla('sites', 'set', 'a', '--origin', one.url)
    return (await from(node, 'a')) === 'one'
  })
  node.kill('SIGHUP')
  await eventually(async () => (await from(node, 'a')) === 'two', { what: 'the file again' })
  await eventually(() => /was reloaded \(SIGHUP\): changed a; live on 1\/1 workers/.test(node.stderr()))
})

test('requests finish on the site they started with; caches and kept connections of unchanged sites stay', async (t) => {
  const held = Promise.withResolvers<void>()
  const slow = await startOrigin(t, (_request, response) => {
    response.write('begun ')
    void held.promise.then(() => response.end('and done'))
  })
  const kept = await startOrigin(t, (request, response) => {
    response.setHeader('cache-control', 'max-age=3600')
    response.end(`kept ${request.url}`)
  })
  const other = await hello(t, 'other')
  // Commands that take their time come between.
  const timeouts = { response: '10m', idle: '10m' }
  const node = await startNode(t, {
    config: {
      edge: { limits: { body: '10m' } },
      sites: [
        { hosts: ['slow'], origin: { endpoints: [slow.url], timeouts } },
        { hosts: ['kept'], origin: { endpoints: [kept.url], timeouts }, cache: { ram: '1mb' } },
      ],
    },
  })
  const ofKept = (path: string) => node.request(path, { headers: { host: 'kept' } })
  await ofKept('/cached')
  const answer = node.request('/', { headers: { host: 'slow' } })
  await eventually(() => slow.requests.length === 1)

  await node.orla('sites', 'set', 'slow', '--origin', other.url)
  assert.equal(await from(node, 'slow'), 'other')
  await json<SiteChange>(node.api('DELETE', '/v1/sites/slow', WITH_TIME))
  assert.equal(await from(node, 'slow'), 404)
  held.resolve()
  assert.equal((await answer).text, 'begun and done')

  assert.equal((await ofKept('/cached')).text, 'kept /cached')
  assert.deepEqual(kept.requests, ['GET /cached'])
  await ofKept('/fresh')
  assert.equal(kept.connections(), 1)
  // What is cached outlives another origin, too.
  const elsewhere = { origin: other.url, cache: { ram: '1mb' } }
  await json<SiteChange>(node.api('PUT', `/v1/sites/kept${PATIENTLY}`, elsewhere))
  assert.equal((await ofKept('/cached')).text, 'kept /cached')
  assert.equal((await ofKept('/new')).text, 'other')
})

test('no request fails while sites change under load, and each sees one whole set', async (t) => {
  const [one, two] = [await hello(t, 'one'), await hello(t, 'two')]
  const sites = (origin: string) => ['a', 'b'].map((host) => ({ hosts: [host], origin }))
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: sites(one.url) } })
  const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  let isOver = false
  const answers = new Map<string, number>()
  const clients = agents.map(async (agent, index) => {
    while (!isOver) {
      const { status, text } = await node.request('/', { agent, headers: { host: index % 2 ? 'a' : 'b' } })
      const key = `${status} ${text}`
      answers.set(key, (answers.get(key) ?? 0) + 1)
    }
  })
  for (const turn of rounds(40, 8)) {
    const body = { sites: sites(turn % 2 ? one.url : two.url), ...WITH_TIME }
    const { changed, live } = await json<SiteChange>(node.api('PUT', '/v1/sites', body))
    assert.deepEqual([changed, live.workers], [['a', 'b'], 2])
    const now = turn % 2 ? 'one' : 'two'
    // From the answer on, every worker serves the new ones.
    const seen = await Promise.all(['a', 'b', 'a', 'b'].map((host) => from(node, host)))
    assert.deepEqual(seen, [now, now, now, now])
  }
  isOver = true
  await Promise.all(clients)
  for (const agent of agents) agent.destroy()
  assert.deepEqual([...answers.keys()].toSorted(), ['200 one', '200 two'])
})

test('a node killed in the middle of changes comes back with one whole set', async (t) => {
  const [one, two] = [await hello(t, 'one'), await hello(t, 'two')]
  const hosts = Array.from({ length: 50 }, (_, index) => `h${index}`)
  const sites = (origin: string) => hosts.map((host) => ({ hosts: [host], origin }))
  let node = await startNode(t, { config: { sites: [{ hosts: ['file'], origin: one.url }] } })
  for (let round = 0; round < 3; round += 1) {
    let turn = 0
    const isChanging = (async () => {
      for (; ; turn += 1) await node.api('POST', '/v1/sites', { sites: sites(turn % 2 ? one.url : two.url) })
    })().catch(() => {})
    await eventually(() => turn > 3 + round)
    node.kill('SIGKILL')
    await Promise.all([node.ended, isChanging])
    node = await startNode(t, {
      folder: node.folder,
      config: { sites: [{ hosts: ['file'], origin: one.url }] },
    })
    const seen = new Set(await Promise.all(hosts.map((host) => from(node, host))))
    assert.equal(seen.size, 1, [...seen].join())
    assert.equal(await from(node, 'file'), 'one')
  }
  await node.stop()
})

test('a thousand sites are set at once, and one of them is changed without sending all', async (t) => {
  const [one, two] = [await hello(t, 'one'), await hello(t, 'two')]
  const node = await startNode(t, { config: { sites: [{ origin: one.url }] } })
  const sites = Array.from({ length: 1000 }, (_, index) => ({
    hosts: [`s${index}.example.org`],
    origin: two.url,
  }))
  const { added } = await json<SiteChange>(node.api('POST', '/v1/sites', { sites, ...WITH_TIME }))
  assert.equal(added.length, 1000)
  assert.deepEqual([await from(node, 's999.example.org'), await from(node, 'x')], ['two', 'one'])
  await json<SiteChange>(node.api('PUT', `/v1/sites/s500.example.org${PATIENTLY}`, { origin: one.url }))
  assert.deepEqual(
    [await from(node, 's500.example.org'), await from(node, 's501.example.org')],
    ['one', 'two'],
  )
  await node.deploy(
    'u',
    'export default { paths: ["/u"], limits: { cpuMs: 1000 }, content: () => new Response("unit") }',
  )
  assert.equal((await node.request('/u', { headers: { host: 's1.example.org' } })).text, 'unit')
})
