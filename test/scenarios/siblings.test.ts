/** The workers of a node as one cache: what one of them has, or is fetching, the others are given, and the origin is asked once. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import type { Answer } from '../harness/http-client.ts'
import { type NodeOptions, PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const STORED = { 'cache-control': 'public, max-age=600' }

const WORKERS = 4

async function cached(t: TestContext, origin: string, more: object = {}, options: NodeOptions = {}) {
  return startNode(t, {
    ...options,
    config: {
      edge: { workers: WORKERS, limits: PATIENT },
      sites: [{ hosts: ['*'], origin, cache: {}, ...more }],
    },
  })
}

/** Each on a connection of its own: so they spread over the workers. */
const crowd = (node: TestNode, count: number, path = '/', headers: Readonly<Record<string, string>> = {}) =>
  Promise.all(Array.from({ length: count }, () => node.request(path, { headers })))

const statuses = (answers: readonly Answer[]) => answers.map(({ headers }) => String(headers['cache-status']))

test('1,000 requests at once for one key are one request to the origin, and so are those that come later', async (t) => {
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, STORED)
    response.write('a'.repeat(1000))
    setTimeout(() => response.end('b'.repeat(1000)), 300)
  })
  const node = await cached(t, origin.url)
  for (let round = 0; round < 5; round++) {
    const answers = await crowd(node, 200)
    for (const { status, text } of answers) {
      assert.equal(status, 200)
      assert.equal(text, 'a'.repeat(1000) + 'b'.repeat(1000))
    }
  }
  assert.deepEqual(origin.requests, ['GET /'])
})

test('who comes after the answer is stored in another worker is given it by that one, as old as it is there', async (t) => {
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, { ...STORED, age: '100', 'x-kept': 'yes' })
    response.end('body')
  })
  const node = await cached(t, origin.url)
  const first = await node.request('/')
  assert.match(String(first.headers['cache-status']), /^orla; fwd=uri-miss; ttl=\d+; stored$/)
  const later = await eventually(async () => {
    const answer = await node.request('/')
    return String(answer.headers['cache-status']).includes('detail=sibling') ? answer : undefined
  })
  assert.match(String(later.headers['cache-status']), /^orla; hit; ttl=\d+; detail=sibling$/)
  assert.ok(Number(later.headers.age) >= 100)
  assert.equal(later.text, 'body')
  assert.equal(later.headers['x-kept'], 'yes')
  assert.equal(later.headers['content-length'], '4')
  assert.deepEqual(origin.requests, ['GET /'])
})

test('each variant is fetched once, by whichever worker', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.writeHead(200, { ...STORED, vary: 'x-tenant' })
    setTimeout(() => response.end(String(request.headers['x-tenant'])), 100)
  })
  const node = await cached(t, origin.url)
  for (let round = 0; round < 3; round++) {
    const asked = ['one', 'two', 'three'].map(async (tenant) => {
      for (const { text } of await crowd(node, 40, '/', { 'x-tenant': tenant })) assert.equal(text, tenant)
    })
    await Promise.all(asked)
  }
  // Before the first head, nobody can know that there are variants: those who wait for it are sent on then.
  assert.ok(origin.requests.length <= 6, `${origin.requests.length} requests`)
  const before = origin.requests.length
  for (const { text } of await crowd(node, 40, '/', { 'x-tenant': 'four' })) assert.equal(text, 'four')
  assert.equal(origin.requests.length, before + 1)
})

test('a stale answer is asked for once, and the others are given what was found', async (t) => {
  let version = 1
  const origin = await startOrigin(t, (request, response) => {
    const etag = `"${version}"`
    const headers = { 'cache-control': 'public, max-age=2', etag }
    setTimeout(() => {
      if (request.headers['if-none-match'] === etag) response.writeHead(304, headers).end()
      else response.writeHead(200, headers).end(`version ${version}`)
    }, 100)
  })
  const node = await cached(t, origin.url)
  await crowd(node, 100)
  assert.equal(origin.requests.length, 1)
  await eventually(async () => !statuses(await crowd(node, 1))[0]!.includes('; hit'))
  await crowd(node, 100)
  const afterOne = origin.requests.length
  assert.ok(afterOne <= 3, `${afterOne} requests`)
  version = 2
  await eventually(async () => (await node.request('/')).text === 'version 2')
  for (const { text } of await crowd(node, 40)) assert.equal(text, 'version 2')
})

test('answers that are not for sharing go their own ways, and nobody waits for them one after the other', async (t) => {
  const origin = await startOrigin(t, (_, response) => {
    setTimeout(() => response.writeHead(200, { 'cache-control': 'private' }).end('mine'), 200)
  })
  const node = await cached(t, origin.url)
  const before = performance.now()
  const answers = await crowd(node, 40)
  assert.ok(answers.every(({ text }) => text === 'mine'))
  assert.equal(origin.requests.length, 40)
  assert.ok(performance.now() - before < 8000)
})

test('a write through one worker reaches what the others have stored', async (t) => {
  let version = 1
  const origin = await startOrigin(t, (request, response) => {
    if (request.method === 'POST') version += 1
    response.writeHead(200, STORED).end(`version ${version}`)
  })
  const node = await cached(t, origin.url)
  await crowd(node, 40)
  assert.equal(origin.requests.length, 1)
  await node.request('/', { method: 'POST' })
  await eventually(async () => (await crowd(node, 20)).every(({ text }) => text === 'version 2'))
  // What a worker fetched before it heard of the write goes as well, though it is new: once a worker, at most.
  const fetched = origin.requests.filter((line) => line.startsWith('GET')).length
  assert.ok(fetched >= 2 && fetched <= 1 + WORKERS, `${fetched} fetches`)
})

test('what a unit says of an answer goes along: a purge by its tag takes the copies in all workers', async (t) => {
  let version = 1
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=1, private="x-mine"', 'x-mine': 'one client' })
    response.end(`version ${version}`)
  })
  const unit = `export default {
    limits: { cpuMs: 1000 },
    originResponse(request, response) {
      response.tags = ['by-unit']
      response.ttl = 600
      response.headers.set('x-unit', 'seen')
    },
  }`
  const node = await cached(t, origin.url, {}, { units: { tagging: unit } })
  const all = async () => {
    const answers = await crowd(node, 60)
    for (const { headers } of answers) assert.equal(headers['x-unit'], 'seen')
    return [...new Set(answers.map(({ text }) => text))]
  }
  const withMine = (await crowd(node, 60)).filter(({ headers }) => headers['x-mine'] !== undefined)
  assert.ok(withMine.length <= 1, 'the one that fetched')
  assert.deepEqual(await all(), ['version 1'])
  assert.equal(origin.requests.length, 1)
  version = 2
  const { status, text } = await node.api('POST', '/v1/purge', { tags: ['by-unit'] })
  assert.equal(status, 200, text)
  const { objects } = JSON.parse(text) as { readonly objects: number }
  assert.ok(objects >= 2, `${objects} copies in four workers`)
  assert.deepEqual(await all(), ['version 2'])
  assert.equal(origin.requests.length, 2)
})

test('sites that differ in what is stored share nothing, and one that changes its cache begins anew', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.writeHead(200, STORED).end(`${request.headers.host} ${request.url}`)
  })
  const site = (host: string, cache: object) => ({ hosts: [host], origin: origin.url, cache })
  const node = await startNode(t, { config: { edge: { workers: 3 } } })
  const set = async (host: string, cache: object) => {
    const { status, text } = await node.api('PUT', `/v1/sites/${host}`, site(host, cache))
    assert.equal(status, 200, text)
  }
  await set('a.test', {})
  await set('b.test', {})
  for (const host of ['a.test', 'b.test'])
    for (const { text } of await crowd(node, 30, '/', { host })) assert.equal(text, `${host} /`)
  assert.equal(origin.requests.length, 2)
  await set('a.test', { objectBytes: '1mb' })
  for (const { text } of await crowd(node, 30, '/', { host: 'a.test' })) assert.equal(text, 'a.test /')
  assert.equal(origin.requests.length, 3)
})

test('a failing origin is asked once, and all who wait are told', async (t) => {
  const origin = await startOrigin(t, (request) => setTimeout(() => request.socket.destroy(), 300))
  const node = await cached(t, { endpoints: [origin.url], retries: { max: 0 } } as unknown as string)
  const answers = await crowd(node, 60)
  assert.ok(answers.every(({ status }) => status === 502))
  assert.ok(origin.requests.length < 10, `${origin.requests.length} requests`)
})

test('sites that share a store and differ in more than it sees are each fetched once, whichever is asked for first in a worker', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.writeHead(200, STORED)
    setTimeout(() => response.end(request.url), 100)
  })
  const names = ['one', 'two', 'three', 'four']
  const sites = names.map((name, at) => ({
    hosts: [`${name}.example.org`],
    origin: origin.url,
    cache: { wait: `${20 + at}s` },
  }))
  const node = await startNode(t, {
    config: { edge: { workers: WORKERS, limits: PATIENT, cache: { ram: '16mb' } }, sites },
  })
  for (let round = 0; round < 3; round++) {
    const asked = Array.from({ length: 64 }, async (_, i) => {
      const name = names[i % names.length]!
      const path = `/${name}/${round}`
      const { text } = await node.request(path, { headers: { host: `${name}.example.org` } })
      assert.equal(text, path)
    })
    await Promise.all(asked)
  }
  assert.equal(origin.requests.length, 3 * names.length)
})
