/** Requests through the edge as a client sees them: bodies both ways, headers, methods, order. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

test('an edge without units passes requests on and answers back', async (t) => {
  const big = Buffer.from(Array.from({ length: 5_000_000 }, (_, i) => (i * 7919) % 251))
  let headers: IncomingMessage['headers'] = {}
  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
    '/big': (_, response) => response.setHeader('content-length', big.length).end(big),
    '/chunks': (_, response) => {
      response.setHeader('trailer', 'x-sum')
      response.write('one')
      response.write('two')
      response.addTrailers({ 'x-sum': '42' })
      response.end()
    },
    '/echo': async (request, response) => {
      const body = await bodyOf(request)
      response.end(`${request.method} ${body.length} ${sha(body)}`)
    },
    '/empty': (_, response) => response.writeHead(204).end(),
  }
  const origin = await startOrigin(t, (request, response) => {
    headers = request.headers
    const route = routes[request.url!.split('?')[0]!]
    if (route === undefined) response.end(`${request.method} ${request.url}`)
    else route(request, response)
  })
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })

  await t.test('a large answer arrives unchanged', async () => {
    const answer = await node.request('/big')
    assert.equal(sha(answer.body), sha(big))
  })

  await t.test('a large body reaches the origin unchanged, by length and in chunks', async () => {
    const byLength = await node.request('/echo', { method: 'POST', body: big })
    assert.equal(byLength.text, `POST ${big.length} ${sha(big)}`)
    const inChunks = await node.request('/echo', {
      method: 'PUT',
      body: big,
      headers: { 'transfer-encoding': 'chunked' },
    })
    assert.equal(inChunks.text, `PUT ${big.length} ${sha(big)}`)
  })

  await t.test('chunks and trailers pass', async () => {
    const client = await RawClient.connect(node.url)
    client.send('GET /chunks HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n')
    const text = await client.readAll()
    assert.match(text, /onetwo|3\r\none\r\n3\r\ntwo/)
    assert.match(text, /\r\n0\r\nx-sum: 42\r\n\r\n$/)
  })

  await t.test('a client that reads slowly gets all of it, and so does the next one', async () => {
    const client = await RawClient.connect(node.url)
    client.send('GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    client.socket.pause()
    assert.equal(sha((await node.request('/big')).body), sha(big))
    client.socket.resume()
    const text = await client.readAll()
    assert.equal(sha(Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')), sha(big))
  })

  await t.test('hop-by-hop and nominated headers stay on their hop', async () => {
    const client = await RawClient.connect(node.url)
    client.send(
      'GET /h HTTP/1.1\r\nHost: Example.org\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nX-Other: 2\r\n' +
        'Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: x\r\n\r\n',
    )
    await client.readAll()
    assert.equal(headers['x-other'], '2')
    assert.equal(headers.host?.toLowerCase(), 'example.org')
    for (const name of ['x-mine', 'keep-alive', 'te', 'upgrade', 'proxy-authorization']) {
      assert.equal(headers[name], undefined, name)
    }
  })

  await t.test(
    'what is between client and edge alone stays there, and takes no other header along',
    async () => {
      const client = await RawClient.connect(node.url)
      client.send(
        'POST /h HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Wish: expect\r\nX-Other: orla-debug\r\nX-Last: 3\r\n' +
          'Orla-Debug: secret\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n1',
      )
      await client.readAll()
      assert.equal(headers['x-wish'], 'expect')
      assert.equal(headers['x-other'], 'orla-debug')
      assert.equal(headers['x-last'], '3')
      assert.equal(headers.expect, undefined)
      assert.equal(headers['orla-debug'], undefined)
    },
  )

  await t.test('the target in absolute form names the host', async () => {
    const client = await RawClient.connect(node.url)
    client.send('GET http://tv.example.org/a?b=c HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n')
    assert.match(await client.readAll(), /GET \/a\?b=c$/)
    assert.equal(headers.host, 'tv.example.org')
  })

  await t.test('HEAD has the headers and no body', async () => {
    const answer = await node.request('/big', { method: 'HEAD' })
    assert.equal(answer.headers['content-length'], String(big.length))
    assert.equal(answer.body.length, 0)
  })

  await t.test('204 and OPTIONS pass; CONNECT and TRACE are refused', async () => {
    assert.equal((await node.request('/empty')).status, 204)
    assert.equal((await node.request('/x', { method: 'OPTIONS' })).text, 'OPTIONS /x')
    const client = await RawClient.connect(node.url)
    client.send('CONNECT a.example.org:443 HTTP/1.1\r\nHost: a.example.org:443\r\n\r\n')
    assert.match(await client.readAll(), /^HTTP\/1\.1 501 /)
    const trace = await RawClient.connect(node.url)
    trace.send('TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(await trace.readAll(), /^HTTP\/1\.1 405 /)
  })

  await t.test('a host that no site answers for is a 404', async () => {
    const other = await startNode(t, {
      config: { sites: [{ hosts: ['tv.example.org'], origin: origin.url }] },
    })
    assert.equal((await other.request('/', { headers: { host: 'tv.example.org' } })).status, 200)
    const answer = await other.request('/', { headers: { host: 'radio.example.org' } })
    assert.equal(answer.status, 404)
    assert.match(answer.text, /no site answers for the host "radio\.example\.org"/)
  })

  await t.test('pipelined requests through the origin come back in order', async () => {
    const client = await RawClient.connect(node.url)
    const ask = (i: number, more = '') => `GET /${i} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
    client.send(ask(1) + ask(2) + ask(3) + ask(4, 'Connection: close\r\n'))
    assert.deepEqual((await client.readAll()).match(/GET \/\d/g), ['GET /1', 'GET /2', 'GET /3', 'GET /4'])
  })
})
