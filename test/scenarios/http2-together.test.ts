/** HTTP/2 beside everything else that happens to an answer: each feature as over HTTP/1.1, asked over TLS by Node's client. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { type ClientHttp2Session, connect } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import type { ConfigInput } from '../../src/config/schema.ts'
import { certificateMaker } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { askHttp2, type Http2Answer } from '../harness/http2-client.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const MIB = randomBytes(1024 * 1024)
const TEXT = 'the quick brown fox jumps over the lazy dog\n'.repeat(100)

interface Started {
  readonly node: TestNode
  readonly session: ClientHttp2Session
  ask(path: string, headers?: Record<string, string>, body?: string): Promise<Http2Answer>
}

async function start(
  t: TestContext,
  sites: NonNullable<ConfigInput['sites']>,
  edge: ConfigInput['edge'] = {},
  more: { units?: Record<string, string>; files?: Record<string, string> } = {},
): Promise<Started> {
  const certificate = certificateMaker(t).make('a', ['a.test'])
  const node = await startNode(t, {
    config: {
      edge: {
        limits: PATIENT,
        listen: { address: '127.0.0.1:0', tls: { certificates: [certificate] } },
        ...edge,
      },
      sites,
    },
    ...more,
  })
  const session = connect(node.url, { rejectUnauthorized: false })
  session.on('error', () => {})
  t.after(() => session.destroy())
  return {
    node,
    session,
    ask: (path, headers = {}, body) =>
      askHttp2(session, { ':path': path, ':authority': 'a.test', ...headers }, body),
  }
}

test('what is stored comes whole, also where it is large; parts of it come from the origin', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.setHeader('cache-control', 'max-age=3600').setHeader('etag', '"v1"')
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    if (from === undefined) {
      response.end(MIB)
    } else if (Number(from) >= MIB.length) {
      response.writeHead(416, { 'content-range': `bytes */${MIB.length}` }).end()
    } else {
      response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${MIB.length}` })
      response.end(MIB.subarray(Number(from), Number(to) + 1))
    }
  })
  const { ask } = await start(t, [{ origin: origin.url, cache: {} }])
  assert.ok((await ask('/mib')).body.equals(MIB))
  const many = await Promise.all(Array.from({ length: 10 }, () => ask('/mib')))
  for (const { headers, body } of many) {
    assert.match(String(headers['cache-status']), /hit/)
    assert.ok(body.equals(MIB))
  }
  assert.equal(origin.requests.length, 1)
  const part = await ask('/mib', { range: 'bytes=1000-200999' })
  assert.equal(part.headers[':status'], 206)
  assert.equal(part.headers['content-range'], `bytes 1000-200999/${MIB.length}`)
  assert.ok(part.body.equals(MIB.subarray(1000, 201_000)))
  const same = await ask('/mib', { 'if-none-match': '"v1"' })
  assert.deepEqual([same.headers[':status'], same.body.length], [304, 0])
  assert.equal((await ask('/mib', { range: 'bytes=9999999-' })).headers[':status'], 416)
})

test('bodies pass units and compression', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.setHeader('content-type', 'text/plain').setHeader('cache-control', 'max-age=3600')
    response.end(TEXT)
  })
  const { ask } = await start(
    t,
    [{ origin: origin.url, cache: {}, compress: true }],
    {},
    {
      units: {
        louder: `export default { paths: ['/loud'], chunks: 'text', limits: { cpuMs: 1000 },
        bodyFilter: (chunk) => chunk.toUpperCase() }`,
      },
    },
  )
  assert.equal(String((await ask('/loud')).body), TEXT.toUpperCase())
  for (let round = 0; round < 2; round += 1) {
    const { headers, body } = await ask('/plain', { 'accept-encoding': 'gzip' })
    assert.equal(headers['content-encoding'], 'gzip')
    assert.equal(String(gunzipSync(body)), TEXT)
  }
  const loud = await ask('/loud', { 'accept-encoding': 'gzip' })
  assert.equal(String(gunzipSync(loud.body)), TEXT.toUpperCase())
})

test('files are served', async (t) => {
  const { ask } = await start(
    t,
    [{ static: './public' }],
    {},
    {
      files: { 'public/index.html': '<h1>home</h1>', 'public/large.txt': TEXT.repeat(500) },
    },
  )
  assert.equal(String((await ask('/')).body), '<h1>home</h1>')
  assert.equal(String((await ask('/large.txt')).body), TEXT.repeat(500))
  const part = await ask('/large.txt', { range: 'bytes=4-8' })
  assert.deepEqual([part.headers[':status'], String(part.body)], [206, 'quick'])
  const head = await ask('/large.txt', { ':method': 'HEAD' })
  assert.deepEqual([head.headers['content-length'], head.body.length], [String(TEXT.length * 500), 0])
  assert.equal((await ask('/missing')).headers[':status'], 404)
})

test('the access log tells the protocol, the id and the bytes', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/pieces') {
      response.write('y'.repeat(2000))
      request.resume().on('end', () => response.end('y'.repeat(3000)))
    } else {
      request.resume().on('end', () => response.end('y'.repeat(5000)))
    }
  })
  const fields = ['target', 'protocol', 'requestId', 'status', 'bytesReceived', 'bytesSent', 'bodyBytesSent']
  const { node, ask } = await start(t, [{ origin: origin.url }], {
    trustedProxies: ['127.0.0.1'],
    requestId: { client: true },
    accessLog: { path: 'access.log', fields },
  })
  const first = await ask('/', { ':method': 'POST', 'x-request-id': 'id-2' }, 'z'.repeat(3000))
  assert.equal(first.headers['x-request-id'], 'id-2')
  await ask('/pieces', { ':method': 'POST' }, 'z')
  const [whole, pieces] = await eventually(() => {
    const text = readFileSync(join(node.folder, 'access.log'), 'utf8').trim().split('\n')
    return text.length >= 2 && text.map((line) => JSON.parse(line) as Record<string, unknown>)
  })
  assert.equal(whole!['protocol'], 'HTTP/2.0')
  assert.equal(whole!['requestId'], 'id-2')
  for (const line of [whole!, pieces!]) {
    assert.equal(line['bodyBytesSent'], 5000)
    const framing = Number(line['bytesSent']) - 5000
    assert.ok(framing > 18 && framing < 1000, `${framing} bytes are heads and framing`)
  }
  assert.ok(Number(whole!['bytesReceived']) > 3000)
})

test('Expect, and an upgrade that HTTP/2 has no place for', async (t) => {
  const origin = await startOrigin(t, (request, response) => void request.pipe(response))
  const { session, ask } = await start(t, [{ origin: origin.url }])
  const stream = session.request({
    ':method': 'POST',
    ':path': '/',
    ':authority': 'a.test',
    expect: '100-continue',
  })
  let hasContinued = false
  let text = ''
  stream.on('continue', () => {
    hasContinued = true
    stream.end('after all')
  })
  stream.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject))
  assert.deepEqual([hasContinued, text], [true, 'after all'])
  // RFC 8441 §3: a client asks by extended CONNECT only where it is offered.
  assert.notEqual(session.remoteSettings.enableConnectProtocol, true)
  assert.equal(String((await ask('/', { ':method': 'POST' }, 'as before')).body), 'as before')
})

test('events come one by one, and each stream has its own', async (t) => {
  const open: ServerResponse[] = []
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    open.push(response)
  })
  const { session } = await start(t, [{ origin: origin.url, cache: {}, compress: true }])
  const texts = ['', '', '']
  for (const index of texts.keys()) {
    const stream = session.request({
      ':path': `/${index}`,
      ':authority': 'a.test',
      accept: 'text/event-stream',
    })
    stream.setEncoding('utf8').on('data', (piece: string) => (texts[index] += piece))
    stream.on('error', () => {})
  }
  await eventually(() => open.length === 3)
  // The next is only sent when the one before has arrived.
  for (const sent of ['data: one\n\n', 'data: one\n\ndata: two\n\n']) {
    for (const response of open) response.write(sent.slice(-11))
    await eventually(() => texts.every((text) => text === sent), { what: `${JSON.stringify(sent)} came` })
  }
})

test('a client that a proxy announces, over TLS', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    const { headers } = request
    response.end(`${headers['x-forwarded-for']} ${headers['x-forwarded-proto']} ${headers.via}`)
  })
  const certificate = certificateMaker(t).make('b', ['a.test'])
  const { node } = await start(t, [{ origin: origin.url }], {
    listen: { address: '127.0.0.1:0', proxyProtocol: true, tls: { certificates: [certificate] } },
    trustedProxies: ['127.0.0.1'],
  })
  const below = connectTcp(Number(new URL(node.url).port), '127.0.0.1')
  below.write('PROXY TCP4 203.0.113.7 198.51.100.2 4660 443\r\n')
  const session = connect(node.url, {
    createConnection: () => connectTls({ socket: below, ALPNProtocols: ['h2'], rejectUnauthorized: false }),
  })
  session.on('error', () => {})
  t.after(() => session.destroy())
  const answer = await askHttp2(session, { ':path': '/', ':authority': 'a.test' })
  assert.match(String(answer.body), /^203\.0\.113\.7 https 2\.0 /)
})

test('SIGTERM: what is under way ends, nothing new begins, and the node ends in order', async (t) => {
  const open: ServerResponse[] = []
  const origin = await startOrigin(t, (_request, response) => {
    response.write('begun ')
    open.push(response)
  })
  const { node, session, ask } = await start(t, [{ origin: origin.url }])
  const slow = ask('/slow')
  await eventually(() => open.length === 1)
  const goaway = new Promise((resolve) => session.on('goaway', resolve))
  const ended = node.stop()
  assert.equal(await goaway, 0)
  open[0]!.end('and done')
  assert.equal(String((await slow).body), 'begun and done')
  assert.deepEqual(await ended, { code: 0, signal: null })
})
