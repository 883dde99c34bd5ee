import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import * as tls from 'node:tls'
import { MemoryFile } from '../base/memory-file.ts'
import { StoredBody } from './caching/stored-body.ts'
import { StoredSending } from './stored-sending.ts'

// No two pages are alike.
const BYTES = Buffer.alloc(24 * 1024 * 1024, randomBytes(10_007))

function fileBody(): StoredBody {
  const file = MemoryFile.create()!
  file.append(BYTES)
  return new StoredBody(file)
}

/** A server's socket and its client's, of which the caller says what connects them. */
async function pair(t: TestContext, server: Server, dial: () => Socket, event = 'connection') {
  const accepted = once(server, event)
  const client = dial()
  const [socket] = (await accepted) as [Socket]
  socket.on('error', () => {})
  client.on('error', () => {})
  t.after(() => {
    socket.destroy()
    client.destroy()
    server.close()
  })
  return { socket, client }
}

async function tcpPair(t: TestContext) {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return pair(t, server, () => connect(port, '127.0.0.1'))
}

interface Progress {
  bytes: number
  stalls: number
  sent: number
}

function send(socket: Socket, body: StoredBody, start = 0, end = body.length): Progress {
  const progress = { bytes: 0, stalls: 0, sent: 0 }
  const sending = new StoredSending(socket, body, start, end, {
    onProgress: (bytes) => (progress.bytes += bytes),
    onStall: () => (progress.stalls += 1),
    onSent: () => (progress.sent += 1),
  })
  sending.start()
  return progress
}

async function readAll(client: Socket): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of client) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

/** Sends a head, the body and a tail, and compares what comes with it. */
async function checkWhole(socket: Socket, client: Socket, body: StoredBody): Promise<Progress> {
  socket.write('head ')
  const progress = { bytes: 0, stalls: 0, sent: 0 }
  new StoredSending(socket, body, 1000, body.length - 1000, {
    onProgress: (bytes) => (progress.bytes += bytes),
    onStall: () => (progress.stalls += 1),
    onSent() {
      progress.sent += 1
      socket.end(' tail')
    },
  }).start()
  const got = await readAll(client)
  const expected = Buffer.concat([
    Buffer.from('head '),
    BYTES.subarray(1000, body.length - 1000),
    Buffer.from(' tail'),
  ])
  assert.ok(got.equals(expected), `${got.length} bytes of ${expected.length}, or others`)
  assert.equal(progress.bytes, body.length - 2000)
  assert.equal(progress.sent, 1)
  return progress
}

test('a file goes out whole, between what was written before and after it', async (t) => {
  const { socket, client } = await tcpPair(t)
  const body = fileBody()
  await checkWhole(socket, client, body)
  body.release()
})

test('a file follows what Node could not write yet', async (t) => {
  const { socket, client } = await tcpPair(t)
  const before = Buffer.alloc(16 * 1024 * 1024, 'b')
  socket.write(before)
  assert.ok(socket.writableLength > 0)
  const body = fileBody()
  const progress = send(socket, body, 0, 3_000_000)
  const got: Buffer[] = []
  let length = 0
  for await (const piece of client) {
    got.push(piece as Buffer)
    length += (piece as Buffer).length
    if (length === before.length + 3_000_000) break
  }
  assert.ok(Buffer.concat(got).equals(Buffer.concat([before, BYTES.subarray(0, 3_000_000)])))
  assert.equal(progress.bytes, 3_000_000)
  body.release()
})

test('a client that does not read is waited for, with next to nothing in memory', async (t) => {
  const { socket, client } = await tcpPair(t)
  const body = fileBody()
  const progress = send(socket, body)
  while (socket.writableLength === 0) await new Promise((later) => setImmediate(later))
  const { bytes } = progress
  assert.ok(bytes < body.length)
  assert.ok(socket.writableLength <= 16 * 1024)
  let length = 0
  for await (const piece of client) {
    length += (piece as Buffer).length
    if (length === body.length) break
  }
  assert.equal(progress.bytes, body.length)
  assert.equal(progress.sent, 1)
  body.release()
})

test('a client that leaves in the middle ends it, and it is never said to be sent', async (t) => {
  const { socket, client } = await tcpPair(t)
  const body = fileBody()
  const progress = send(socket, body)
  await once(client, 'data')
  client.resetAndDestroy()
  await new Promise((closed) => socket.on('close', closed))
  await new Promise((later) => setTimeout(later, 20))
  assert.equal(progress.sent, 0)
  assert.ok(progress.bytes < body.length)
  body.release()
})

test('a body that is a Buffer goes from piece to piece', async (t) => {
  const { socket, client } = await tcpPair(t)
  await checkWhole(socket, client, new StoredBody(BYTES))
})

test('what is not TCP gets the bytes by ordinary writes', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-sending-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'socket')
  const server = createServer().listen(path)
  await once(server, 'listening')
  const { socket, client } = await pair(t, server, () => connect(path))
  const body = fileBody()
  await checkWhole(socket, client, body)
  body.release()
})

test('nothing is sent past TLS', async (t) => {
  const key = randomBytes(32)
  const common = { ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
  const server = tls.createServer({ ...common, pskCallback: () => key }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const dial = () =>
    tls.connect({
      ...common,
      port,
      host: '127.0.0.1',
      checkServerIdentity: () => undefined,
      pskCallback: () => ({ psk: key, identity: 'test' }),
    })
  const { socket, client } = await pair(t, server, dial, 'secureConnection')
  const body = fileBody()
  // What went past TLS would break its records: the client would see an error and other bytes.
  await checkWhole(socket, client, body)
  body.release()
})
