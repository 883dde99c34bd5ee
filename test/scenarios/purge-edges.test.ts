/** Purges on a control plane and its edges: everywhere when it is answered, and on one that was away before it says that it is there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PurgeResult } from '../../src/control/purge-shapes.ts'
import { edgesOf, startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { startFaultProxy } from '../harness/fault-proxy.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { redisIsMissing, startRedis } from '../harness/redis.ts'
import { startVersionedOrigin } from '../harness/versioned-origin.ts'

async function purge(node: TestNode, body: object): Promise<PurgeResult> {
  const { status, text } = await node.api('POST', '/v1/purge', { timeoutMs: 120_000, ...body })
  assert.equal(status, 200, text)
  return JSON.parse(text) as PurgeResult
}

const read = async (node: TestNode, path = '/page/1') => (await node.request(path)).text

test('a purge holds on every edge when it is answered, with all objects counted', async (t) => {
  const origin = await startVersionedOrigin(t)
  const control = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
  const edges = await Promise.all(['a', 'b'].map((name) => startEdge(t, control, name)))
  const nodes = [control, ...edges]
  for (let round = 0; round < 5; round++) {
    for (const node of nodes) assert.equal(await read(node), `GET version ${origin.version}`)
    origin.version += 1
    const done = await purge(control, { tags: ['of-page'] })
    assert.deepEqual(
      [done.objects, done.live, done.edges?.live, done.edges?.of],
      [3, { workers: 3, of: 3 }, 2, 2],
    )
    for (const node of nodes) assert.equal(await read(node), `GET version ${origin.version}`)
  }
  const { stdout } = await control.orla('purge', '--everything')
  assert.match(stdout, /^purged everything on 2\/2 edges and 3\/3 workers in \d+ ms \(3 objects\)$/m)
  assert.deepEqual(
    (await edgesOf(control)).map(({ lag }) => lag),
    [0, 0, 0],
  )
  assert.match((await edges[0]!.api('POST', '/v1/purge', { everything: true })).text, /not-control-plane/)
})

test('an edge that was cut off is waited for, and past the purge before it says that it is there', async (t) => {
  const origin = await startVersionedOrigin(t)
  const control = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
  const proxy = await startFaultProxy(t, { target: { port: Number(new URL(control.control).port) } })
  const edge = await startEdge(t, control, 'a', { through: `http://${proxy.address}` })
  assert.equal(await read(edge), 'GET version 1')
  await proxy.refuse()
  proxy.cut()
  await eventually(async () => (await edgesOf(control))[1]?.presence === 'away')
  origin.version = 2
  const late = await control.api('POST', '/v1/purge', { urls: [`${edge.url}/page/1`], timeoutMs: 300 })
  assert.equal(late.status, 504, late.text)
  assert.match(late.text, /"who":"edge a"/)
  const command = await control.orla('purge', '--tag', 'of-page', '--timeout', '200ms')
  assert.equal(command.code, 2, command.stderr)
  assert.equal(await read(edge), 'GET version 1', 'it serves on')
  const waiting = purge(control, { tags: ['none'] })
  await proxy.accept()
  assert.equal((await waiting).edges?.live, 1)
  assert.equal(await read(edge), 'GET version 2')
})

test('an edge that starts from a snapshot knows the purges that are in it', async (t) => {
  const origin = await startVersionedOrigin(t)
  const log = { keep: 1, keepForEdges: 1 }
  const control = await startNode(t, {
    config: { sites: [{ origin: origin.url, cache: {} }], store: { log } as never },
  })
  const edge = await startEdge(t, control, 'a')
  for (let i = 0; i < 20; i++) await purge(control, { tags: [`t${i}`] })
  await edge.stop()
  const again = await startEdge(t, control, 'b')
  assert.equal(await read(again), 'GET version 1')
  origin.version = 2
  assert.equal((await purge(control, { everything: true })).objects, 1)
  assert.equal(await read(again), 'GET version 2')
})

test('a unit on an edge purges everywhere, by way of the control plane', async (t) => {
  const origin = await startVersionedOrigin(t)
  const control = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
  const edge = await startEdge(t, control, 'a')
  await control.deploy(
    'hook',
    `export default { paths: ['/hook'], async content(request, edge) { return Response.json(await edge.purge({ tags: ['all'] })) } }`,
  )
  for (const node of [control, edge]) assert.equal(await read(node), 'GET version 1')
  origin.version = 2
  const { status, text } = await edge.request('/hook')
  assert.equal(status, 200, text)
  assert.equal((JSON.parse(text) as { objects: number }).objects, 1)
  assert.equal(await read(edge), 'GET version 2')
  await eventually(async () => (await read(control)) === 'GET version 2')
})

test('purges go on while units are deployed, and hold up no deploy', async (t) => {
  const origin = await startVersionedOrigin(t)
  const control = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
  let isOver = false
  const purging = (async () => {
    let count = 0
    for (; !isOver; count++) await purge(control, { tags: ['all'] })
    return count
  })()
  for (let i = 0; i < 3; i++)
    await control.deploy('one', `export default { paths: ['/one'], content: () => new Response('${i}') }`)
  isOver = true
  assert.ok((await purging) > 10)
  assert.equal((await control.request('/one')).text, '2')
})

test(
  'with an engine, a purge at one control plane holds at the other soon',
  { skip: redisIsMissing },
  async (t) => {
    const origin = await startVersionedOrigin(t)
    const redis = await startRedis(t, { appendOnly: true })
    const store = { kind: 'redis', url: redis.url } as const
    const one = await startNode(t, {
      config: { node: { name: 'one' }, store, sites: [{ origin: origin.url, cache: {} }] },
    })
    const two = await startNode(t, {
      config: { node: { name: 'two' }, store, sites: [{ origin: origin.url, cache: {} }] },
    })
    for (const node of [one, two]) assert.equal(await read(node), 'GET version 1')
    origin.version = 2
    const both = await Promise.all([purge(one, { tags: ['of-page'] }), purge(two, { tags: ['none'] })])
    assert.notEqual(both[0].id, both[1].id)
    assert.equal(await read(one), 'GET version 2')
    await eventually(async () => (await read(two)) === 'GET version 2')
  },
)
