/** Where the log is kept, whether it is whole, how much of it is kept, and a replica that becomes a store of its own. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { StoreStatus } from '../../src/control/store-shapes.ts'
import { orla } from '../harness/command.ts'
import { edgesOf, edgeToken, startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'

const hello = (text: string) => `export default { content: () => new Response(${JSON.stringify(text)}) }`

const statusOf = async (node: TestNode) =>
  JSON.parse((await node.api('GET', '/v1/store')).text) as StoreStatus
const dataOf = ({ folder }: TestNode) => join(folder, 'data')

/** So many sites: an entry each. */
async function append(control: TestNode, count: number, host: string): Promise<void> {
  const sites = Array.from({ length: count }, (_, n) => ({
    hosts: [`${host}${n}.example.org`],
    origin: 'http://127.0.0.1:9',
  }))
  const { status, text } = await control.api('POST', '/v1/sites', { sites, timeoutMs: 240_000 })
  assert.equal(status, 200, text)
}

test('status and verify tell how the store of a node is, and what is wrong with it', async (t) => {
  const control = await startNode(t, { units: { one: hello('x') } })
  await startEdge(t, control, 'a')
  const { code, stdout } = await control.orla('store')
  assert.equal(code, 0)
  assert.match(stdout, /^store +embedded$/m)
  assert.match(stdout, /^position +\d+ \([0-9a-f]{12}…\)$/m)
  assert.match(stdout, /^entries +\d+, from 1 on; 10000 are kept, up to 100000 for edges that lag$/m)
  assert.match(stdout, /^a +connected +\d+ +0$/m)
  const whole = await control.orla('store', 'verify')
  assert.deepEqual([whole.code, whole.stderr], [0, ''])
  assert.match(whole.stdout, /^the log [0-9a-f]+ is whole up to \d+, /)
  const path = dataOf(control)
  const running = await orla(['store', 'verify', '--path', path])
  assert.equal(running.code, 1)
  assert.match(running.stderr, /is used by/)
  await control.stop()
  assert.match((await orla(['store', 'verify', '--path', path])).stdout, /is whole up to/)
  const db = new DatabaseSync(join(path, 'orla.db'))
  db.exec(`UPDATE state SET value = '{}' WHERE key = 'unit/one'`)
  db.close()
  const damaged = await orla(['store', 'verify', '--path', path])
  assert.equal(damaged.code, 1)
  assert.match(damaged.stdout, /is not whole: entry \d+: the state of unit\/one is not what the log says/)
  assert.match((await orla(['store', 'verify', '--path', control.folder])).stderr, /holds no store/)
})

test('the log keeps what edges need, up to a bound: one beyond it takes a snapshot', async (t) => {
  const config = { store: { log: { keep: 5, keepForEdges: 40 } } }
  const first = await startNode(t, { config, units: { one: hello('x') } })
  const token = await edgeToken(first, 'a')
  const edge = await startEdge(t, first, 'a', { token })
  const joinedAt = (await statusOf(edge)).base.id
  const meanwhile = async (control: TestNode, count: number, host: string) => {
    await append(control, count, host)
    await control.stop()
    return startNode(t, { config, folder: control.folder })
  }
  await edge.stop()
  const stood = (await statusOf(first)).position.id
  const second = await meanwhile(first, 20, 'few')
  await eventually(async () => (await statusOf(second)).base.id === stood)
  const near = await startEdge(t, second, 'a', { token, folder: edge.folder })
  await eventually(async () => (await edgesOf(second))[1]?.lag === 0)
  assert.equal((await statusOf(near)).base.id, joinedAt)
  await near.stop()

  const third = await meanwhile(second, 60, 'many')
  const { position } = await statusOf(third)
  await eventually(async () => (await statusOf(third)).base.id === position.id - 40)
  const early = await third.orla('log', '--from', '1')
  assert.equal(early.code, 1)
  assert.match(early.stderr, /entry 1 is not kept any more: entries are kept from \d+ on/)
  const far = await startEdge(t, third, 'a', { token, folder: edge.folder })
  await eventually(async () => (await edgesOf(third))[1]?.lag === 0)
  const { base, position: now } = await statusOf(far)
  assert.deepEqual([base, now], [position, position])
})

test('a replica is promoted when the control plane is lost, and edges follow it', async (t) => {
  const lost = await startNode(t, {
    config: { sites: [{ hosts: ['kept.example.org'], origin: 'http://127.0.0.1:9' }] },
    units: { one: hello('kept') },
  })
  const heir = await startEdge(t, lost, 'heir')
  const other = await startEdge(t, lost, 'other')
  const own = await orla(['store', 'promote', '--path', dataOf(lost)])
  assert.match(own.stderr, /is used by/)
  lost.kill('SIGKILL')
  await lost.ended
  rmSync(dataOf(lost), { recursive: true, force: true })
  const inUse = await orla(['store', 'promote', '--path', dataOf(heir)])
  assert.deepEqual([inUse.code, inUse.stdout], [1, ''])
  await heir.stop()
  const promoted = await orla(['store', 'promote', '--path', dataOf(heir)])
  assert.equal(promoted.code, 0, promoted.stderr)
  assert.match(
    promoted.stderr,
    /sites of the configuration file of the node before stay .*: kept\.example\.org/,
  )
  assert.match(
    (await orla(['store', 'promote', '--path', dataOf(heir)])).stderr,
    /is a store of its own already/,
  )

  const control = await startNode(t, { folder: heir.folder })
  assert.equal((await control.request('/')).text, 'kept')
  assert.match((await control.orla('sites')).stdout, /^kept\.example\.org .* live /m)
  await other.stop()
  const follows = await startEdge(t, control, 'other', { folder: other.folder, token: 'test' })
  await control.deploy('one', hello('after'))
  await eventually(async () => (await follows.request('/')).text === 'after')
})
