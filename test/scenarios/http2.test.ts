/** HTTP/2 towards clients, over TLS and by prior knowledge: the same answers as over HTTP/1.1. */
import assert from 'node:assert/strict'
import { type ClientHttp2Session, connect } from 'node:http2'
import { test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { certificateMaker } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { askHttp2 } from '../harness/http2-client.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

async function startHttp2(t: TestContext): Promise<{ node: TestNode; sessions: ClientHttp2Session[] }> {
  const certificates = certificateMaker(t)
  const origin = await startOrigin(t, (request, response) => {
    const { url = '' } = request
    if (url === '/echo') request.pipe(response)
    else if (url === '/hints') {
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      setTimeout(() => response.end('hinted'), 20)
    } else if (url === '/trailers') {
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('body')
      response.addTrailers({ 'x-sum': '42' })
      response.end()
    } else if (url === '/upload-trailers') {
      request.resume().on('end', () => response.end(String(request.trailers['x-up'])))
    } else if (url === '/cut') {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('part', () => response.destroy())
    } else if (url === '/large') {
      response.setHeader('cache-control', 'max-age=3600').end(Buffer.alloc(2_000_000, 'orla'))
    } else {
      response
        .setHeader('cache-control', 'max-age=3600')
        .setHeader('X-Upper', 'Yes')
        .setHeader('connection', 'keep-alive')
      response.end(
        JSON.stringify({ cookie: request.headers.cookie, proto: request.headers['x-forwarded-proto'] }),
      )
    }
  })
  const node = await startNode(t, {
    config: {
      edge: {
        limits: { ...PATIENT, bodyBytes: '8mb' },
        listen: [
          { address: '127.0.0.1:0', tls: { certificates: [certificates.make('a', ['a.test'])] } },
          { address: '127.0.0.1:0', h2c: true },
        ],
      },
      sites: [{ origin: origin.url, cache: {} }],
    },
    units: {
      hello: `export default { paths: ['/unit'], limits: { cpuMs: 1000, wallMs: 60000 }, async content(request, edge) {
      return new Response(request.method + ' ' + request.url + ' ' + await request.text(), { headers: { 'X-Unit': 'Upper' } }) } }`,
    },
  })
  const sessions = node.urls.map((url) => {
    const session = connect(url, {
      rejectUnauthorized: false,
      maxSessionMemory: 100,
      settings: { initialWindowSize: 200_000 },
    })
    session.on('error', () => {})
    t.after(() => session.destroy())
    return session
  })
  return { node, sessions }
}

test('HTTP/2 carries what HTTP/1.1 does, over TLS and without', async (t) => {
  const { node, sessions } = await startHttp2(t)
  for (const [index, session] of sessions.entries()) {
    const scheme = index === 0 ? 'https' : 'http'
    const ask = (path: string, more = {}, body?: Buffer | string, trailers?: Record<string, string>) =>
      askHttp2(session, { ':path': path, ':authority': 'a.test', ':scheme': scheme, ...more }, body, trailers)

    const first = await ask('/', { cookie: ['a=1', 'b=2'] })
    assert.equal(first.headers[':status'], 200)
    assert.equal(first.headers['x-upper'], 'Yes')
    assert.equal(first.headers.connection, undefined)
    assert.deepEqual(JSON.parse(String(first.body)), { cookie: 'a=1; b=2', proto: scheme })
    assert.match(String((await ask('/')).headers['cache-status']), /hit/)
    const head = await ask('/', { ':method': 'HEAD' })
    assert.equal(head.body.length, 0)
    assert.equal(head.headers['content-length'], String(first.body.length))

    const unit = await ask('/unit?q=1', { ':method': 'POST' }, 'given')
    assert.equal(String(unit.body), `POST ${scheme}://a.test/unit?q=1 given`)
    assert.equal(unit.headers['x-unit'], 'Upper')
    assert.equal((await ask('/hints')).hints[0]?.['link'], '</style.css>; rel=preload; as=style')
    assert.equal((await ask('/trailers')).trailers['x-sum'], '42')
    assert.equal(
      String((await ask('/upload-trailers', { ':method': 'POST' }, 'x', { 'x-up': '7' })).body),
      '7',
    )

    const body = Buffer.alloc(5_000_000, 'there and back ')
    const echoes = await Promise.all([1, 2, 3].map(() => ask('/echo', { ':method': 'POST' }, body)))
    for (const echo of echoes) assert.ok(echo.body.equals(body))
    for (let round = 0; round < 2; round += 1) {
      const large = await ask('/large')
      assert.ok(large.body.equals(Buffer.alloc(2_000_000, 'orla')))
    }
    const many = await Promise.all(Array.from({ length: 100 }, () => ask('/')))
    assert.ok(many.every(({ body: got }) => got.equals(first.body)))
    await assert.rejects(ask('/cut'), /INTERNAL_ERROR/)
    assert.equal(
      (
        await ask('/echo', { ':method': 'POST', 'content-length': '9000000' }, '').catch((error: Error) => ({
          headers: { ':status': error.message },
        }))
      ).headers[':status'],
      413,
    )
    assert.equal((await ask('/')).headers[':status'], 200)
  }
  const metrics = (await node.api('GET', '/metrics')).text
  assert.match(metrics, /orla_http2_connections 2\n/)
  assert.match(metrics, /orla_http2_streams_total \d{3}/)
})

test('HTTP/1.1 and HTTP/2 live at one address without TLS', async (t) => {
  const { node } = await startHttp2(t)
  const { ask } = await import('../harness/http-client.ts')
  const answer = await ask(`${node.urls[1]}/unit`, { method: 'PUT', body: 'x' })
  assert.match(answer.text, /^PUT http:.*x$/)
})

test('a listener with `http2` off offers HTTP/1.1 alone', async (t) => {
  const certificates = [certificateMaker(t).make('a', ['a.test'])]
  const origin = await startOrigin(t)
  const listen = [true, false].map((http2) => ({ address: '127.0.0.1:0', http2, tls: { certificates } }))
  const node = await startNode(t, { config: { edge: { listen }, sites: [{ origin: origin.url }] } })
  /** What is agreed on with a client that offers these, and what it is answered where it speaks HTTP/1.1. */
  const meet = (url: string, ALPNProtocols: string[]) =>
    new Promise<[protocol: string | false | null, answer: string]>((resolve, reject) => {
      const { hostname, port } = new URL(url)
      const socket = connectTls({
        host: hostname,
        port: Number(port),
        rejectUnauthorized: false,
        ALPNProtocols,
      })
      let answer = ''
      socket.on('secureConnect', () => {
        if (socket.alpnProtocol === 'h2') socket.destroy()
        else socket.write('GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
      })
      socket.setEncoding('latin1').on('data', (piece: string) => (answer += piece))
      socket.on('error', reject)
      socket.on('close', () => resolve([socket.alpnProtocol, answer]))
    })
  const [on, off] = node.urls as [string, string]
  assert.equal((await meet(on, ['h2', 'http/1.1']))[0], 'h2')
  for (const offered of [['h2', 'http/1.1'], ['http/1.1']]) {
    const [protocol, answer] = await meet(off, offered)
    assert.equal(protocol, 'http/1.1')
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*origin \/a$/)
  }
  // RFC 7301 §3.2: who speaks nothing that is spoken here is told so, and gets no connection.
  await assert.rejects(meet(off, ['h2']), /no application protocol/i)
})

test('a drain lets streams finish, and tells the client to come to nobody else here', async (t) => {
  const { node, sessions } = await startHttp2(t)
  const session = sessions[0]!
  let goaway = false
  session.on('goaway', () => (goaway = true))
  const large = askHttp2(session, { ':path': '/large', ':authority': 'a.test' })
  const answer = await large
  const ended = node.stop()
  assert.equal(answer.body.length, 2_000_000)
  assert.deepEqual(await ended, { code: 0, signal: null })
  // What it said may still be on its way when it has ended.
  await eventually(() => goaway)
})
