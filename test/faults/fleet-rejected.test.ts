import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edgesOf } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { type Fleet, type FleetNode, startFleet } from '../harness/fleet.ts'
import { WITH_TIME } from '../harness/node.ts'

const answering = (text: string, top = '') =>
  `${top}; export default { content: () => new Response(${JSON.stringify(text)}) }`
/** Needs 200 MB when its top level runs, outside of what V8 limits: more than an edge with little memory gives its sandboxes. */
const HUNGRY = 'const kept = Array.from({ length: 25 }, () => new Uint8Array(8e6).fill(1))'
const LITTLE = { edge: { sandboxMemory: '160mb' } } as const

const answers = async ({ node }: FleetNode) => (await node.request('/')).text
const all = (fleet: Fleet) => Promise.all(fleet.nodes.map(answers))

test('what one edge cannot run is taken back everywhere, and runs nowhere after restarts either', async (t) => {
  const fleet = await startFleet(t, { edges: ['large', 'little'] })
  const { control } = fleet
  const [large, little] = [fleet.edge('large'), fleet.edge('little')]
  await little.stop()
  await little.start(LITTLE)
  await control.node.deploy('one', answering('first'))

  const { status, text } = await control.node.api('PUT', '/v1/units/one', {
    source: answering('hungry', HUNGRY),
    manifest: { limits: { memoryMb: 512 } },
    ...WITH_TIME,
  })
  assert.equal(status, 422, text)
  const problem = JSON.parse(text) as { code: string; detail: string }
  assert.equal(problem.code, 'edge-rejected')
  assert.match(problem.detail, /the edge little does not run one@2, and it was taken back/)
  for (const node of fleet.nodes) await eventually(async () => (await answers(node)) === 'first')

  for (const node of fleet.nodes) {
    await node.kill()
    await node.start(node === little ? LITTLE : {})
  }
  assert.deepEqual(await all(fleet), ['first', 'first', 'first'])
  await control.node.deploy('one', answering('third'))
  assert.deepEqual(await all(fleet), ['third', 'third', 'third'])
  assert.equal(large.node.stderr().includes('is not run'), false)
})

test('an edge that does not run what is stored serves what it ran before, also when it is killed and starts without a control plane', async (t) => {
  const fleet = await startFleet(t, { edges: ['little'] })
  const { control } = fleet
  const little = fleet.edge('little')
  await little.stop()
  await little.start(LITTLE)
  await control.node.deploy('one', answering('first'))
  // Nobody waits for edges, so nobody takes it back.
  await control.node.deploy('one', answering('hungry', HUNGRY), {
    manifest: { limits: { memoryMb: 512 } },
    wait: 'stored',
  })
  await eventually(async () => (await edgesOf(control.node))[1]?.rejected !== undefined)
  const [, status] = await edgesOf(control.node)
  assert.equal(status!.lag > 0, true)
  await eventually(async () => (await answers(control)) === 'hungry')
  await control.kill()
  for (let round = 0; round < 3; round++) {
    assert.equal(await answers(little), 'first')
    await little.kill()
    await little.start(LITTLE)
  }
  // Where there is memory for it, it runs.
  await little.kill()
  await little.start()
  await eventually(async () => (await answers(little)) === 'hungry')
})
