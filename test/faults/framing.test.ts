/** Whatever units make of status, method and headers, the client finds the end of each answer: the next one is never mixed up with it. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { certificateMaker } from '../harness/certificates.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

for (const scheme of ['http', 'https'] as const) {
  test(`the next answer on the ${scheme} connection begins where the client expects it, whatever units change`, (t) =>
    checkFraming(t, scheme))
}

async function checkFraming(t: TestContext, scheme: 'http' | 'https'): Promise<void> {
  const certificates = [certificateMaker(t).make('a', ['cached.test', 'plain.test'])]
  const origin = await startOrigin(t, (request, response) => {
    const url = request.url!
    if (url.startsWith('/kept')) response.setHeader('cache-control', 'max-age=60').setHeader('etag', '"1"')
    const status = /\/(204|304)/.exec(url)?.[1]
    if (status !== undefined) response.writeHead(Number(status)).end()
    else if (url.startsWith('/chunks')) {
      response.write('one ')
      response.end('two')
    } else response.end('HTTP/1.1 200 OK\r\nforged: yes\r\ncontent-length: 0\r\n\r\n')
  })
  const node = await startNode(t, {
    config: {
      edge: { listen: { address: '127.0.0.1:0', ...(scheme === 'https' && { tls: { certificates } }) } },
      sites: [{ hosts: ['cached.test'], origin: origin.url, cache: {} }, { origin: origin.url }],
    },
    units: {
      status: `export default {
        headerFilter(request, response) {
          const status = request.query.get('status')
          if (status) response.status = Number(status)
        } }`,
      method: `export default {
        rewrite(request) {
          const method = request.query.get('method')
          if (method) request.method = method
        } }`,
      own: `export default { paths: ['/own'], content: () =>
        new Response('own', { headers: { connection: 'close', trailer: 'x', upgrade: 'h2c', date: 'then' } }) }`,
    },
  })

  /** Asks, and then asks for `/next` on the same connection. Returns status, headers and body of the first answer. */
  const ask = async (host: string, method: string, target: string, more = '') => {
    const client = await RawClient.connect(node.url)
    client.send(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`)
    client.send(`GET /own?next HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    const all = await client.readAll()
    const [head = ''] = all.split('\r\n\r\n', 1)
    const status = Number(head.slice(9, 12))
    const length = /^content-length: (\d+)$/m.exec(head)?.[1]
    const isChunked = /^transfer-encoding: chunked$/m.test(head)
    let end = head.length + 4
    if (method === 'HEAD' || status === 204 || status === 304) {
      if (status === 204) assert.equal(length ?? isChunked, false, `${target}: a length on 204`)
    } else if (isChunked) end = all.indexOf('0\r\n\r\n', end) + 5
    else end += Number(length ?? assert.fail(`${target}: nothing says where the body ends:\n${head}`))
    const next = all.slice(end)
    assert.match(next, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nown$/, `${host} ${method} ${target}: ${all}`)
    assert.equal(next.match(/HTTP\/1\.1/g)?.length, 1)
    return { status, head, body: all.slice(head.length + 4, end) }
  }

  for (const host of ['plain.test', 'cached.test']) {
    for (const path of ['/plain', '/kept/a', '/chunks', '/204', '/304', '/own']) {
      for (const status of [200, 203, 204, 304, 404]) {
        // Twice: the second one may come from the cache.
        for (const method of ['GET', 'GET', 'HEAD']) {
          const answer = await ask(host, method, `${path}?status=${status}`)
          assert.equal(answer.status, status)
        }
      }
    }
    for (const [method, other] of [
      ['GET', 'HEAD'],
      ['HEAD', 'GET'],
      ['GET', 'POST'],
    ] as const) {
      for (const path of ['/plain', '/kept/b', '/kept/b', '/chunks'])
        await ask(host, method, `${path}?method=${other}`)
    }
    const condition = 'If-None-Match: "1"\r\n'
    await ask(host, 'GET', '/kept/c?status=200', condition)
    const turned = await ask(host, 'GET', '/kept/c?status=200', condition)
    assert.equal(turned.status, 200)
  }

  const { head } = await ask('plain.test', 'GET', '/own')
  assert.doesNotMatch(head, /^(?:connection|trailer|upgrade):/m)
  assert.deepEqual(head.match(/^date: \w{3},/gm)?.length, 1, head)
}
