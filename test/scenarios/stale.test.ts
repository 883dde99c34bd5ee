/** Stale answers that go out all the same (RFC 5861): while they are refreshed, and when the origin fails. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

/** An origin whose answers are numbered, and which does what the test says. */
async function setUp(
  t: TestContext,
  control: string,
  more: { workers?: number; cache?: object; units?: Record<string, string> } = {},
) {
  let version = 0
  const told: { answer: (response: ServerResponse) => void } = { answer: (response) => normal(response) }
  const normal = (response: ServerResponse): void => {
    version += 1
    response.writeHead(200, { 'cache-control': control, etag: `"${version}"` }).end(`version ${version}`)
  }
  const origin = await startOrigin(t, (_, response) => told.answer(response))
  const node = await startNode(t, {
    ...(more.units && { units: more.units }),
    config: {
      edge: { workers: more.workers ?? 1, limits: PATIENT },
      sites: [
        {
          hosts: ['*'],
          origin: { endpoints: [origin.url], retries: { max: 0 } },
          cache: more.cache ?? {},
        },
      ],
    },
  })
  return { origin, node, told, normal }
}

const status = (answer: { readonly headers: Readonly<Record<string, unknown>> }) =>
  String(answer.headers['cache-status'])

/** Waits until what is stored is stale by at least a second. */
const untilStale = (node: TestNode) =>
  eventually(async () => {
    const answer = await node.request('/', { headers: { 'cache-control': 'only-if-cached, max-stale=1000' } })
    return Number(/ttl=(-?\d+)/.exec(status(answer))?.[1]) < 0
  })

test('RFC 5861 §3: an answer that came stale is refreshed as well', async (t) => {
  const { origin, node, told, normal } = await setUp(t, 'max-age=600, stale-while-revalidate=600')
  told.answer = (response) => normal(response.setHeader('age', 650) as ServerResponse)
  await node.request('/')
  told.answer = normal
  assert.match(status(await node.request('/')), /^orla; hit; ttl=-\d+; detail=stale-while-revalidate$/)
  await eventually(async () => (await node.request('/')).text === 'version 2')
  assert.equal(origin.requests.length, 2)
})

test('RFC 5861 §3: stale-while-revalidate answers at once, and one refresh goes to the origin', async (t) => {
  const { origin, node, told, normal } = await setUp(t, 'max-age=1, stale-while-revalidate=600')
  await node.request('/')
  await untilStale(node)
  const held: ServerResponse[] = []
  told.answer = (response) => held.push(response)
  for (let i = 0; i < 10; i++) {
    const answer = await node.request('/')
    assert.equal(answer.text, 'version 1')
    assert.match(status(answer), /^orla; hit; ttl=-\d+; detail=stale-while-revalidate$/)
  }
  assert.equal(held.length, 1)
  assert.equal(origin.requests.length, 2)
  told.answer = normal
  normal(held[0]!)
  await eventually(async () => (await node.request('/')).text === 'version 2')
})

test('the refresh is conditional, passes the units around the origin, and a 304 makes the answer fresh again', async (t) => {
  const seen: (string | undefined)[] = []
  const { node, told } = await setUp(t, 'max-age=1, stale-while-revalidate=600', {
    units: {
      ask: 'export default { origin: (request) => { request.headers.set("x-unit", "yes") } }',
    },
  })
  await node.request('/')
  await untilStale(node)
  told.answer = (response) => {
    const { headers } = response.req
    seen.push(`${headers['if-none-match']} ${headers['x-unit']}`)
    response.writeHead(304, { 'cache-control': 'max-age=600', etag: '"1"' }).end()
  }
  await node.request('/')
  await eventually(async () => /; hit; ttl=\d+$/.test(status(await node.request('/'))))
  assert.deepEqual(seen, ['"1" yes'])
  assert.equal((await node.request('/')).text, 'version 1')
})

test('one refresh over all workers of the node', async (t) => {
  const { origin, node, told, normal } = await setUp(t, 'max-age=2, stale-while-revalidate=600', {
    workers: 3,
  })
  const crowd = (count: number) => Promise.all(Array.from({ length: count }, () => node.request('/')))
  await crowd(60)
  assert.equal(origin.requests.length, 1)
  const held: ServerResponse[] = []
  told.answer = (response) => held.push(response)
  await eventually(async () =>
    (await crowd(20)).every((answer) => status(answer).includes('detail=stale-while')),
  )
  for (const answer of await crowd(60)) assert.equal(answer.text, 'version 1')
  assert.equal(held.length, 1)
  told.answer = normal
  normal(held[0]!)
  await eventually(async () => (await crowd(20)).every(({ text }) => text === 'version 2'))
  assert.equal(origin.requests.length, 2)
})

test('RFC 5861 §4: stale-if-error answers when the origin says 500, 502, 503 or 504, or cannot be asked', async (t) => {
  const { node, told } = await setUp(t, 'max-age=1, stale-if-error=600')
  await node.request('/')
  await untilStale(node)
  const stale = /^orla; hit; ttl=-\d+; detail=stale-if-error$/
  for (const code of [500, 502, 503, 504]) {
    told.answer = (response) => response.writeHead(code, { 'cache-control': 'max-age=60' }).end('sorry')
    const answer = await node.request('/')
    assert.deepEqual([answer.status, answer.text], [200, 'version 1'])
    assert.match(status(answer), stale)
  }
  told.answer = (response) => void response.socket!.destroy()
  for (const answer of await Promise.all([1, 2, 3, 4].map(() => node.request('/')))) {
    assert.deepEqual([answer.status, answer.text], [200, 'version 1'])
    assert.match(status(answer), stale)
  }
  told.answer = (response) => response.writeHead(404).end('gone')
  assert.equal((await node.request('/')).status, 404)
})

test('a circuit breaker that is open counts as an error', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/broken') request.socket.destroy()
    else response.writeHead(200, { 'cache-control': 'max-age=1, stale-if-error=600' }).end('body')
  })
  const node = await startNode(t, {
    config: {
      sites: [
        {
          hosts: ['*'],
          origin: {
            endpoints: [origin.url],
            retries: { max: 0 },
            circuitBreaker: { failures: 0.4, requests: 2, window: '600s', open: '600s' },
          },
          cache: {},
        },
      ],
    },
  })
  await node.request('/')
  await untilStale(node)
  await eventually(async () => {
    await node.request('/broken')
    return /orla; hit; ttl=-\d+; detail=stale-if-error/.test(status(await node.request('/')))
  })
})

test('RFC 9111 §4.2.4: never against must-revalidate, proxy-revalidate, no-cache or s-maxage', async (t) => {
  for (const control of [
    'max-age=1, must-revalidate',
    'max-age=1, proxy-revalidate',
    's-maxage=1',
    'max-age=1, no-cache',
  ]) {
    const { node, told } = await setUp(t, `${control}, stale-while-revalidate=600, stale-if-error=600`)
    await node.request('/')
    told.answer = (response) => response.writeHead(503).end('sorry')
    await eventually(async () => (await node.request('/')).status === 503, { what: control })
  }
})

test('RFC 9111 §5.2.1: a request that asks for something fresher gets no stale answer', async (t) => {
  const { node, told } = await setUp(t, 'max-age=1, stale-while-revalidate=600, stale-if-error=600')
  await node.request('/')
  await untilStale(node)
  told.answer = (response) => response.writeHead(503).end('sorry')
  for (const control of ['no-cache', 'max-age=60', 'min-fresh=1'])
    assert.equal((await node.request('/', { headers: { 'cache-control': control } })).status, 503, control)
  assert.equal((await node.request('/')).text, 'version 1')
})

test('a site says how long where the origin does not', async (t) => {
  const { node, told } = await setUp(t, 'max-age=1', {
    cache: { stale: { ifError: '600s', whileRevalidate: '600s' } },
  })
  await node.request('/')
  await untilStale(node)
  told.answer = (response) => response.writeHead(503).end('sorry')
  for (let i = 0; i < 3; i++) {
    const answer = await node.request('/', { headers: { 'if-none-match': '"1"' } })
    assert.equal(answer.status, 304)
    assert.match(status(answer), /detail=stale-while-revalidate/)
  }
})

test('a node drains at once though a refresh is under way', async (t) => {
  const { node, told } = await setUp(t, 'max-age=1, stale-while-revalidate=600', { workers: 2 })
  await node.request('/')
  let isAsked = false
  told.answer = () => (isAsked = true)
  await eventually(async () => {
    await node.request('/')
    return isAsked
  })
  const before = performance.now()
  const ending = await node.stop()
  assert.equal(ending.code, 0)
  assert.ok(performance.now() - before < 20_000)
})

test('RFC 9111 §5.2.2.2: where an answer must be validated and the origin is away, 504 says so', async (t) => {
  for (const control of ['max-age=0, must-revalidate', 'no-cache', 'max-age=0, stale-if-error=600']) {
    const { node, told } = await setUp(t, control)
    assert.equal((await node.request('/')).text, 'version 1')
    told.answer = (response) => void response.destroy()
    const answer = await node.request('/')
    // What may be used without asking is: RFC 5861 §4.
    assert.equal(answer.status, control.includes('stale-if-error') ? 200 : 504, control)
    const other = await node.request('/other')
    assert.equal(other.status, 502)
  }
})
