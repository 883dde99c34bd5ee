import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { edgesOf } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { type FleetNode, startFleet } from '../harness/fleet.ts'

const answering = (text: string) => `export default { content: () => new Response(${JSON.stringify(text)}) }`
const deploy = ({ node }: FleetNode, text: string) =>
  node.deploy('one', answering(text), { wait: 'stored', language: 'js' })

const PATIENCE = { withinMs: 60_000 }

async function runs(nodes: readonly FleetNode[], text: string): Promise<void> {
  for (const { node } of nodes)
    await eventually(async () => (await node.request('/')).text === text, { ...PATIENCE, what: node.stderr })
}

const hears = ({ node }: FleetNode, what: RegExp) =>
  eventually(() => what.test(node.stderr()), { ...PATIENCE, what: node.stderr })

const storeWith = (more: object) => more as ConfigInput['store']

async function listening(t: TestContext, server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('an edge whose token is revoked, or wrong, serves on, says what to do, and follows again with another one', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const { control } = fleet
  const a = fleet.edge('a')
  await deploy(control, 'first')
  await runs(fleet.nodes, 'first')
  assert.equal((await control.node.api('DELETE', '/v1/tokens/edge-a')).status, 200)
  // The stream ends with the next beat.
  await hears(a, /not followed: .*token/)
  await deploy(control, 'second')
  assert.equal((await a.node.request('/')).text, 'first')
  await a.stop()
  await a.start({ store: storeWith({ token: 'wrong' }) })
  await hears(a, /not followed: .*token/)
  assert.equal((await a.node.request('/')).text, 'first')
  await a.stop()
  await a.start({ store: storeWith({ token: 'test' }) })
  await runs(fleet.nodes, 'second')
})

test("an edge's token may follow and report, and nothing else", async (t) => {
  const fleet = await startFleet(t, { edges: [] })
  const { control } = fleet
  const made = await control.node.api('POST', '/v1/tokens', { name: 'edge-x', role: 'edge' })
  const { token } = JSON.parse(made.text) as { token: string }
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const calls = [
    ['GET', '/v1/units'],
    ['GET', '/v1/log'],
    ['GET', '/v1/snapshot'],
    ['GET', '/v1/edges'],
    ['GET', '/v1/tokens'],
    ['DELETE', '/v1/edges/a'],
    ['POST', '/v1/reload'],
  ] as const
  for (const [method, path] of calls)
    assert.equal((await ask(control.control + path, { method, headers })).status, 403, path)
  const body = JSON.stringify({ source: answering('mine') })
  assert.equal((await ask(`${control.control}/v1/units/one`, { method: 'PUT', headers, body })).status, 403)
})

/** Whatever else may listen where a control plane was. */
const STRANGERS: Readonly<Record<string, (t: TestContext) => Promise<string>>> = {
  'a page': (t) =>
    listening(
      t,
      createHttpServer((_, response) => response.end('<html><body>It works!</body></html>')),
    ),
  'JSON of something else': (t) =>
    listening(
      t,
      createHttpServer((_, response) => response.end('{"event":"welcome","entries":null}')),
    ),
  'events of something else': (t) =>
    listening(
      t,
      createHttpServer((_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        for (const event of ['welcome', 'entries', 'reset', 'state', 'loaded', 'beat', 'other'])
          response.write(`event: ${event}\ndata: {"log":"units","key":7,"position":[],"pairs":"no"}\n\n`)
        response.end('event: entries\ndata: null\n\n')
      }),
    ),
  'bytes of chance': (t) =>
    listening(
      t,
      createServer((socket) => {
        socket.on('error', () => {})
        socket.end(Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 7919) % 251)))
      }),
    ),
  'a line without an end': (t) =>
    listening(
      t,
      createHttpServer((_, response) => {
        response.on('error', () => {})
        const piece = Buffer.alloc(1e6, 'x')
        response.write('data: ')
        const more = () => {
          while (!response.destroyed && response.write(piece));
        }
        response.on('drain', more)
        more()
      }),
    ),
}

test('an edge that meets something else than its control plane serves on, and follows that one when it is back', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const a = fleet.edge('a')
  await deploy(fleet.control, 'first')
  await runs(fleet.nodes, 'first')
  for (const [name, start] of Object.entries(STRANGERS)) {
    await a.stop()
    await a.start({ store: storeWith({ control: await start(t) }) })
    await hears(a, /not followed: /)
    assert.equal((await a.node.request('/')).text, 'first', name)
    assert.doesNotMatch(a.node.stderr(), /Unhandled|uncaught/i, name)
  }
  await a.stop()
  await a.start()
  await deploy(fleet.control, 'second')
  await runs(fleet.nodes, 'second')
})

test('keys and values with any text reach an edge as they are', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const value = 'line\r\nevent: reset\ndata: {"log":"units"}\n\n\u0000\u2028\ud83d\ude80 "quoted" \\ ü'
  const source = 'export default { content: (request, edge) => new Response(edge.env.K) }'
  await fleet.control.node.deploy('one', source, { language: 'js', env: { K: value } })
  for (const { node } of fleet.nodes) assert.equal((await node.request('/')).text, value)
  const site = { name: 'odd name: é\n', hosts: ['odd.example.org'], origin: 'http://127.0.0.1:1' }
  const answer = await fleet.control.node.api('PUT', '/v1/sites', { sites: [site] })
  assert.ok(answer.status < 500, answer.text)
})

const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'

test(
  'clocks that differ by hours change nothing',
  { skip: existsSync(FAKETIME) ? false : 'libfaketime is not installed' },
  async (t) => {
    const fleet = await startFleet(t, { edges: ['early', 'late'] })
    for (const [name, shift] of [
      ['early', '-7h'],
      ['late', '+31h'],
    ] as const) {
      const edge = fleet.edge(name)
      await edge.stop()
      await edge.start({}, { LD_PRELOAD: FAKETIME, FAKETIME: shift, FAKETIME_DONT_FAKE_MONOTONIC: '1' })
    }
    for (const text of ['first', 'second']) {
      await fleet.control.node.deploy('one', answering(text))
      for (const { node } of fleet.nodes) assert.equal((await node.request('/')).text, text)
    }
    for (const { presence, lag } of await edgesOf(fleet.control.node))
      assert.deepEqual([presence, lag], ['connected', 0])
  },
)
