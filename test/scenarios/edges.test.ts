import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edgesOf, startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const hello = (text: string) => `export default { content: () => new Response(${JSON.stringify(text)}) }`

test('a deploy at the control plane is live on every edge when it is done', async (t) => {
  const origin = await startOrigin(t)
  const control = await startNode(t, {
    config: { sites: [{ origin: origin.url }] },
    units: { one: hello('first') },
  })
  const edges = await Promise.all(['a', 'b'].map((name) => startEdge(t, control, name)))
  for (const edge of edges) assert.equal((await edge.request('/')).text, 'first')

  const result = await control.deploy('one', hello('second'))
  for (const node of [control, ...edges]) assert.equal((await node.request('/')).text, 'second')
  assert.deepEqual(result.live, { workers: 3, of: 3 })
  assert.deepEqual([result.edges?.live, result.edges?.of], [2, 2])

  const listed = await edgesOf(control)
  assert.deepEqual(listed.map(({ name, role, presence, lag }) => [name, role, presence, lag]).slice(1), [
    ['a', 'edge', 'connected', 0],
    ['b', 'edge', 'connected', 0],
  ])
  assert.ok(listed[1]!.liveMs!.p50 > 0)
})

test('an edge takes no changes, and says where they are made', async (t) => {
  const control = await startNode(t, { units: { one: hello('x') } })
  const edge = await startEdge(t, control, 'a')
  const { status, text } = await edge.api('PUT', '/v1/units/one', { source: hello('y') })
  assert.equal(status, 409)
  assert.match(text, new RegExp(`follows ${control.control}`))
})

test('an edge serves on while the control plane is away, restarts without it, and catches up', async (t) => {
  const control = await startNode(t, { units: { one: hello('first') } })
  const edge = await startEdge(t, control, 'a')
  await control.stop()
  assert.equal((await edge.request('/')).text, 'first')
  await edge.stop()
  const config = {
    node: { name: 'a' },
    store: { kind: 'replica', control: control.control, token: 'none' },
  } as const
  const again = await startNode(t, { folder: edge.folder, config })
  assert.equal((await again.request('/')).text, 'first')
  await again.stop()
})

test('an edge that was away gets what it missed, and one that left in order is not waited for', async (t) => {
  const control = await startNode(t, { units: { one: hello('first') } })
  const edge = await startEdge(t, control, 'a')
  await edge.stop()
  await eventually(async () => (await edgesOf(control))[1]?.presence === 'stopped')
  await control.deploy('one', hello('second'))
  const again = await startEdge(t, control, 'a', { folder: edge.folder, token: 'test' })
  await eventually(async () => (await again.request('/')).text === 'second')
  await again.stop()
})
