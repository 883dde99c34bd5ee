/** One fetch for many, while everything goes wrong: a body is whole or cut, never mixed, and nobody waits for ever. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

const STORED = { 'cache-control': 'max-age=600' }
const HALF = 'a'.repeat(50_000)
const REST = 'b'.repeat(50_000)

function nodeWith(t: TestContext, origin: string, workers: number, cache: object = {}) {
  return startNode(t, {
    config: {
      edge: { workers, limits: PATIENT },
      sites: [{ hosts: ['*'], origin: { endpoints: [origin], retries: { max: 0 } }, cache }],
    },
  })
}

/** An origin that holds each answer where the test says. */
async function heldOrigin(t: TestContext, until: 'head' | 'half') {
  const held: ServerResponse[] = []
  const origin = await startOrigin(t, (_, response) => {
    if (until === 'half') {
      response.writeHead(200, STORED)
      response.write(HALF)
    }
    held.push(response)
  })
  return { origin, held }
}

/** A client on a connection of its own, and how its answer ended. */
async function begin(node: TestNode, path = '/') {
  const client = await RawClient.connect(node.url)
  client.send(`GET ${path} HTTP/1.1\r\nhost: a.test\r\n\r\n`)
  const isWhole = () => wholeIn(client.received)
  return {
    client,
    isWhole,
    hasBegun: () => client.received.includes(HALF.slice(0, 1000)),
    ended: () => eventually(() => client.isClosed || isWhole()),
    body: () => bodyOf(client.received),
  }
}

const crowd = (node: TestNode, count: number, path = '/') =>
  Promise.all(Array.from({ length: count }, () => begin(node, path)))

const headOf = (node: TestNode): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => get(node.url, { agent: false }, resolve).on('error', reject))

/** Who follows is told what the origin told of the length; who comes once it is stored is told the length. */
function wholeIn(received: string): boolean {
  const head = received.indexOf('\r\n\r\n') + 4
  const length = /\r\ncontent-length: (\d+)\r\n/.exec(received.slice(0, head))?.[1]
  return length === undefined ? received.endsWith('\r\n0\r\n\r\n') : received.length - head >= Number(length)
}

/** What an answer holds so far. */
function bodyOf(received: string): string {
  let rest = received.slice(received.indexOf('\r\n\r\n') + 4)
  if (/\r\ncontent-length: /.test(received)) return rest
  let body = ''
  for (let end = rest.indexOf('\r\n'); end > 0; end = rest.indexOf('\r\n')) {
    const bytes = Number.parseInt(rest.slice(0, end), 16)
    body += rest.slice(end + 2, end + 2 + bytes)
    rest = rest.slice(end + 4 + bytes)
  }
  return body
}

/** Which of these processes has the other end of a connection. */
function ownerOf({ remotePort, localPort }: Socket, pids: readonly number[]): number {
  const hex = (port: number) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find((text) => {
      const [, local, remote] = text.trim().split(/\s+/)
      return local?.endsWith(hex(remotePort!)) === true && remote?.endsWith(hex(localPort!)) === true
    })
  const inode = line!.trim().split(/\s+/)[9]
  const owner = pids.find((pid) =>
    readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`
      } catch {
        return false
      }
    }),
  )
  assert.ok(owner !== undefined, 'a worker has the connection')
  return owner
}

test('the worker that fetches is killed in the middle: all are cut, and the next ones get a whole answer', async (t) => {
  const { origin, held } = await heldOrigin(t, 'half')
  const node = await nodeWith(t, origin.url, 3)
  const clients = await crowd(node, 60)
  await eventually(() => clients.every((client) => client.hasBegun()))
  assert.equal(origin.requests.length, 1)
  const { workers } = node.processes()
  process.kill(ownerOf(held[0]!.socket!, workers), 'SIGKILL')
  for (const client of clients) {
    await client.ended()
    assert.equal(client.isWhole(), false, 'nobody takes the half for the whole')
  }
  // Workers that live on serve at once, and do not ask the one that is gone again and again.
  const next = await crowd(node, 30)
  await eventually(() => held.length >= 2)
  await eventually(() => next.every((client) => client.hasBegun() || client.client.isClosed))
  for (const response of held.slice(1)) response.end(REST)
  for (const client of next) {
    await client.ended()
    // A connection that the kernel had given to the one that was killed is reset.
    if (client.isWhole()) assert.equal(client.body(), HALF + REST)
  }
  assert.ok(next.some((client) => client.isWhole()))
  assert.equal(origin.requests.length, 2)
})

test('the worker that fetches is killed before the head: the others ask once more, one of them', async (t) => {
  const { origin, held } = await heldOrigin(t, 'head')
  const node = await nodeWith(t, origin.url, 3)
  const clients = await crowd(node, 60)
  await eventually(() => held.length === 1)
  process.kill(ownerOf(held[0]!.socket!, node.processes().workers), 'SIGKILL')
  await eventually(() => held.length >= 2)
  held[1]!.writeHead(200, STORED)
  held[1]!.write(HALF)
  held[1]!.end()
  for (const client of clients) {
    await client.ended()
    if (!client.client.isClosed) assert.equal(client.body(), HALF)
  }
  assert.ok(clients.filter((client) => client.isWhole()).length >= 10)
  assert.equal(origin.requests.length, 2)
})

for (const workers of [1, 3]) {
  test(`an origin that breaks off with 100 clients behind it cuts them all, and nothing is stored (${workers} workers)`, async (t) => {
    const { origin, held } = await heldOrigin(t, 'half')
    const node = await nodeWith(t, origin.url, workers)
    const clients = await crowd(node, 100)
    await eventually(() => clients.every((client) => client.hasBegun()))
    assert.equal(origin.requests.length, 1)
    held[0]!.socket!.destroy()
    for (const client of clients) {
      await client.ended()
      assert.equal(client.isWhole(), false)
    }
    const next = node.request('/')
    await eventually(() => held.length === 2)
    held[1]!.end(REST)
    assert.equal((await next).text, HALF + REST)
  })
}

test('a client that reads nothing holds up nobody, and gets all once it reads', async (t) => {
  const size = 24 * 1024 * 1024
  const body = Buffer.alloc(size, 'slowly ')
  const held: ServerResponse[] = []
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, { ...STORED, 'content-length': String(size) })
    response.write(body.subarray(0, 1000))
    held.push(response)
  })
  const node = await nodeWith(t, origin.url, 2, { objectBytes: '64mb', ram: '256mb' })
  const leader = node.request('/')
  await eventually(() => held.length === 1)
  // Nobody has asked for their bodies: so they are not read.
  const slow = await Promise.all(Array.from({ length: 6 }, () => headOf(node)))
  const quick = [node.request('/'), node.request('/'), node.request('/')]
  held[0]!.end(body.subarray(1000))
  for (const answer of await Promise.all([leader, ...quick])) assert.ok(answer.body.equals(body))
  for (const answer of slow) {
    const pieces: Buffer[] = []
    for await (const piece of answer) pieces.push(piece as Buffer)
    assert.ok(Buffer.concat(pieces).equals(body))
  }
  assert.equal(origin.requests.length, 1)
})

test('the client that asked first leaves at any byte: those who follow get all of it', async (t) => {
  const pieces = 12
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, STORED)
    let sent = 0
    const timer = setInterval(() => {
      sent += 1
      response.write(`${sent}`.padEnd(3000, '.'))
      if (sent < pieces) return
      clearInterval(timer)
      response.end()
    }, 30)
    response.on('close', () => clearInterval(timer))
  })
  const whole = Array.from({ length: pieces }, (_, n) => `${n + 1}`.padEnd(3000, '.')).join('')
  const node = await nodeWith(t, origin.url, 2)
  await Promise.all(
    Array.from({ length: 24 }, async (_, n) => {
      const path = `/${n}`
      const leader = await begin(node, path)
      await eventually(() => origin.requests.includes(`GET ${path}`))
      const followers = await crowd(node, 4, path)
      await eventually(() => leader.client.received.length >= n * 1500)
      leader.client.socket.destroy()
      for (const follower of followers) {
        await follower.ended()
        assert.equal(follower.body(), whole, path)
      }
    }),
  )
  assert.ok(origin.requests.length <= 30, `${origin.requests.length} requests`)
})

test('1,000 clients at once, four workers, one request to the origin', async (t) => {
  const { origin, held } = await heldOrigin(t, 'half')
  const node = await nodeWith(t, origin.url, 4)
  const clients = (await Promise.all(Array.from({ length: 10 }, () => crowd(node, 100)))).flat()
  await eventually(() => clients.every((client) => client.hasBegun()))
  held[0]!.end(REST)
  for (const client of clients) {
    await client.ended()
    assert.ok(client.isWhole())
  }
  assert.ok(clients.every((client) => client.body() === HALF + REST))
  assert.deepEqual(origin.requests, ['GET /'])
})

test('answers of siblings that are gone, stopped or full of nonsense send nobody astray', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.writeHead(200, STORED).end(`body of ${request.url}`)
  })
  const node = await nodeWith(t, origin.url, 3)
  const paths = Array.from({ length: 50 }, (_, n) => `/${n}`)
  const all = () =>
    Promise.all(
      paths.map(async (path) => {
        const answer = await node.request(path).catch(() => undefined)
        if (answer !== undefined) assert.equal(answer.text, `body of ${path}`)
        return answer !== undefined
      }),
    )
  assert.ok((await all()).every(Boolean))
  for (let round = 0; round < 3; round++) {
    const [worker] = node.processes().workers
    process.kill(worker!, 'SIGKILL')
    await all()
  }
  await eventually(async () => (await all()).every(Boolean) && node.processes().workers.length === 3)
})
