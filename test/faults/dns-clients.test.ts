/** Clients of the DNS that are slow, many, mute or mad cost others nothing. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { readdirSync, readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { askTcp, decoded, framed, packet, udpClient, words } from '../harness/dns-packets.ts'
import { eventually } from '../harness/eventually.ts'
import { startDns } from '../harness/orla-dns.ts'

const BLOCK = `bind 127.0.0.1
 timeouts {
  read 1s
  write 1s
  idle 1s
 }
 template IN A {
  answer "{{ .Name }} 60 IN A 192.0.2.1"
 }
 template IN TXT {
  answer "{{ .Name }} 60 IN TXT ${'x'.repeat(200)}"
 }`

const start = (t: TestContext) => startDns(t, { Corefile: `.:0 {\n ${BLOCK}\n}\n` })

async function connected(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** In order or by a reset. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => void socket.resume().once('close', () => resolve()))

test('whoever says nothing, half a query, or one byte after the other is closed', async (t) => {
  const { port } = await start(t)
  const [mute, half, drip, idle] = await Promise.all(Array.from({ length: 4 }, () => connected(t, port)))
  half!.write(framed(packet()).subarray(0, 20))
  idle!.write(framed(packet()))
  const frame = framed(packet())
  let at = 0
  const dripping = setInterval(() => drip!.write(frame.subarray(at, (at += 1))), 200)
  t.after(() => clearInterval(dripping))
  await Promise.all([closed(mute!), closed(half!), closed(drip!), closed(idle!)])
  clearInterval(dripping)
  assert.ok(at < frame.length)
})

test('frames of no length, of noise and of answers close or are answered as malformed, and others go on', async (t) => {
  const { port } = await start(t)
  const other = await udpClient(t, port)
  for (const frame of [Buffer.alloc(0), packet({ flags: 0x8000 }), Buffer.alloc(11)])
    assert.deepEqual(await askTcp(port, [frame]), [])
  const [answer] = await askTcp(port, [packet().subarray(0, 20)])
  assert.equal(decoded(answer).rcode, 1)
  assert.equal(decoded(await other.ask(packet())).answer.length, 1)
})

test('a client that asks and does not read is closed, and takes no memory', async (t) => {
  const { port, pid } = await start(t)
  const socket = await connected(t, port)
  socket.pause()
  const queries = framed(packet({ type: 'TXT', name: `${'a'.repeat(60)}.${'b'.repeat(60)}.org` }))
  const many = Buffer.concat(Array.from({ length: 1000 }, () => queries))
  let isClosed = false
  socket.once('close', () => (isClosed = true))
  const before = rssOf(pid)
  const pump = () => {
    while (!socket.destroyed && socket.writableLength < 256 << 20) socket.write(many)
    if (!isClosed) setImmediate(pump)
  }
  pump()
  // Paused sockets learn of their end by writing.
  await eventually(() => isClosed)
  // Garbage that was not yet collected is among it; what was asked is without an end.
  assert.ok(rssOf(pid) - before < 256 << 20, `${(rssOf(pid) - before) >> 20} MB`)
  const other = await udpClient(t, port)
  assert.equal(decoded(await other.ask(packet())).answer.length, 1)
})

function rssOf(pid: number): number {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
}

test('a thousand connections of one address are no more than its share, and a new one is served', async (t) => {
  const { port, pid } = await start(t)
  const sockets = await Promise.all(Array.from({ length: 1000 }, () => connected(t, port)))
  const [answer] = await askTcp(port, [packet()])
  assert.equal(decoded(answer).answer.length, 1)
  // Its share is 256; the others are files and sockets of the server itself.
  assert.ok(readdirSync(`/proc/${pid}/fd`).length < 256 + 64)
  // The rest goes by itself when its time is over.
  for (const socket of sockets) socket.resume()
  await eventually(() => sockets.every(({ destroyed }) => destroyed))
})

test('noise beside good queries: all of these are answered', async (t) => {
  const { port, stderr } = await start(t)
  const mad = await udpClient(t, port)
  const good = await udpClient(t, port)
  for (let round = 0; round < 100; round++) {
    for (let count = 0; count < 50; count++) {
      mad.send(randomBytes(1 + ((round * 50 + count) % 600)))
      const bent = packet({ edns: {} })
      bent[(round * 7 + count) % bent.length]! ^= 1 << (count % 8)
      mad.send(bent)
    }
    assert.equal(decoded(await good.ask(packet())).answer.length, 1)
  }
  // What is beyond 4,096 bytes, and what a name of pointers makes of itself.
  mad.send(Buffer.alloc(20_000, 1))
  mad.send(
    Buffer.concat([
      words(1, 0x100, 1, 0, 0, 0),
      ...Array.from({ length: 500 }, (_, index) => words(0xc00c + 2 * index)),
      words(1, 1),
    ]),
  )
  assert.equal(decoded(await good.ask(packet())).answer.length, 1)
  assert.doesNotMatch(stderr(), /Error/)
})

test('a flood of what cannot be read is not answered one by one', async (t) => {
  const { port } = await start(t)
  const client = await udpClient(t, port)
  const mad = await udpClient(t, port)
  let answers = 0
  mad.socket.on('message', () => (answers += 1))
  const malformed = packet({ tail: Buffer.alloc(1) })
  for (let round = 0; round < 40; round++) {
    for (let count = 0; count < 100; count++) mad.send(malformed)
    assert.equal(decoded(await client.ask(packet())).answer.length, 1)
  }
  // A thousand a second, and what is asked here takes a few of them at most on a slow machine.
  assert.ok(answers >= 100 && answers < 3900, `${answers}`)
})

test('what is on its way is answered when it ends in order', async (t) => {
  const dns = await start(t)
  const socket = await connected(t, dns.port)
  socket.write(Buffer.concat([framed(packet()), framed(packet({ id: 2 }))]))
  const [first] = (await once(socket, 'data')) as [Buffer]
  assert.ok(first.length > 12)
  dns.kill('SIGTERM')
  await closed(socket)
  assert.deepEqual(await dns.ended, { code: 0, signal: null })
})
