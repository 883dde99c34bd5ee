/** Purges on a real node with several workers: by the API and the command, under load, and what a write in one worker means to the others. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { PurgeResult } from '../../src/control/purge-shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'

interface CountingOrigin {
  readonly url: string
  readonly server: Server
  /** Requests by path. */
  readonly asked: Map<string, number>
  /** What it answers from now on. */
  version: number
}

/** Every answer says which version it is, and is good for an hour. */
async function countingOrigin(t: TestContext): Promise<CountingOrigin> {
  const asked = new Map<string, number>()
  const server = createServer((request, response) => {
    const path = request.url!
    asked.set(path, (asked.get(path) ?? 0) + 1)
    const version = origin.version
    const wait = /slow=(\d+)/.exec(path)?.[1]
    const answer = () => {
      response.writeHead(200, {
        'cache-control': 'max-age=3600, stale-while-revalidate=60',
        'cache-tag': `all, of-${path.split('/')[1]}`,
        etag: `"${version}"`,
      })
      response.end(`${request.method} version ${version}`)
    }
    if (wait === undefined) answer()
    else setTimeout(answer, Number(wait))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void (server.close(), server.closeAllConnections()))
  const { port } = server.address() as AddressInfo
  const origin: CountingOrigin = { url: `http://127.0.0.1:${port}`, server, asked, version: 1 }
  return origin
}

const sites = (origin: CountingOrigin) => [
  { hosts: ['a.example.org'], origin: origin.url, cache: {} },
  { hosts: ['b.example.org'], origin: origin.url, cache: {} },
]
const A = { headers: { host: 'a.example.org' } }
const B = { headers: { host: 'b.example.org' } }

async function purge(node: TestNode, body: object): Promise<PurgeResult> {
  const { status, text } = await node.api('POST', '/v1/purge', body)
  assert.equal(status, 200, text)
  return JSON.parse(text) as PurgeResult
}

/** Many connections, so that each worker has the answer. */
async function warm(node: TestNode, path: string, options = A): Promise<void> {
  await Promise.all(Array.from({ length: 40 }, () => node.request(path, options)))
}

async function versions(node: TestNode, path: string, options = A): Promise<ReadonlySet<string>> {
  const answers = await Promise.all(Array.from({ length: 40 }, () => node.request(path, options)))
  return new Set(answers.map(({ text }) => text))
}

test('a purge by URL, tag, prefix, site and of everything holds on all workers when it is answered', async (t) => {
  const origin = await countingOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 3 }, sites: sites(origin) } })
  const scopes: readonly object[] = [
    { urls: ['http://a.example.org/page/1'] },
    { urls: ['HTTP://A.Example.Org:80/page/1'] },
    { tags: ['of-page'] },
    { prefixes: ['http://a.example.org/page/*'] },
    { site: 'a.example.org' },
    { site: 'a.example.org', tags: ['all'] },
    { everything: true },
  ]
  for (const scope of scopes) {
    await warm(node, '/page/1')
    await warm(node, '/other', B)
    const before = origin.version
    origin.version += 1
    const { objects, live, ms } = await purge(node, scope)
    assert.ok(objects >= 1, JSON.stringify(scope))
    assert.deepEqual(live, { workers: 3, of: 3 })
    assert.ok(ms < 5_000)
    assert.deepEqual(
      [...(await versions(node, '/page/1'))],
      [`GET version ${origin.version}`],
      JSON.stringify(scope),
    )
    const others = [...(await versions(node, '/other', B))]
    assert.deepEqual(
      others.includes(`GET version ${before}`),
      !('everything' in scope),
      JSON.stringify(scope),
    )
    await purge(node, { everything: true })
  }
})

test('a soft purge is answered with what is stale while it is refreshed, or validated', async (t) => {
  const origin = await countingOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: sites(origin) } })
  await warm(node, '/page/1')
  const before = origin.asked.get('/page/1')!
  await purge(node, { tags: ['of-page'], soft: true })
  origin.version = 2
  await eventually(async () => (await node.request('/page/1', A)).text === 'GET version 2')
  assert.ok(origin.asked.get('/page/1')! > before)
})

test('under load, nobody who asks after a purge was answered is given what is from before', async (t) => {
  const origin = await countingOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: sites(origin) } })
  let isOver = false
  let floor = 1
  const wrong: string[] = []
  const load = Array.from({ length: 16 }, async (_, index) => {
    while (!isOver) {
      const asOf = floor
      const { text } = await node.request(`/page/${index % 4}?slow=5`, A)
      const version = Number(text.split(' ').at(-1))
      if (version < asOf) wrong.push(`${text}, asked after version ${asOf} was there`)
    }
  })
  const scopes = [
    { tags: ['all'] },
    { prefixes: ['http://a.example.org/page/'] },
    { urls: [0, 1, 2, 3].map((n) => `http://a.example.org/page/${n}?slow=5`) },
    { everything: true },
  ]
  for (let round = 0; round < 40; round++) {
    origin.version += 1
    const next = origin.version
    await purge(node, scopes[round % scopes.length]!)
    floor = next
  }
  isOver = true
  await Promise.all(load)
  assert.deepEqual(wrong, [])
})

test('a write in one worker takes what the others have kept, too', async (t) => {
  const origin = await countingOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 4 }, sites: sites(origin) } })
  await warm(node, '/page/1')
  origin.version = 2
  assert.equal((await node.request('/page/1', { ...A, method: 'POST' })).status, 200)
  await eventually(async () => isDeepStrictEqual([...(await versions(node, '/page/1'))], ['GET version 2']))
})

test('a worker that is killed amid purges holds up none of them, and comes back with nothing from before', async (t) => {
  const origin = await countingOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: sites(origin) } })
  for (let round = 0; round < 3; round++) {
    await warm(node, '/page/1').catch(() => undefined)
    const [victim] = node.processes().workers
    const purges = Array.from({ length: 10 }, () => purge(node, { tags: ['all'] }))
    process.kill(victim!, 'SIGKILL')
    origin.version += 1
    await Promise.all(purges)
    await purge(node, { tags: ['all'] })
    await eventually(async () =>
      isDeepStrictEqual([...(await versions(node, '/page/1'))], [`GET version ${origin.version}`]),
    )
  }
})

test('a body that asks for nothing that can be purged is refused with what would be right', async (t) => {
  const origin = await countingOrigin(t)
  const node = await startNode(t, { config: { sites: sites(origin) } })
  const cases: readonly [body: unknown, status: number, said: RegExp][] = [
    [{}, 400, /at least one of `urls`, `prefixes`, `tags`, `site` and `everything`/],
    [{ urls: [] }, 400, /`urls`: expected a list of absolute URLs that is not empty/],
    [{ urls: ['/page'] }, 400, /`urls\.0`: "\/page" is no absolute URL; expected one such as/],
    [{ urls: ['ftp://a/'] }, 400, /no absolute URL/],
    [{ urls: ['http://user:x@a.example.org/'] }, 400, /no absolute URL/],
    [{ urls: ['http://a.example.org/a b'] }, 400, /no absolute URL/],
    [{ urls: 'http://a.example.org/' }, 400, /`urls`: expected a list/],
    [{ prefixes: ['a.example.org/*'] }, 400, /no absolute URL to begin with/],
    [{ tags: ['a,b'] }, 400, /"a,b" is no tag/],
    [{ tags: [''] }, 400, /expected a tag/],
    [{ everything: false }, 400, /`everything`: expected true/],
    [{ everything: true, tags: ['a'] }, 400, /`everything` stands alone/],
    [{ site: 'nobody' }, 404, /no site nobody/],
    [{ url: ['http://a.example.org/'] }, 400, /`url` is not known here; did you mean `urls`/],
    [{ tags: Array.from({ length: 10_001 }, (_, n) => `t${n}`) }, 400, /10000 at most/],
  ]
  for (const [body, status, said] of cases) {
    const answer = await node.api('POST', '/v1/purge', body)
    assert.equal(answer.status, status, `${JSON.stringify(body)?.slice(0, 80)}: ${answer.text}`)
    assert.match(answer.text.replaceAll('\\"', '"'), said)
  }
})

test('a token that is limited to a site purges what that site keeps', async (t) => {
  const origin = await countingOrigin(t)
  const node = await startNode(t, { config: { sites: sites(origin) } })
  const made = await node.api('POST', '/v1/tokens', {
    name: 'of-a',
    role: 'deploy',
    sites: ['a.example.org'],
  })
  const { token } = JSON.parse(made.text) as { token: string }
  const asked = async (body: object) => {
    const answer = await fetch(new URL('/v1/purge', node.control), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: answer.status, text: await answer.text() }
  }
  await node.request('/page/1', A)
  await node.request('/page/1', B)
  assert.equal((JSON.parse((await asked({ tags: ['all'] })).text) as PurgeResult).objects, 1)
  for (const body of [
    { everything: true },
    { site: 'b.example.org' },
    { urls: ['http://b.example.org/page/1'] },
    { prefixes: ['http://b.example.org/'] },
  ])
    assert.equal((await asked(body)).status, 403, JSON.stringify(body))
  origin.version = 2
  assert.equal((await node.request('/page/1', B)).text, 'GET version 1')
  assert.match((await node.api('GET', '/v1/audit')).text, /purge/)
})
