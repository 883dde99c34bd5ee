/** Nodes that change while clients are answered: by their heartbeats, by probes, by a file, by hand. */
import assert from 'node:assert/strict'
import { renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import type { DnsEdgeState } from '../../../contract/dns.ts'
import { NODES, steered, tables, told } from './edge.support.ts'

const LONDON = { ip: '81.1.2.3' }

test('heartbeats of edges count, and what they say of their load', async (t) => {
  const edges: DnsEdgeState[] = ['gru1', 'lhr1'].map((name) => ({
    name,
    groups: [],
    isConnected: true,
    seenAt: Date.now(),
    load: 0.2,
    isDraining: false,
  }))
  const block = await steered(t, NODES, { host: { edges: () => edges } })
  const chosen = async () => told(await block.answer('cdn.example.org', 'A', LONDON))
  assert.equal(await chosen(), '192.0.2.2')
  edges[1] = { ...edges[1]!, load: 0.95 }
  await eventually(async () => (await chosen()) === '192.0.2.1')
  edges[1] = { ...edges[1]!, load: 0.3, seenAt: Date.now() }
  await eventually(async () => (await chosen()) === '192.0.2.2')
  edges[1] = { ...edges[1]!, isDraining: true }
  await eventually(async () => (await chosen()) === '192.0.2.1')
  assert.match(block.figures.text(), /orla_dns_edge_node_up\{.*node="lhr1"\} 0\.5/)
  assert.match(block.figures.text(), /orla_dns_edge_node_load\{.*node="lhr1"\} 0\.3/)
  assert.ok(
    block.logged.some((line) => line === 'info edge: node lhr1 is drain: it says that it is draining'),
  )
})

test('probes take nodes out and bring them back, and the block is ready with the first ones', async (t) => {
  let status = 500
  const server = createServer((_request, answer) => answer.writeHead(status).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const probed = `node lhr2 192.0.2.9 {\nlocation 51.5 -0.1\ncountry GB\npriority 0\nprobe http://127.0.0.1:${port}/ interval 20ms\n}`
  const block = await steered(t, `${NODES}\n${probed}`)
  const chosen = async () => told(await block.answer('cdn.example.org', 'A', LONDON))
  await eventually(() => block.setup.readies.every(({ isReady }) => isReady()))
  assert.equal(await chosen(), '192.0.2.2')
  status = 204
  await eventually(async () => (await chosen()) === '192.0.2.9')
  assert.match(block.figures.text(), /orla_dns_edge_probes_total\{.*node="lhr2",result="good"\} \d/)
})

test('a file of nodes is read again when it changes, and one that is wrong changes nothing', async (t) => {
  const folder = tables(t)
  const path = join(folder, 'nodes.json')
  const write = (text: string) => {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
  write(
    '{ "lhr2": { "address": "192.0.2.9", "asn": 1, "location": "51.5 -0.1", "country": "GB", "priority": 0 } }',
  )
  const block = await steered(t, `${NODES}\nnodes nodes.json`, { folder })
  const chosen = async () => told(await block.answer('cdn.example.org', 'A', LONDON))
  assert.equal(await chosen(), '192.0.2.9')
  write('{ "lhr2": { "address": "192.0.2.10", "priority": 0, "location": [51.5, -0.1], "country": "GB" } }')
  await eventually(async () => (await chosen()) === '192.0.2.10')
  write('{ "lhr2": { "address": "192.0.2.11", ')
  await eventually(() =>
    block.logged.some((line) => /error edge: nodes\.json: line 1, column \d+.*stay/.test(line)),
  )
  assert.equal(await chosen(), '192.0.2.10')
  unlinkSync(path)
  await eventually(() => block.logged.some((line) => /warn edge: nodes\.json: ENOENT/.test(line)))
  assert.equal(await chosen(), '192.0.2.10')
  write('{ "gru2": { "address": "192.0.2.12" } }')
  await eventually(async () => (await chosen()) === '192.0.2.2')
  assert.match(block.figures.text(), /orla_dns_edge_node_up\{.*node="lhr2"\} 0$/m)
  assert.match(block.figures.text(), /orla_dns_edge_nodes_file_errors_total\{.*\} 1/)
})

test('the admin API is told of nodes and choices, and may set nodes by hand', async (t) => {
  const block = await steered(t, NODES)
  const [steering] = block.setup.offersOf('steering')
  assert.ok(steering)
  assert.deepEqual(
    steering.names.map((name) => name.toString()),
    ['cdn.example.org.'],
  )
  assert.deepEqual(steering.explain('81.1.2.3')?.chosen, ['lhr1'])
  assert.equal(steering.explain('81.1.0.0/16')?.client, '81.1.0.0/16')
  for (const wrong of ['', 'x', '81.1.2.3/33', '81.1.2.3/', '81.1.2.3/x'])
    assert.equal(steering.explain(wrong), undefined)
  assert.equal(steering.force('lhr1', 'down'), true)
  assert.equal(told(await block.answer('cdn.example.org', 'A', LONDON)), '192.0.2.1')
  assert.deepEqual(
    steering.nodes().map(({ name, state, why }) => `${name} ${state}: ${why}`),
    ['gru1 up: nothing speaks against it', 'lhr1 down: set down by hand'],
  )
  steering.force('lhr1', undefined)
  assert.equal(told(await block.answer('cdn.example.org', 'A', LONDON)), '192.0.2.2')
  assert.equal(steering.force('nobody', 'down'), false)
})
