/** The id of a request and its trace: taken over, made, and told; and event streams, whose pieces wait for nothing. */
import assert from 'node:assert/strict'
import { request as send, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

type Seen = Record<string, string | undefined>

test('requests have an id, which origins, units and, where told so, clients learn', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.setHeader('cache-control', 'max-age=60')
    response.end(JSON.stringify(request.headers))
  })
  const units = {
    tell: `export default {
      paths: ['/unit'], limits: { cpuMs: 1000 },
      access(request, response, edge) { response.headers.set('x-first', edge.requestId) },
      content: (request, edge) => new Response(edge.requestId),
    }`,
  }
  const trusting = await startNode(t, {
    config: {
      edge: { trustedProxies: ['127.0.0.1'], requestId: { client: true }, trace: { sample: 0 } },
      sites: [{ origin: origin.url, cache: {} }],
    },
    units,
  })
  const plain = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] }, units })

  const own = await trusting.request('/a')
  const id = own.headers['x-request-id'] as string
  assert.match(id, /^[0-9a-f]{32}$/)
  assert.equal((JSON.parse(own.text) as Seen)['x-request-id'], id)
  // A hit has an id of its own, and only one.
  const hit = await eventually(async () => {
    const answer = await trusting.request('/a')
    return answer.headers['cache-status']!.includes('hit') && answer
  })
  assert.match(hit.headers['x-request-id'] as string, /^[0-9a-f]{32}$/)
  assert.notEqual(hit.headers['x-request-id'], id)

  const given = await trusting.request('/b', { headers: { 'x-request-id': 'front-7/a.b' } })
  assert.equal(given.headers['x-request-id'], 'front-7/a.b')
  assert.equal((JSON.parse(given.text) as Seen)['x-request-id'], 'front-7/a.b')
  const odd = await trusting.request('/c', { headers: { 'x-request-id': 'a b"c' } })
  assert.match(odd.headers['x-request-id'] as string, /^[0-9a-f]{32}$/)

  const stranger = await plain.request('/d', { headers: { 'x-request-id': 'mine' } })
  assert.match((JSON.parse(stranger.text) as Seen)['x-request-id']!, /^[0-9a-f]{32}$/)
  assert.equal(stranger.headers['x-request-id'], undefined)

  const unit = await plain.request('/unit')
  assert.match(unit.text, /^[0-9a-f]{32}$/)
  assert.equal(unit.headers['x-first'], unit.text)

  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const headers = { traceparent: parent, tracestate: 'a=1' }
  const continued = JSON.parse((await trusting.request('/e', { headers })).text) as Seen
  assert.match(
    continued['traceparent']!,
    /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01$/,
  )
  assert.equal(continued['tracestate'], 'a=1')
  const begun = JSON.parse(
    (await trusting.request('/f', { headers: { traceparent: '00-bad', tracestate: 'a=1' } })).text,
  ) as Seen
  assert.match(begun['traceparent']!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  assert.equal(begun['tracestate'], undefined)
  const passed = JSON.parse((await plain.request('/g', { headers })).text) as Seen
  assert.equal(passed['traceparent'], parent)
})

test('each piece of an event stream leaves at once, and no listener waits for another', async (t) => {
  const open: ServerResponse[] = []
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'max-age=60' })
    response.flushHeaders()
    open.push(response)
  })
  // Neither the origin nor a client is too slow here, however long this process stands still.
  const waits = { endpoints: [origin.url], timeouts: { response: '10m' } }
  const node = await startNode(t, {
    config: { edge: { limits: { body: '10m' } }, sites: [{ origin: waits, cache: {} }] },
  })
  const listen = (accept: string): Promise<RawClient> =>
    RawClient.connect(node.url).then((client) => {
      client.send(`GET /events HTTP/1.1\r\nHost: a\r\n${accept}\r\n`)
      return client
    })
  // The second kind does not say what it wants: it is told by the head of the answer.
  for (const accept of ['Accept: text/event-stream\r\n', '']) {
    open.length = 0
    const listeners = await Promise.all([listen(accept), listen(accept), listen(accept)])
    for (const client of listeners) assert.match(await client.readUntil('\r\n\r\n'), /^HTTP\/1.1 200 /)
    assert.equal(open.length, 3)
    // The next piece is only sent when the one before has arrived.
    for (const piece of ['data: one\n\n', 'data: two\n\n']) {
      for (const response of open) response.write(piece)
      for (const client of listeners) await client.readUntil(piece)
    }
    for (const client of listeners) client.close()
  }
})

test('early hints pass to those who know them, also on the way into the cache', async (t) => {
  const origin = await startOrigin(t, (_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
    response.setHeader('cache-control', 'max-age=60')
    response.end('page')
  })
  const node = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
  const client = await RawClient.connect(node.url)
  for (const path of ['/a', '/b']) {
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    assert.match(
      await client.readResponse(),
      /^HTTP\/1.1 103 Early Hints\r\nlink: <\/style.css>[^]*\r\n\r\nHTTP\/1.1 200 [^]*page$/,
    )
  }
  client.send('HEAD /c HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await client.readUntil('\r\n\r\n'), /^HTTP\/1.1 103 /)
  assert.match(await client.readUntil('\r\n\r\n'), /^HTTP\/1.1 200 /)
  client.close()
  const old = await RawClient.connect(node.url)
  old.send('GET /d HTTP/1.0\r\nHost: a\r\n\r\n')
  assert.match(await old.readAll(), /^HTTP\/1.1 200 /)
  const hinted = await new Promise((resolve, reject) => {
    let hint: unknown
    send(`${node.url}/e`, { agent: false }, (answer) => answer.resume().on('end', () => resolve(hint)))
      .on('information', ({ headers }) => (hint = headers.link))
      .on('error', reject)
      .end()
  })
  assert.equal(hinted, '</style.css>; rel=preload; as=style')
})
