import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { LogEntry } from '../../src/contract/store.ts'
import { openStore } from '../../src/store/sqlite-store.ts'
import { eventually } from '../harness/eventually.ts'
import { type FleetNode, startFleet } from '../harness/fleet.ts'
import { redisIsMissing, startRedis } from '../harness/redis.ts'

const answering = (text: string) => `export default { content: () => new Response(${JSON.stringify(text)}) }`

const deploy = ({ node }: FleetNode, text: string) => node.deploy('one', answering(text), { wait: 'stored' })

async function runs(nodes: readonly FleetNode[], text: string): Promise<void> {
  for (const { node } of nodes)
    await eventually(async () => (await node.request('/')).text === text, {
      withinMs: 60_000,
      what: node.stderr,
    })
}

/** The id of the first entry that a node has kept. */
async function firstKept({ node }: FleetNode): Promise<number | undefined> {
  const entries = JSON.parse((await node.api('GET', '/v1/log')).text) as LogEntry[]
  return entries[0]?.id
}

test('an edge that lags further than the log reaches back takes a snapshot, and goes on from there', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const { control } = fleet
  const a = fleet.edge('a')
  await deploy(control, 'first')
  await runs(fleet.nodes, 'first')
  await a.kill()
  await deploy(control, 'second')
  await control.stop()
  const store = openStore(control.data, { clock: systemClock })
  const { id } = store.position()
  store.rotate(id - 1)
  store.close()
  await a.start()
  await runs([a], 'first')
  await control.start()
  await runs(fleet.nodes, 'second')
  await deploy(control, 'third')
  await runs(fleet.nodes, 'third')
  assert.equal(await firstKept(a), id + 1)
  assert.equal((await a.status()).position.hash, (await control.status()).position.hash)
})

test('an edge of another control plane at the same address is told so, and takes what that one has', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const { control } = fleet
  await deploy(control, 'of one')
  await runs(fleet.nodes, 'of one')
  await control.stop()
  await rm(control.data, { recursive: true })
  await control.start()
  // Another log, though as many entries stand in it.
  await deploy(control, 'of another')
  const made = await control.node.api('POST', '/v1/tokens', { name: 'edge-a', role: 'edge' })
  const { token } = JSON.parse(made.text) as { token: string }
  const a = fleet.edge('a')
  assert.equal((await a.node.request('/')).text, 'of one')
  await eventually(() => a.node.stderr().includes('is not followed'), {
    withinMs: 30_000,
    what: a.node.stderr,
  })
  await a.stop()
  await a.start({ store: { token } as ConfigInput['store'] })
  await runs(fleet.nodes, 'of another')
})

test(
  'a control plane whose log in Redis was trimmed meanwhile takes the state, and so do its edges',
  { skip: redisIsMissing },
  async (t) => {
    const server = await startRedis(t)
    const store = { kind: 'redis', url: server.url } as const
    const fleet = await startFleet(t, {
      store,
      controls: ['one', 'other'],
      edges: ['a'],
      through: (_, [one]) => [one!],
    })
    const [one, other] = fleet.controls
    await deploy(one!, 'first')
    await runs(fleet.nodes, 'first')
    await one!.kill()
    for (const text of ['second', 'third']) await deploy(other!, text)
    const { id } = (await other!.status()).position
    await server.cli('XTRIM', '{orla:units}:entries', 'MAXLEN', '1')
    await runs([fleet.edge('a')], 'first')
    await one!.start()
    await runs(fleet.nodes, 'third')
    await deploy(one!, 'fourth')
    await runs(fleet.nodes, 'fourth')
    assert.ok((await firstKept(fleet.edge('a')))! > id)
  },
)

test(
  'where Redis lost a part of the state, what runs stays, also after a restart, and nothing is published on it',
  { skip: redisIsMissing },
  async (t) => {
    const server = await startRedis(t)
    const fleet = await startFleet(t, { store: { kind: 'redis', url: server.url }, edges: ['a'] })
    await deploy(fleet.control, 'first')
    await runs(fleet.nodes, 'first')
    await server.cli('HDEL', '{orla:units}:state', 'unit/one')
    const { status, text } = await fleet.control.node.api('PUT', '/v1/units/one', {
      source: answering('second'),
    })
    assert.ok(status >= 400, text)
    assert.match(text, /was changed by somebody else/)
    for (const node of fleet.nodes) {
      await node.kill()
      await node.start()
      assert.equal((await node.node.request('/')).text, 'first')
    }
  },
)
