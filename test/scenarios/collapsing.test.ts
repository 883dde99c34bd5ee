/** Requests that are given what another one fetches, while it arrives: RFC 9211 calls them collapsed. One worker, so that they meet. */
import assert from 'node:assert/strict'
import { type IncomingMessage, request as send, type ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin, type TestOrigin } from '../harness/origin.ts'

const STORED = { 'cache-control': 'max-age=600', etag: '"one"' }
const HALF = 'a'.repeat(20_000)
const REST = 'b'.repeat(20_000)

/** An origin that has answered each request with a head and half a body, and goes on when it is told. */
async function halfway(t: TestContext, head: Readonly<Record<string, string>> = STORED) {
  const held: ServerResponse[] = []
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, head)
    response.write(HALF)
    held.push(response)
  })
  const endAll = () => {
    for (const response of held.splice(0)) response.end(REST)
  }
  return { origin, held, endAll }
}

function nodeFor(t: TestContext, origin: TestOrigin, site: object = {}, units: Record<string, string> = {}) {
  return startNode(t, {
    units,
    config: { edge: { limits: PATIENT }, sites: [{ hosts: ['*'], origin: origin.url, cache: {}, ...site }] },
  })
}

/** A client whose answer is looked at while it comes. */
async function open(node: TestNode, path = '/', headers: Readonly<Record<string, string>> = {}) {
  const outgoing = send(node.url + path, { agent: false, headers })
  const incoming = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve)
    outgoing.on('error', reject)
  })
  outgoing.end()
  const message = await incoming
  const pieces: Buffer[] = []
  let isCut = false
  message.on('data', (piece: Buffer) => pieces.push(piece))
  message.on('error', () => (isCut = true))
  return {
    message,
    status: () => String(message.headers['cache-status']),
    bytes: () => Buffer.concat(pieces),
    text: () => Buffer.concat(pieces).toString(),
    has: (text: string) => eventually(() => Buffer.concat(pieces).toString() === text),
    ended: () => eventually(() => message.complete || isCut),
    leave: () => outgoing.destroy(),
  }
}

test('RFC 9211 §2.6: who waits is given the head and the body as they come, and so is who comes later', async (t) => {
  const { origin, endAll } = await halfway(t)
  const node = await nodeFor(t, origin)
  const clients = [await open(node)]
  await clients[0]!.has(HALF)
  for (let i = 0; i < 20; i++) clients.push(await open(node))
  for (const client of clients) await client.has(HALF)
  assert.match(clients[0]!.status(), /^orla; fwd=uri-miss; ttl=\d+; stored$/)
  for (const client of clients.slice(1)) {
    assert.equal(client.status(), 'orla; fwd=uri-miss; collapsed')
    assert.equal(client.message.headers.etag, '"one"')
    assert.ok(Number(client.message.headers.age) >= 0)
  }
  endAll()
  for (const client of clients) await client.has(HALF + REST)
  assert.match(String((await node.request('/')).headers['cache-status']), /^orla; hit/)
  assert.deepEqual(origin.requests, ['GET /'])
})

test('a length that the origin gives is passed on, and the client knows when it has all', async (t) => {
  const length = { 'content-length': String(HALF.length + REST.length) }
  const { origin, endAll } = await halfway(t, { ...STORED, ...length })
  const node = await nodeFor(t, origin)
  const leader = await open(node)
  const follower = await open(node)
  await follower.has(HALF)
  assert.equal(follower.message.headers['content-length'], length['content-length'])
  endAll()
  await Promise.all([leader, follower].map((client) => client.has(HALF + REST)))
  await follower.ended()
  assert.ok(follower.message.complete)
})

test('RFC 9110 §13.1.2, §9.3.2: while it arrives, who has it already is told so, and HEAD is told the head', async (t) => {
  const { origin, endAll } = await halfway(t)
  const node = await nodeFor(t, origin)
  const leader = await open(node)
  await leader.has(HALF)
  const has = await node.request('/', { headers: { 'if-none-match': '"one"' } })
  assert.deepEqual([has.status, has.text, has.headers.etag], [304, '', '"one"'])
  const other = await open(node, '/', { 'if-none-match': '"two"' })
  const head = await node.request('/', { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers.etag], [200, '"one"'])
  for (const { headers } of [has, head])
    assert.match(String(headers['cache-status']), /^orla; fwd=uri-miss; collapsed$/)
  endAll()
  await other.has(HALF + REST)
  assert.deepEqual(origin.requests, ['GET /'])
})

test('what units and compression make of a stored answer they make of one that arrives', async (t) => {
  const { origin, endAll } = await halfway(t, { ...STORED, 'content-type': 'text/plain' })
  const node = await nodeFor(
    t,
    origin,
    { compress: { algorithms: ['gzip'], minBytes: '1b' } },
    {
      head: 'export default { headerFilter(request, response) { response.headers.set("x-filtered", request.headers.get("x-who") ?? "") } }',
      body: 'export default { bodyFilter: (chunk) => (chunk as Uint8Array).map((byte) => byte - 32) }',
    },
  )
  const leader = await open(node, '/', { 'x-who': 'leader' })
  const plain = await open(node, '/', { 'x-who': 'plain' })
  const packed = await open(node, '/', { 'x-who': 'packed', 'accept-encoding': 'gzip' })
  endAll()
  const whole = (HALF + REST).toUpperCase()
  await leader.has(whole)
  await plain.has(whole)
  await packed.ended()
  assert.equal(gunzipSync(packed.bytes()).toString(), whole)
  assert.deepEqual(
    [leader, plain, packed].map(({ message }) => message.headers['x-filtered']),
    ['leader', 'plain', 'packed'],
  )
  assert.deepEqual(origin.requests, ['GET /'])
})

test('an answer that grows too large reaches all who have begun, is not stored, and is waited for by nobody later', async (t) => {
  const { origin, held } = await halfway(t)
  const node = await nodeFor(t, origin, { cache: { objectBytes: '64kb' } })
  const clients = [await open(node), await open(node), await open(node)]
  for (const client of clients) await client.has(HALF)
  const piece = 'c'.repeat(10_000)
  for (let i = 0; i < 100; i++) held[0]!.write(piece)
  held[0]!.end()
  for (const client of clients) await client.has(HALF + piece.repeat(100))
  assert.equal(origin.requests.length, 1)
  const later = [await open(node), await open(node)]
  assert.equal(origin.requests.length, 3)
  for (const response of held.slice(1)) response.end(REST)
  for (const client of later) await client.has(HALF + REST)
})

test('a write in the middle: those who have begun get the rest, and those who come after it what is new', async (t) => {
  const { origin, held } = await halfway(t)
  const node = await nodeFor(t, origin)
  const clients = [await open(node), await open(node)]
  for (const client of clients) await client.has(HALF)
  // Once the head of its answer is here, what was before it is not for anybody who comes.
  await new Promise<void>((resolve) => {
    const write = send(node.url, { method: 'POST', agent: false }).on('error', () => {})
    write.on('response', (answer) => (answer.resume(), resolve()))
    write.end()
  })
  const after = await open(node)
  assert.equal(held.length, 3)
  held[0]!.end(REST)
  for (const client of clients) await client.has(HALF + REST)
  held[1]!.end()
  held[2]!.end('new')
  await after.has(`${HALF}new`)
  assert.equal((await node.request('/')).text, `${HALF}new`)
})

test('an answer that is not for sharing serialises nobody', async (t) => {
  const { origin, held, endAll } = await halfway(t, { 'cache-control': 'private' })
  const node = await nodeFor(t, origin)
  const clients = await Promise.all(Array.from({ length: 10 }, () => open(node)))
  assert.equal(held.length, 10)
  endAll()
  for (const client of clients) await client.has(HALF + REST)
  assert.equal(origin.requests.length, 10)
})

test('a request waits for a head as long as its site says, and then asks for itself', async (t) => {
  const held: ServerResponse[] = []
  const origin = await startOrigin(t, (_, response) => void held.push(response))
  const node = await nodeFor(t, origin, { cache: { wait: '300ms' } })
  const asked = [node.request('/'), node.request('/')]
  await eventually(() => held.length === 2)
  held[1]!.writeHead(200, STORED).end('second')
  held[0]!.writeHead(200, STORED).end('first')
  const answers = await Promise.all(asked)
  assert.deepEqual(answers.map(({ text }) => text).toSorted(), ['first', 'second'])
  assert.ok(answers.some(({ headers }) => String(headers['cache-status']).includes('collapsed=?0')))
})
