/** The cache's tier on disk on a real node: across restarts and workers, with variants, large bodies, writes, and sites that come and go. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { eventually as atLast } from '../harness/eventually.ts'
import { PATIENT, siteNamed, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const MIB = 1024 * 1024
const LARGE = randomBytes(5 * MIB + 3)
const HUGE = Buffer.alloc(70 * MIB, randomBytes(100_003))
const digest = (body: Buffer | string) => createHash('sha1').update(body).digest('hex')

/** A machine that is busy takes its time. */
const eventually = (check: () => unknown) =>
  atLast(
    async () => {
      await check()
      return true
    },
    { everyMs: 50, withinMs: 60_000 },
  )

/** Counts how often each target is asked for. */
async function startCounted(t: TestContext) {
  const asked = new Map<string, number>()
  const origin = await startOrigin(t, (request, response) => {
    const target = request.url!
    const count = (asked.get(target) ?? 0) + 1
    asked.set(target, count)
    const headers = { 'cache-control': 'max-age=600', etag: '"e"', 'cache-tag': 'all' }
    if (request.method === 'POST') return response.writeHead(204).end()
    if (target.startsWith('/vary')) {
      const language = request.headers['accept-language'] ?? 'none'
      return response.writeHead(200, { ...headers, vary: 'accept-language' }).end(`in ${language}`)
    }
    if (target.startsWith('/stale')) {
      const stale = { ...headers, 'cache-control': 'max-age=0', 'x-count': String(count) }
      if (request.headers['if-none-match'] === '"e"') return response.writeHead(304, stale).end()
      return response.writeHead(200, stale).end('once')
    }
    const body = target.startsWith('/huge')
      ? HUGE
      : target.startsWith('/large')
        ? LARGE
        : `${target} ${count}`
    const isChunked = target.includes('chunked')
    response.writeHead(200, isChunked ? headers : { ...headers, 'content-length': Buffer.byteLength(body) })
    return response.end(body)
  })
  return { url: origin.url, asked: (target: string) => asked.get(target) ?? 0 }
}

const folderOf = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-disk-'))
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** By a name that goes with no port: a node that starts again has another one. */
const get = (node: TestNode, target: string, headers = {}) =>
  node.request(target, { headers: { host: 'a.example.org', ...headers } })

/** Objects on disk, by the node's metrics. */
async function entriesOf(node: TestNode): Promise<number> {
  const { text } = await node.api('GET', '/metrics')
  const values = [...text.matchAll(/^orla_cache_disk_entries\{.*\} (\d+)/gm)].map(([, value]) =>
    Number(value),
  )
  return values.reduce((sum, value) => sum + value, 0)
}

test('what was stored is there after kill -9, whole, with its age, variants and validators', async (t) => {
  const origin = await startCounted(t)
  const folder = folderOf(t)
  const config = {
    edge: { limits: PATIENT },
    sites: [{ origin: origin.url, cache: { disk: '500mb', ram: '32mb', vary: { languages: [] } } }],
  }
  const first = await startNode(t, { config, folder })
  const targets = ['/small', '/large', '/large-chunked', '/huge', '/huge-chunked']
  for (const target of targets) assert.equal((await get(first, target)).status, 200, target)
  for (const language of ['de', 'en']) await get(first, '/vary', { 'accept-language': language })
  await get(first, '/stale')
  await eventually(async () => assert.equal(await entriesOf(first), targets.length + 3 + 1))
  first.kill('SIGKILL')
  await first.ended

  const node = await startNode(t, { config, folder })
  const bodies: Record<string, Buffer | string> = {
    '/small': '/small 1',
    '/large': LARGE,
    '/large-chunked': LARGE,
    '/huge': HUGE,
    '/huge-chunked': HUGE,
  }
  await eventually(async () => {
    const answer = await get(node, '/small')
    assert.match(answer.headers['cache-status'] as string, /hit; ttl=\d+; detail=disk/)
  })
  for (const [target, body] of Object.entries(bodies)) {
    const answer = await get(node, target)
    assert.equal(digest(answer.body), digest(body), target)
    assert.ok(Number(answer.headers['age']) >= 0)
    assert.match(answer.headers['cache-status'] as string, /hit/, target)
  }
  for (const language of ['de', 'en']) {
    const answer = await get(node, '/vary', { 'accept-language': language })
    assert.equal(answer.text, `in ${language}`)
  }
  const conditional = await get(node, '/large', { 'if-none-match': '"e"' })
  assert.equal(conditional.status, 304)
  assert.equal((await get(node, '/stale')).text, 'once')
  assert.equal(origin.asked('/stale'), 2)
  for (const target of targets)
    assert.equal(origin.asked(target), target === '/small' ? origin.asked('/small') : 1)
  assert.equal(origin.asked('/vary'), 2)
})

test('a body too large for memory goes to the disk alone, and through little memory, also to a slow client', async (t) => {
  const origin = await startCounted(t)
  const node = await startNode(t, {
    config: {
      edge: { limits: PATIENT },
      sites: [{ origin: origin.url, cache: { disk: '500mb', ram: '8mb', objectBytes: '1mb' } }],
    },
  })
  const [one, two] = await Promise.all([get(node, '/huge'), get(node, '/huge')])
  assert.equal(digest(one.body), digest(HUGE))
  assert.equal(digest(two.body), digest(HUGE))
  const again = await get(node, '/huge')
  assert.equal(digest(again.body), digest(HUGE))
  assert.match(again.headers['cache-status'] as string, /hit/)
  assert.equal(origin.asked('/huge'), 1)
})

test('what one worker wrote another one finds, and a write by a client removes it for all', async (t) => {
  const origin = await startCounted(t)
  const node = await startNode(t, {
    config: {
      edge: { workers: 2, limits: PATIENT },
      sites: [{ origin: origin.url, cache: { disk: '50mb', ram: '1mb' } }],
    },
  })
  await get(node, '/a')
  await eventually(async () => assert.equal(await entriesOf(node), 1))
  // Each request has a connection of its own, which either worker takes.
  for (let round = 0; round < 20; round++) assert.equal((await get(node, '/a')).text, '/a 1')
  assert.equal(origin.asked('/a'), 1)
  await node.request('/a', { method: 'POST', body: '', headers: { host: 'a.example.org' } })
  await eventually(async () => assert.equal(await entriesOf(node), 0))
})

test('sites without sizes share one store, and none of them is given what is another one’s', async (t) => {
  const [one, other] = [await startCounted(t), await startCounted(t)]
  const folder = folderOf(t)
  const config = {
    edge: { limits: PATIENT, cache: { ram: '8mb', disk: '50mb' } },
    sites: [siteNamed('one', one.url, { cache: {} }), siteNamed('other', other.url, { cache: {} })],
  }
  const ask = (node: TestNode, name: string) =>
    node.request('/x', { headers: { host: `${name}.example.org` } })
  const first = await startNode(t, { config, folder })
  for (const name of ['one', 'other', 'one', 'other']) assert.equal((await ask(first, name)).text, '/x 1')
  await eventually(async () => assert.equal(await entriesOf(first), 2))
  assert.ok(readdirSync(join(folder, 'data', 'cache')).includes('shared'))
  await first.stop()
  const node = await startNode(t, { config, folder })
  await eventually(async () => assert.equal(await entriesOf(node), 2))
  for (const name of ['one', 'other']) assert.equal((await ask(node, name)).text, '/x 1')
  assert.deepEqual([one.asked('/x'), other.asked('/x')], [1, 1])
})

test('the folder of a site goes with it, and the size of another one changes while it is used', async (t) => {
  const origin = await startCounted(t)
  const folder = folderOf(t)
  const site = (name: string, disk: string) => siteNamed(name, origin.url, { name, cache: { disk } })
  const node = await startNode(t, {
    folder,
    config: { edge: { limits: PATIENT }, sites: [site('one', '50mb'), site('two', '50mb')] },
  })
  const ask = (name: string, target: string) =>
    node.request(target, { headers: { host: `${name}.example.org` } })
  for (const name of ['one', 'two']) await ask(name, `/${name}`)
  await eventually(async () => assert.equal(await entriesOf(node), 2))
  const sites = join(folder, 'data', 'cache', 'sites')
  assert.deepEqual(readdirSync(sites).toSorted(), ['one', 'two'])
  assert.equal((await node.api('DELETE', '/v1/sites/one')).status, 200)
  await eventually(() => assert.equal(existsSync(join(sites, 'one')), false))
  const changed = await node.api('PUT', '/v1/sites/two', site('two', '20mb'))
  assert.equal(changed.status, 200, changed.text)
  assert.equal((await ask('two', '/two')).text, '/two 1')
  assert.equal(origin.asked('/two'), 1)
})

test('a tier that a reload takes away begins empty when it comes back: what had to leave meanwhile does not return', async (t) => {
  const origin = await startCounted(t)
  const folder = folderOf(t)
  const site = (cache: object) => siteNamed('a', origin.url, { name: 'a', cache })
  const withDisk = site({ disk: { size: '50mb', path: join(folder, 'tier') } })
  const node = await startNode(t, { folder, config: { edge: { limits: PATIENT }, sites: [withDisk] } })
  const put = async (of: object) => assert.equal((await node.api('PUT', '/v1/sites/a', of)).status, 200)
  assert.equal((await get(node, '/page')).text, '/page 1')
  await eventually(async () => assert.equal(await entriesOf(node), 1))
  await put(site({}))
  assert.equal((await node.api('POST', '/v1/purge', { everything: true })).status, 200)
  await put(withDisk)
  await eventually(async () =>
    assert.match((await node.api('GET', '/metrics')).text, /^orla_cache_disk_open\{.*\} 1$/m),
  )
  assert.equal((await get(node, '/page')).text, '/page 2')
})
