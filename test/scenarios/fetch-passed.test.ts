/** The head of an answer that a unit fetched and passes on: of one mind with its body, whatever the method, the phase and the filters. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, siteNamed, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

const LIMITS = 'limits: { cpuMs: 1000, wallMs: 60000 }'
const TEXT = 'x'.repeat(100_000)

test('the head of what a unit passes on fits its body', async (t) => {
  const open = new Map<string, ServerResponse>()
  const origin = await startOrigin(t, (request, response) => {
    const path = request.url!
    response.setHeader('content-type', 'text/plain')
    if (path.startsWith('/open')) {
      open.set(path, response)
      response.writeHead(200, { 'content-length': 8 }).write('half')
    } else if (path.startsWith('/chunked')) {
      response.write('')
      setImmediate(() => response.end(TEXT))
    } else if (request.headers.range !== undefined) {
      const isPacked = request.headers['accept-encoding']?.includes('gzip') === true
      const bytes = isPacked ? gzipSync(TEXT) : Buffer.from(TEXT)
      if (isPacked) response.setHeader('content-encoding', 'gzip')
      response.writeHead(206, {
        'content-range': `bytes 0-9/${bytes.length}`,
        'content-length': 10,
      })
      response.end(bytes.subarray(0, 10))
    } else {
      response.writeHead(200, { 'content-length': TEXT.length, 'cache-control': 'max-age=60' })
      response.end(TEXT)
    }
  })
  const site = (name: string, more?: object) => siteNamed(name, origin.url, more)
  const node = await startNode(t, {
    config: {
      edge: { limits: PATIENT, fetch: { sites: ['127.0.0.1'] } },
      sites: [
        site('passed'),
        site('compressed', { compress: {} }),
        site('filtered'),
        site('emptied'),
        site('part'),
        site('cached', { cache: {} }),
        site('short', { cache: {} }),
      ],
    },
    units: {
      pass: `export default { hosts: ['passed.example.org', 'compressed.example.org', 'filtered.example.org', 'emptied.example.org'], ${LIMITS},
        fetch: (request) => fetch(new Request('${origin.url}' + new URL(request.url).pathname, request)) }`,
      part: `export default { hosts: ['part.example.org'], ${LIMITS},
        content: () => fetch('${origin.url}/', { headers: { range: 'bytes=0-9' } }) }`,
      upper: `export default { hosts: ['filtered.example.org'], ${LIMITS}, chunks: 'text',
        bodyFilter: (piece) => piece.toUpperCase() }`,
      empty: `export default { hosts: ['emptied.example.org'], ${LIMITS},
        headerFilter(request, response) { response.status = 204 } }`,
      'stand-in': `export default { hosts: ['cached.example.org'], ${LIMITS},
        origin: (request) => fetch('${origin.url}' + request.path, { method: request.method }) }`,
      short: `export default { hosts: ['short.example.org'], ${LIMITS},
        origin() {
          const body = new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('half')); c.close() } })
          return new Response(body, { headers: { 'content-length': '8', 'cache-control': 'max-age=60' } })
        } }`,
    },
  })
  const ask = async (name: string, line: string, more = '') => {
    const client = await RawClient.connect(node.url)
    client.send(`${line}\r\nhost: ${name}.example.org\r\n${more}\r\n`)
    return client
  }
  const whole = async (name: string, line: string, more = '') => {
    const client = await ask(name, line, `connection: close\r\n${more}`)
    const text = await client.readAll()
    const end = text.indexOf('\r\n\r\n')
    return { head: text.slice(0, end), body: text.slice(end + 4) }
  }

  await t.test('HEAD is told the length that GET has, or none', async () => {
    for (const name of ['passed', 'cached']) {
      const { head, body } = await whole(name, 'HEAD /length HTTP/1.1')
      assert.match(head, /content-length: 100000/, `${name}: ${head}`)
      assert.equal(body, '')
      const other = await whole(name, 'HEAD /chunked HTTP/1.1')
      assert.doesNotMatch(other.head, /content-length|transfer-encoding/, `${name}: ${other.head}`)
      assert.equal(other.body, '')
    }
    const { head } = await whole('compressed', 'HEAD /length HTTP/1.1', 'accept-encoding: gzip\r\n')
    assert.doesNotMatch(head, /content-length/)
    assert.match(head, /content-encoding: gzip/)
  })

  await t.test("a length that is known stands in the head, also in the origin's place", async () => {
    for (const name of ['passed', 'cached']) {
      const client = await ask(name, `GET /open/${name} HTTP/1.1`)
      const head = await client.readUntil('\r\n\r\n')
      assert.match(head, /content-length: 8\r\n/, `${name}: ${head}`)
      assert.doesNotMatch(head, /transfer-encoding/)
      open.get(`/open/${name}`)!.end('half')
      await client.readUntil('halfhalf')
      client.close()
    }
  })

  await t.test('what is shorter than it says is cut, and not kept', async () => {
    for (let i = 0; i < 2; i++) {
      const { head, body } = await whole('short', 'GET / HTTP/1.1')
      assert.match(head, /content-length: 8\r\n/)
      assert.doesNotMatch(head, /hit/)
      assert.equal(body, 'half')
    }
  })

  await t.test('a status that allows no body ends with its head, and the fetch with it', async () => {
    const client = await ask('emptied', 'GET /open/emptied HTTP/1.1')
    const head = await client.readUntil('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 204 /)
    assert.doesNotMatch(head, /content-length|transfer-encoding/)
    await eventually(() => open.get('/open/emptied')?.destroyed)
    client.send('HEAD /length HTTP/1.1\r\nhost: passed.example.org\r\n\r\n')
    assert.match(await client.readUntil('\r\n\r\n'), /^HTTP\/1\.1 200 /)
    client.close()
  })

  await t.test('a part that a unit asks for is a part of the plain bytes', async () => {
    const { head, body } = await whole('part', 'GET / HTTP/1.1')
    assert.match(head, /^HTTP\/1\.1 206 /, head)
    assert.match(head, /content-range: bytes 0-9\/100000/)
    assert.equal(body, 'x'.repeat(10))
  })

  await t.test('what a unit filters is asked for whole', async () => {
    const { head, body } = await whole('filtered', 'GET /length HTTP/1.1', 'range: bytes=0-9\r\n')
    assert.match(head, /^HTTP\/1\.1 200 /, head)
    assert.equal(body.replaceAll(/[^X]/g, '').length, TEXT.length)
  })
})
