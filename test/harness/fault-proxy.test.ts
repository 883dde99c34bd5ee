import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { seededRandom } from '../../src/wire/http1/fuzz/random.ts'
import { eventually } from './eventually.ts'
import { startFaultProxy } from './fault-proxy.ts'

/** Sends back what it gets, and ends when the other side does. */
async function startEcho(t: TestContext) {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, sockets }
}

/** Only listens. */
async function startTarget(t: TestContext) {
  let received = ''
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (piece) => (received += piece.toString('latin1')))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, received: () => received }
}

/** What a client received, and how it went. */
function startClient(t: TestContext, port: number) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const seen = { received: '', end: undefined as 'end' | 'reset' | 'refused' | undefined }
  socket.on('data', (piece) => (seen.received += piece.toString('latin1')))
  socket.on('end', () => (seen.end ??= 'end'))
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.end ??= error.code === 'ECONNREFUSED' ? 'refused' : 'reset'
  })
  t.after(() => socket.destroy())
  return { socket, seen }
}

async function start(t: TestContext, seed = 1) {
  const target = await startEcho(t)
  const proxy = await startFaultProxy(t, { target, random: seededRandom(seed) })
  return { target, proxy, client: () => startClient(t, proxy.port) }
}

test('what is sent passes, both ways, and so does the end', async (t) => {
  const { proxy, client } = await start(t)
  const { socket, seen } = client()
  socket.end('x'.repeat(1_000_000))
  await eventually(() => seen.end === 'end')
  assert.equal(seen.received.length, 1_000_000)
  assert.deepEqual(proxy.counts, {
    accepted: 1,
    cut: 0,
    passedBytes: { toTarget: 1_000_000, toClient: 1_000_000 },
    swallowedBytes: 0,
  })
  await eventually(() => proxy.connections.length === 0)
})

for (const how of ['reset', 'end'] as const) {
  test(`live connections are cut with: ${how}`, async (t) => {
    const { target, proxy, client } = await start(t)
    const { socket, seen } = client()
    socket.write('a')
    await eventually(() => seen.received === 'a')
    proxy.cut(how)
    await eventually(() => seen.end === how)
    await eventually(() => proxy.connections.length === 0)
    await eventually(() => [...target.sockets].every(({ destroyed }) => destroyed))
    assert.equal(proxy.counts.cut, 1)

    const next = client()
    next.socket.write('b')
    await eventually(() => next.seen.received === 'b')
  })
}

test('in the mode `cut` new connections are cut, too', async (t) => {
  const { proxy, client } = await start(t)
  proxy.set({ kind: 'cut' })
  const { seen } = client()
  await eventually(() => seen.end === 'reset')
})

test('a connection is cut after so many bytes of one direction', async (t) => {
  const { proxy, client } = await start(t)
  proxy.set({ kind: 'cut-after', bytes: 7, how: 'end' }, 'toClient')
  const { socket, seen } = client()
  socket.write('0123456789')
  await eventually(() => seen.end === 'end')
  assert.equal(seen.received, '0123456')
})

test('where it is cut comes from the seed', async (t) => {
  const lengths = async (seed: number) => {
    const { proxy, client } = await start(t, seed)
    proxy.set({ kind: 'cut-after', bytes: { min: 1, max: 1000 }, how: 'end' }, 'toClient')
    const found = []
    for (let i = 0; i < 3; i += 1) {
      const { socket, seen } = client()
      socket.write('x'.repeat(2000))
      await eventually(() => seen.end !== undefined)
      found.push(seen.received.length)
    }
    return found
  }
  const first = await lengths(5)
  assert.deepEqual(await lengths(5), first)
  assert.notDeepEqual(await lengths(6), first)
})

test('a stalled direction takes everything and gives nothing; its connections are reset when it ends', async (t) => {
  const { target, proxy, client } = await start(t)
  const { socket, seen } = client()
  socket.write('a')
  await eventually(() => seen.received === 'a')
  proxy.set({ kind: 'stall' }, 'toClient')
  socket.write('bcd')
  await eventually(() => proxy.counts.swallowedBytes === 3)
  // Not even that the target is gone is heard.
  for (const one of target.sockets) one.destroy()
  await eventually(() => [...target.sockets].every(({ destroyed }) => destroyed))
  assert.deepEqual(seen, { received: 'a', end: undefined })
  assert.equal(proxy.connections.length, 1)

  proxy.set({ kind: 'pass' })
  await eventually(() => seen.end === 'reset')
  const next = client()
  next.socket.write('e')
  await eventually(() => next.seen.received === 'e')
})

test('what is held comes later, whole', async (t) => {
  const { proxy, client } = await start(t)
  proxy.set({ kind: 'hold' }, 'toTarget')
  const { socket, seen } = client()
  socket.write('abc')
  await eventually(() => proxy.connections.length === 1)
  assert.equal(proxy.counts.passedBytes.toTarget, 0)
  proxy.set({ kind: 'pass' })
  await eventually(() => seen.received === 'abc')
})

test('what is held comes later, also when the sender has gone', async (t) => {
  const target = await startTarget(t)
  const proxy = await startFaultProxy(t, { target })
  proxy.set({ kind: 'hold' }, 'toTarget')
  const { socket } = startClient(t, proxy.port)
  await new Promise<void>((resolve) => void socket.write('abc', () => resolve()))
  await eventually(() => proxy.connections.length === 1)
  socket.destroy()
  proxy.set({ kind: 'pass' })
  await eventually(() => target.received() === 'abc')
})

test('a slow direction passes so many bytes a second, until it is not slow any more', async (t) => {
  const { proxy, client } = await start(t)
  proxy.set({ kind: 'slow', bytesPerSecond: 1000 }, 'toTarget')
  const { socket, seen } = client()
  const startMs = performance.now()
  socket.write('x'.repeat(1_000_000))
  await eventually(() => seen.received.length >= 200)
  // 200 bytes are ten shares, each 20 ms after the one before: timers may be late, and 1 ms early.
  assert.ok(performance.now() - startMs >= 150)
  proxy.set({ kind: 'pass' })
  await eventually(() => seen.received.length === 1_000_000)
})

test('garbage stands in the middle of what passes', async (t) => {
  const { proxy, client } = await start(t)
  proxy.set({ kind: 'garbage', bytes: 5 }, 'toClient')
  const { socket, seen } = client()
  socket.end('--------')
  await eventually(() => seen.end === 'end')
  assert.equal(seen.received.length, 13)
  assert.ok(seen.received.startsWith('-') || seen.received.endsWith('-'))
})

test('new connections are refused, live ones stay, and later it listens at the same port', async (t) => {
  const { proxy, client } = await start(t)
  const old = client()
  old.socket.write('a')
  await eventually(() => old.seen.received === 'a')
  await proxy.refuse()
  const refused = client()
  await eventually(() => refused.seen.end === 'refused')
  old.socket.write('b')
  await eventually(() => old.seen.received === 'ab')
  await proxy.accept()
  const next = client()
  next.socket.write('c')
  await eventually(() => next.seen.received === 'c')
  proxy.connections[0]!.cut()
  await eventually(() => old.seen.end === 'reset')
  assert.equal(next.seen.end, undefined)
})

test('where the target does not answer, the client hears of it', async (t) => {
  const { target, proxy, client } = await start(t)
  const closed = await startFaultProxy(t, { target: { port: target.port } })
  await closed.close()
  const dead = await startFaultProxy(t, { target: { port: closed.port } })
  const { seen } = startClient(t, dead.port)
  await eventually(() => seen.end === 'reset')
  assert.equal(client().seen.end, undefined)
  assert.equal(proxy.counts.cut, 0)
})
