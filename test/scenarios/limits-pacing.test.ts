/** Requests at once, bytes a second, and requests that wait for their turn, on a real node. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:http2'
import { test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { eventually } from '../harness/eventually.ts'
import { askHttp2 } from '../harness/http2-client.ts'
import { TRUSTING_EDGE } from '../harness/many-clients.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

type Limits = NonNullable<NonNullable<ConfigInput['sites']>[number]['limits']>
type Answerer = (request: IncomingMessage, response: ServerResponse) => void

async function nodeWith(
  t: TestContext,
  limits: Limits,
  answer: Answerer,
  { edge, site }: { readonly edge?: object; readonly site?: object } = {},
): Promise<TestNode> {
  const origin = await startOrigin(t, answer)
  return startNode(t, {
    config: { edge: { ...TRUSTING_EDGE, ...edge }, sites: [{ origin: origin.url, limits, ...site }] },
  })
}

/** An origin that answers when it is told to. */
function holding() {
  const held: ServerResponse[] = []
  return {
    held,
    answer: ((_, response) => void held.push(response)) satisfies Answerer,
    letGo: () => held.shift()?.end('done'),
  }
}

/** A request that may be broken off. */
function begin(node: TestNode, path = '/', headers = {}) {
  const request = get(`${node.url}${path}`, { agent: false, headers })
  const { promise: status, resolve } = Promise.withResolvers<number>()
  request.on('response', (response) => {
    response.resume()
    resolve(response.statusCode!)
  })
  request.on('error', () => resolve(0))
  // In order it would only say that it sends no more.
  return { status, drop: () => request.socket?.resetAndDestroy() }
}

interface Counted {
  readonly name: string
  readonly allowed: number
  readonly waited: number
}

/** What a limit has done. */
async function counted(node: TestNode, limit: string): Promise<Counted> {
  const limits = JSON.parse((await node.api('GET', '/v1/limits')).text) as readonly Counted[]
  return limits.find(({ name }) => name === limit)!
}

test('so many requests at once, over all workers, and room again when one is over', async (t) => {
  const { held, answer, letGo } = holding()
  const node = await nodeWith(t, [{ name: 'few', kind: 'concurrency', max: 3, key: 'all' }], answer, {
    edge: { workers: 4 },
  })
  const first = [begin(node), begin(node), begin(node)]
  await eventually(() => held.length === 3)
  const refused = await node.request('/')
  assert.equal(refused.status, 429)
  assert.equal(refused.headers['retry-after'], '1')
  assert.equal(refused.headers['ratelimit-policy'], '"few";q=3;qu="concurrent-requests"')
  assert.match(refused.text, /the limit few allows 3 requests at once/)
  letGo()
  assert.equal(await Promise.race(first.map(({ status }) => status)), 200)
  const fourth = begin(node)
  await eventually(() => held.length === 3)
  assert.equal((await node.request('/')).status, 429)
  while (held.length > 0) letGo()
  assert.equal(await fourth.status, 200)
})

test('a client that goes away makes room, and so does a worker that is killed', async (t) => {
  const { held, answer, letGo } = holding()
  const node = await nodeWith(t, [{ name: 'few', kind: 'concurrency', max: 2, key: 'address' }], answer, {
    edge: { workers: 2 },
  })
  const first = begin(node)
  const second = begin(node)
  await eventually(() => held.length === 2)
  assert.equal((await node.request('/')).status, 429)
  first.drop()
  const third = await reached(node, held, 3)
  for (const pid of node.processes().workers) process.kill(pid, 'SIGKILL')
  assert.deepEqual(await Promise.all([second.status, third.status]), [0, 0])
  held.length = 0
  const more = [await reached(node, held, 1), await reached(node, held, 2)]
  assert.equal((await node.request('/')).status, 429)
  while (held.length > 0) letGo()
  assert.deepEqual(await Promise.all(more.map(({ status }) => status)), [200, 200])
})

/** Asks until the origin has so many requests: who has only just gone may still be counted, and a worker that is only just there refuse a connection. */
async function reached(node: TestNode, held: readonly unknown[], count: number) {
  for (;;) {
    const one = begin(node)
    const isHeld = eventually(() => held.length === count)
    if ((await Promise.race([one.status, isHeld])) === true) return one
  }
}

const BODY = Buffer.alloc(400_000, 'abcdefghij')
const RATE = 128 * 1024
/** What the rest takes at that rate, after what may go at once. */
const AT_LEAST_MS = ((BODY.length - 100 * 1024 - RATE / 20) / RATE) * 1000

for (const [what, path, cached] of [
  ['the origin', '/', false],
  ['the cache', '/', true],
] as const) {
  test(`an answer of ${what} goes out at its pace, whole`, async (t) => {
    const limits: Limits = [{ name: 'slow', kind: 'bandwidth', bytesPerSecond: '128kb', after: '100kb' }]
    const node = await nodeWith(
      t,
      limits,
      (_, response) => response.setHeader('cache-control', cached ? 'max-age=60' : 'no-store').end(BODY),
      cached ? { site: { cache: { ram: '16mb' } } } : {},
    )
    if (cached) await node.request(path)
    const start = performance.now()
    const answer = await node.request(path)
    const ms = performance.now() - start
    assert.deepEqual(answer.body, BODY)
    assert.ok(ms >= AT_LEAST_MS, `${ms} ms for what takes ${AT_LEAST_MS}`)
    assert.equal(answer.headers['content-length'], String(BODY.length))
    if (cached) {
      const part = await node.request(path, { headers: { range: 'bytes=10-300009' } })
      assert.deepEqual([part.status, part.body.length], [206, 300_000])
    }
    assert.ok((await counted(node, 'slow')).allowed >= 1)
  })
}

test('over HTTP/2, in chunks and compressed, and for many at once', async (t) => {
  const node = await nodeWith(
    t,
    [{ name: 'slow', kind: 'bandwidth', bytesPerSecond: '128kb', after: '100kb', paths: ['/slow*'] }],
    (request, response) => {
      response.setHeader('content-type', 'text/plain')
      if (request.url === '/slow-chunks')
        for (let at = 0; at < BODY.length; at += 50_000) response.write(BODY.subarray(at, at + 50_000))
      response.end(request.url === '/slow-chunks' ? '' : BODY)
    },
    { edge: { listen: { address: '127.0.0.1:0', h2c: true } }, site: { compress: true } },
  )
  const session = connect(node.url)
  t.after(() => session.destroy())
  const hash = (body: Buffer) => createHash('sha256').update(body).digest('hex')
  const start = performance.now()
  const quick = await askHttp2(session, { ':path': '/quick' })
  assert.equal(hash(quick.body), hash(BODY))
  const all = await Promise.all([
    askHttp2(session, { ':path': '/slow' }),
    askHttp2(session, { ':path': '/slow-chunks' }),
    node.request('/slow'),
    node.request('/slow-chunks'),
  ])
  for (const { body } of all) assert.equal(hash(body), hash(BODY))
  assert.ok(performance.now() - start >= AT_LEAST_MS)
  const zipped = await node.request('/slow', { headers: { 'accept-encoding': 'gzip' } })
  assert.equal(zipped.headers['content-encoding'], 'gzip')
})

test('a client that goes in the middle of a paced answer leaves nothing behind', async (t) => {
  const node = await nodeWith(
    t,
    [
      { name: 'slow', kind: 'bandwidth', bytesPerSecond: '64kb' },
      { name: 'one', kind: 'concurrency', max: 1, key: 'all' },
    ],
    (_, response) => response.setHeader('cache-control', 'max-age=60').end(BODY),
    { site: { cache: { ram: '16mb' } } },
  )
  for (let round = 0; round < 3; round++) {
    const { drop, status } = begin(node)
    assert.equal(await status, 200)
    assert.equal((await node.request('/')).status, 429, 'it is under way until its last byte has left')
    drop()
    await eventually(async () => {
      const { status, drop: dropToo } = begin(node)
      const got = await status
      dropToo()
      return got === 200
    })
    await eventually(async () => (await node.request('/', { method: 'HEAD' })).status !== 429)
  }
})

test('a request that would be too many waits for its turn, in order; one too many of those is refused', async (t) => {
  const served: string[] = []
  const node = await nodeWith(
    t,
    [{ name: 'queue', rate: '5/1s', algorithm: 'leaky-queue', queue: 3, key: 'all' }],
    (request, response) => {
      served.push(request.url!)
      response.end()
    },
  )
  const start = performance.now()
  const statuses = await Promise.all(
    ['/0', '/1', '/2', '/3', '/4', '/5', '/6'].map(async (path) => (await node.request(path)).status),
  )
  const ms = performance.now() - start
  assert.ok(statuses.filter((status) => status === 200).length >= 4)
  assert.ok(statuses.includes(429))
  assert.ok(ms >= 550, `${ms} ms for what waits 600`)
  const { waited } = await counted(node, 'queue')
  assert.ok(waited >= 3, `${waited}`)
  assert.equal(served.length, statuses.filter((status) => status === 200).length)
})

test('of a limit that only looks, nothing is slowed down or refused', async (t) => {
  const node = await nodeWith(
    t,
    [
      { name: 'slow', kind: 'bandwidth', bytesPerSecond: '1kb', dryRun: true },
      { name: 'one', kind: 'concurrency', max: 1, key: 'all', dryRun: true },
    ],
    (_, response) => response.end(BODY),
  )
  const answers = await Promise.all([node.request('/'), node.request('/'), node.request('/')])
  for (const { status, body } of answers) assert.deepEqual([status, body.length], [200, BODY.length])
})
