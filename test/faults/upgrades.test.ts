/** Upgraded connections that misbehave: they hold no memory, no more places than there are, and no shutdown. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { residentBytes } from '../../src/base/proc.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startRawOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'
import { openWebSocket, startWebSocketOrigin, WEBSOCKET_FIELDS } from '../harness/websocket.ts'

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const ASK = `GET / HTTP/1.1\r\nHost: a\r\n${WEBSOCKET_FIELDS}\r\n`

const residentMb = (pid: number): number => residentBytes(pid) / 2 ** 20

test('WebSockets that never read hold no memory, and are cut in time', async (t) => {
  const CLIENTS = 50
  const piece = Buffer.alloc(1 << 20)
  let written = 0
  const origin = await startRawOrigin(t, (socket) => {
    socket.once('data', () => {
      socket.write(SWITCH)
      const pour = () => {
        do written += piece.length
        while (socket.write(piece))
      }
      socket.on('drain', pour)
      pour()
    })
  })
  const node = await startNode(t, {
    config: { edge: { limits: { body: '3s' } }, sites: [{ origin: origin.url }] },
  })
  const [worker] = node.processes().workers
  const before = residentMb(worker!)
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = await RawClient.connect(node.url)
      client.socket.pause()
      client.send(ASK)
      return client
    }),
  )
  // The origin pours until nobody takes more.
  let last = -1
  await eventually(
    () => {
      const still = written === last && written > CLIENTS * piece.length
      last = written
      return still
    },
    { everyMs: 300 },
  )
  const grown = residentMb(worker!) - before
  assert.ok(grown < CLIENTS * 2, `${CLIENTS} clients that do not read took ${Math.round(grown)} MB`)
  // Another client is served meanwhile.
  const ok = await RawClient.connect(node.url)
  ok.send(ASK)
  await ok.readUntil('\r\n\r\n')
  ok.close()
  await eventually(async () => {
    const text = (await node.api('GET', '/metrics')).text
    return /^orla_http_upgrades 0$/m.test(text)
  })
  for (const client of clients) client.close()
})

test('an origin that never reads does not make the edge read for it', async (t) => {
  const origin = await startRawOrigin(t, (socket) => {
    socket.once('data', () => {
      socket.write(SWITCH)
      socket.pause()
    })
  })
  const node = await startNode(t, {
    config: { edge: { limits: { body: '2s' } }, sites: [{ origin: origin.url }] },
  })
  const client = await RawClient.connect(node.url)
  client.send(ASK)
  await client.readUntil('\r\n\r\n')
  const piece = Buffer.alloc(1 << 20)
  let isTaken = true
  let sent = 0
  while (isTaken && sent < 200) {
    isTaken =
      client.socket.write(piece) ||
      (await Promise.race([drained(client), eventually(() => client.isClosed).then(() => false)]))
    sent += 1
  }
  assert.ok(sent < 200, 'all of it was taken')
  await eventually(() => client.isClosed)
})

const drained = (client: RawClient): Promise<boolean> =>
  new Promise((resolve) => client.socket.once('drain', () => resolve(true)))

test('upgrades beyond the bound are refused in words, places come free again, and requests go on', async (t) => {
  const origin = await startWebSocketOrigin(t)
  const node = await startNode(t, {
    config: { edge: { limits: { upgrades: 20 } }, sites: [{ origin: origin.url }] },
  })
  const held = await Promise.all(Array.from({ length: 20 }, () => openWebSocket(t, node.url)))
  let refused = 0
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const client = await RawClient.connect(node.url)
        client.send(ASK)
        return client
      }),
    )
    for (const client of clients) {
      assert.match(await client.readResponse(), /^HTTP\/1.1 503 [^]*all 20 upgraded connections are in use/)
      refused += 1
      client.close()
    }
  }
  assert.equal(refused, 1000)
  assert.equal((await node.request('/')).text, 'plain')
  const { text } = await node.api('GET', '/metrics')
  assert.match(text, /^orla_http_upgrades 20$/m)
  assert.match(text, /^orla_http_upgrades_refused_total 1000$/m)
  held[0]!.terminate()
  await eventually(() => openWebSocket(t, node.url).catch(() => false as const))
})

test('a silent WebSocket ends after its idle time, and one that is spoken on does not', async (t) => {
  const origin = await startWebSocketOrigin(t)
  const node = await startNode(t, {
    config: { edge: { limits: { upgradeIdle: '3s' } }, sites: [{ origin: origin.url }] },
  })
  const silent = await openWebSocket(t, node.url)
  const closed = new Promise((resolve) => silent.once('close', resolve))
  const busy = await openWebSocket(t, node.url)
  const timer = setInterval(() => busy.send('tick'), 100)
  t.after(() => clearInterval(timer))
  await closed
  assert.equal(busy.readyState, busy.OPEN)
})

test('SIGTERM leaves WebSockets open while it drains, takes no new ones, and then ends them', async (t) => {
  const origin = await startWebSocketOrigin(t)
  const node = await startNode(t, {
    config: { edge: { limits: { drain: '2s' } }, sites: [{ origin: origin.url }] },
  })
  const socket = await openWebSocket(t, node.url)
  // A connection that was there before, kept alive: what it asks while the node drains.
  const kept = await RawClient.connect(node.url)
  kept.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await kept.readResponse()
  node.kill('SIGTERM')
  await eventually(() =>
    RawClient.connect(node.url).then(
      (client) => (client.close(), false),
      () => true,
    ),
  )
  kept.send(ASK)
  const late = await kept.readResponse().catch(() => 'closed')
  assert.match(late, /^HTTP\/1.1 503 |^closed$/)
  const echoed = new Promise((resolve) => socket.once('message', (data) => resolve(String(data))))
  socket.send('still here')
  assert.equal(await echoed, 'still here')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  assert.deepEqual(await node.ended, { code: 0, signal: null })
  await closed
})
