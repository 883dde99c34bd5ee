/** Purges on a real node with several workers: by the API and the command, under load, and what a write in one worker means to the others. */
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { PurgeResult } from '../../src/control/purge-shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startVersionedOrigin, type VersionedOrigin } from '../harness/versioned-origin.ts'

const sites = (origin: VersionedOrigin) => [
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
  const origin = await startVersionedOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 3 }, sites: sites(origin) } })
  const scopes: readonly object[] = [
    { urls: ['http://a.example.org/page/1'] },
    { urls: ['HTTP://A.Example.Org:80/page/1'] },
    { tags: [' of-page '] },
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
  const origin = await startVersionedOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: sites(origin) } })
  await warm(node, '/page/1')
  const before = origin.asked.get('/page/1')!
  await purge(node, { tags: ['of-page'], soft: true })
  origin.version = 2
  await eventually(async () => (await node.request('/page/1', A)).text === 'GET version 2')
  assert.ok(origin.asked.get('/page/1')! > before)
})

test('under load, nobody who asks after a purge was answered is given what is from before', async (t) => {
  const origin = await startVersionedOrigin(t)
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
  const origin = await startVersionedOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 4 }, sites: sites(origin) } })
  await warm(node, '/page/1')
  origin.version = 2
  assert.equal((await node.request('/page/1', { ...A, method: 'POST' })).status, 200)
  await eventually(async () => isDeepStrictEqual([...(await versions(node, '/page/1'))], ['GET version 2']))
})

test('a worker that is killed amid purges holds up none of them, and comes back with nothing from before', async (t) => {
  const origin = await startVersionedOrigin(t)
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
  const origin = await startVersionedOrigin(t)
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
    [{ tags: [' '] }, 400, /expected a tag/],
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
  const origin = await startVersionedOrigin(t)
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

test('RFC 9875 §3: a write that invalidates a group does so on all workers', async (t) => {
  const origin = await startVersionedOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: sites(origin) } })
  await warm(node, '/page/1')
  await warm(node, '/page/1', B)
  origin.version = 2
  await node.request('/invalidates', { ...A, method: 'POST' })
  await eventually(async () => isDeepStrictEqual([...(await versions(node, '/page/1'))], ['GET version 2']))
  assert.deepEqual([...(await versions(node, '/page/1', B))], ['GET version 1'], 'of another origin')
})

for (const [name, cache] of Object.entries({ 'a disk and siblings': { disk: '50mb' }, siblings: {} })) {
  test(`RFC 9875 §3: who writes and asks again is given nothing from before by its worker, with ${name} that have not heard of it`, async (t) => {
    const origin = await startVersionedOrigin(t)
    const site = { hosts: ['a.example.org'], origin: origin.url, cache }
    const node = await startNode(t, { config: { edge: { workers: 3 }, sites: [site] } })
    // One connection is one worker.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    for (let round = 0; round < 25; round++) {
      await warm(node, '/page/1')
      await node.request('/page/1', { ...A, agent })
      origin.version += 1
      const text = `GET version ${origin.version}`
      await node.request('/invalidates', { ...A, agent, method: 'POST' })
      assert.equal((await node.request('/page/1', { ...A, agent })).text, text)
      await eventually(async () => isDeepStrictEqual([...(await versions(node, '/page/1'))], [text]))
    }
  })
}

test('the command purges, says what it did, and refuses what means nothing', async (t) => {
  const origin = await startVersionedOrigin(t)
  const node = await startNode(t, { config: { sites: sites(origin) } })
  await node.request('/page/1', A)
  const byTag = await node.orla('purge', '--tag', 'all', '--tag', 'none')
  assert.match(byTag.stdout, /^purged 2 tags on 1\/1 workers in \d+ ms \(1 object\)$/m)
  await node.request('/page/1', A)
  const softly = await node.orla('purge', 'http://a.example.org/page/1', '--soft')
  assert.match(softly.stdout, /^purged 1 URL softly on 1\/1 workers in \d+ ms \(1 object\)$/m)
  const all = await node.orla('purge', '--everything', '--json')
  assert.equal((JSON.parse(all.stdout) as PurgeResult).objects, 1)
  const star = await node.orla('purge', 'http://a.example.org/*')
  assert.match(star.stderr, /did you mean --prefix/)
  const stored = await node.orla('purge', '--site', 'a.example.org', '--wait', 'stored')
  assert.match(stored.stdout, /^purged the site a\.example\.org: stored in/)
  for (const [argv, code] of [
    [[], 64],
    [['--everything', '--tag', 'a'], 64],
    [['page'], 1],
    [['--site', 'nobody'], 1],
  ] as const)
    assert.equal((await node.orla('purge', ...argv)).code, code, argv.join(' '))
  const { text } = await node.api('GET', '/metrics')
  assert.match(text, /orla_cache_purges_total\{kind="tag",mode="hard"\} 1/)
  assert.match(text, /orla_cache_purged_objects_total 3/)
})

test('a unit purges what its sites keep, and nothing of others', async (t) => {
  const origin = await startVersionedOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: sites(origin) } })
  const hook = `export default {
    hosts: ['a.example.org'], paths: ['/hook'],
    async content(request, edge) {
      try {
        return Response.json(await edge.purge(await request.json()))
      } catch (error) {
        return Response.json({ name: error.name, code: error.code, message: error.message }, { status: 400 })
      }
    },
  }`
  await node.deploy('hook', hook)
  const call = async (body: unknown) => {
    const { status, text } = await node.request('/hook', { ...A, method: 'POST', body: JSON.stringify(body) })
    return { status, ...(JSON.parse(text) as { code?: string; message?: string; objects?: number }) }
  }
  await warm(node, '/page/1')
  await warm(node, '/page/1', B)
  origin.version = 2
  const done = await call({ tags: ['all'] })
  assert.ok(done.status === 200 && done.objects! >= 1, JSON.stringify(done))
  assert.deepEqual([...(await versions(node, '/page/1'))], ['GET version 2'])
  assert.deepEqual([...(await versions(node, '/page/1', B))], ['GET version 1'])
  assert.equal((await call({ urls: ['http://b.example.org/page/1'] })).code, 'forbidden')
  for (const [body, said] of [
    [{}, /name at least one/],
    [{ tags: 'all' }, /`tags` is a list/],
    [{ urls: ['/page/1'] }, /is not an absolute URL/],
    [{ tags: Array.from({ length: 1001 }, () => 't') }, /takes 1000/],
  ] as const) {
    const refused = await call(body)
    assert.equal(refused.code, 'purge-invalid')
    assert.match(refused.message!, said)
  }
  const many = await Promise.all(Array.from({ length: 80 }, () => call({ tags: ['none'] })))
  assert.ok(many.some(({ code }) => code === 'purge-limit'))
})
