/** WebSockets and other upgrades through the edge: opened, relayed, refused, ended. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startRawOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'
import {
  closing,
  nextMessage,
  openWebSocket,
  startWebSocketOrigin,
  WEBSOCKET_FIELDS,
} from '../harness/websocket.ts'

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

async function metric(node: TestNode, name: string): Promise<number> {
  const text = (await node.api('GET', '/metrics')).text
  const found = new RegExp(`^${name.replaceAll(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)
  return Number(found?.[1] ?? Number.NaN)
}

test('WebSockets through the edge', async (t) => {
  const origin = await startWebSocketOrigin(t, undefined, (request, response) => {
    response.setHeader('x-saw', String(request.headers.upgrade))
    response.end(request.url)
  })
  const node = await startNode(t, {
    config: {
      edge: { debugToken: 'debug' },
      sites: [
        { origin: origin.url, cache: {} },
        { hosts: ['off.example'], origin: origin.url, upgrades: false },
      ],
    },
    units: {
      guard: `export default {
        paths: ['/guarded', '/moved'],
        rewrite(request) { if (request.path === '/moved') request.path = '/elsewhere' },
        access(request, response) {
          if (request.path === '/guarded' && request.query.get('token') !== 'secret') return new Response('no', { status: 403 })
          response.headers.set('x-staged', 'yes')
        },
        log: (request, response, edge) => edge.log('over', request.path, response.status),
      }`,
      filter: `export default {
        paths: ['/filtered', '/vetoed'],
        headerFilter(request, response) {
          response.headers.set('x-filter', String(response.status))
          if (request.path === '/vetoed') response.status = 410
        },
      }`,
      instead: `export default { paths: ['/instead'], content: () => new Response('no socket here') }`,
    },
  })

  await t.test('messages of any size go both ways, and are counted', async () => {
    const socket = await openWebSocket(t, `${node.url}/chat?room=1`)
    assert.equal(origin.requests.at(-1)!.url, '/chat?room=1')
    assert.equal(origin.requests.at(-1)!.headers['x-forwarded-for'], '127.0.0.1')
    socket.send('hello')
    assert.equal(await nextMessage(socket), 'hello')
    const big = Buffer.from(Array.from({ length: 5_000_000 }, (_, i) => (i * 31) % 251))
    socket.send(big)
    const hash = await new Promise((resolve) =>
      socket.once('message', (data: Buffer) => resolve(createHash('sha1').update(data).digest('hex'))),
    )
    assert.equal(hash, createHash('sha1').update(big).digest('hex'))
    assert.equal(await metric(node, 'orla_http_upgrades'), 1)
    for (const direction of ['in', 'out'])
      assert.ok((await metric(node, `orla_http_upgraded_bytes_total{direction="${direction}"}`)) > 5_000_000)
    socket.close(1000, 'done')
    assert.deepEqual(await closing(socket), { code: 1000, reason: 'done' })
    await eventually(async () => (await metric(node, 'orla_http_upgrades')) === 0)
  })

  await t.test('subprotocols are negotiated with the origin', async () => {
    const socket = await openWebSocket(t, `${node.url}/`, { protocols: ['chat.v2', 'chat.v1'] })
    assert.equal(socket.protocol, 'chat.v2')
    socket.terminate()
  })

  await t.test('a close by the origin reaches the client with its code', async () => {
    const socket = await openWebSocket(t, `${node.url}/`)
    const closed = closing(socket)
    for (const client of origin.server.clients) client.close(4001, 'bye')
    assert.deepEqual(await closed, { code: 4001, reason: 'bye' })
  })

  await t.test('units refuse before the origin is asked, and what they stage is in the 101', async () => {
    const before = origin.requests.length
    await assert.rejects(openWebSocket(t, `${node.url}/guarded`), /403/)
    assert.equal(origin.requests.length, before)
    const client = await RawClient.connect(node.url)
    client.send(`GET /guarded?token=secret HTTP/1.1\r\nHost: a\r\n${WEBSOCKET_FIELDS}\r\n`)
    assert.match(
      await client.readUntil('\r\n\r\n'),
      /^HTTP\/1.1 101 Switching Protocols\r\n[^]*x-staged: yes\r\n/,
    )
    client.close()
    const moved = await openWebSocket(t, `${node.url}/moved`)
    assert.equal(origin.requests.at(-1)!.url, '/elsewhere')
    moved.terminate()
  })

  await t.test('headerFilter sees the 101, and may refuse', async () => {
    const client = await RawClient.connect(node.url)
    client.send(`GET /filtered HTTP/1.1\r\nHost: a\r\n${WEBSOCKET_FIELDS}\r\n`)
    assert.match(await client.readUntil('\r\n\r\n'), /^HTTP\/1.1 101 [^]*x-filter: 101\r\n/)
    client.close()
    await assert.rejects(openWebSocket(t, `${node.url}/vetoed`), /410/)
  })

  await t.test('a unit that answers by itself is not asked about protocols', async () => {
    await assert.rejects(openWebSocket(t, `${node.url}/instead`), /200/)
  })

  await t.test('what is no request for a WebSocket is refused in words, and h2c is passed over', async () => {
    const ask = async (fields: string) => {
      const client = await RawClient.connect(node.url)
      client.send(`GET /x HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)
      const answer = await client.readResponse()
      client.close()
      return answer
    }
    assert.match(
      await ask('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'),
      /^HTTP\/1.1 400 [^]*Sec-WebSocket-Key/,
    )
    const old = await ask(WEBSOCKET_FIELDS.replace('Version: 13', 'Version: 7'))
    assert.match(old, /^HTTP\/1.1 426 [^]*upgrade: websocket\r\n[^]*sec-websocket-version: 13\r\n/)
    const h2c = await ask(
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n',
    )
    assert.match(h2c, /^HTTP\/1.1 200 [^]*x-saw: undefined\r\n/)
    const nominating = await RawClient.connect(node.url)
    const fields = WEBSOCKET_FIELDS.replace('Upgrade\r\n', 'Upgrade, X-Dropped\r\n')
    nominating.send(`GET /x HTTP/1.1\r\nHost: a\r\nX-Dropped: 1\r\n${fields}\r\n`)
    assert.match(await nominating.readUntil('\r\n\r\n'), /^HTTP\/1.1 101 /)
    nominating.close()
    assert.equal(origin.requests.at(-1)!.headers['x-dropped'], undefined)
  })

  await t.test('a site that does not upgrade answers as ever', async () => {
    const client = await RawClient.connect(node.url)
    client.send(`GET /x HTTP/1.1\r\nHost: off.example\r\n${WEBSOCKET_FIELDS}\r\n`)
    assert.match(await client.readResponse(), /^HTTP\/1.1 200 /)
    client.close()
  })
})

test('an origin that does not switch is heard, and one that switches to something else is not', async (t) => {
  const answers: Record<string, string> = {
    '/denied':
      'HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nWWW-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nwho',
    '/ok': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi',
    '/other': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    '/unsaid': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n',
    '/unasked': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    '/early':
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst bytes',
    '/gone': '',
  }
  const origin = await startRawOrigin(t, (socket) => {
    socket.once('data', (bytes) => {
      const answer = answers[String(bytes).split(' ')[1]!]!
      if (answer === '') socket.destroy()
      else socket.write(answer)
      socket.on('data', (more) => socket.write(`<${String(more)}>`))
    })
  })
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
  const ask = async (path: string, fields = WEBSOCKET_FIELDS) => {
    const client = await RawClient.connect(node.url)
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)
    return client
  }
  const answerTo = async (path: string, fields?: string) => (await ask(path, fields)).readResponse()

  assert.match(await answerTo('/denied'), /^HTTP\/1.1 401 [^]*www-authenticate: Basic\r\n[^]*who$/)
  assert.match(await answerTo('/ok'), /^HTTP\/1.1 200 [^]*hi$/)
  assert.match(await answerTo('/other'), /^HTTP\/1.1 502 /)
  assert.match(await answerTo('/unsaid'), /^HTTP\/1.1 502 /)
  assert.match(await answerTo('/unasked', ''), /^HTTP\/1.1 502 /)
  assert.match(await answerTo('/gone'), /^HTTP\/1.1 502 /)

  const client = await ask('/early')
  assert.match(
    await client.readUntil('first bytes'),
    /^HTTP\/1.1 101 [^]*connection: upgrade\r\nupgrade: websocket\r\n\r\nfirst bytes$/,
  )
  client.send('GET /not-a-request HTTP/1.1\r\n\r\n')
  assert.equal(await client.readUntil('>'), '<GET /not-a-request HTTP/1.1\r\n\r\n>')
  client.close()
})

test('bytes that a client sends before the switch reach the origin after it', async (t) => {
  let received = ''
  const origin = await startRawOrigin(t, (socket) => {
    socket.on('data', (bytes) => {
      received += String(bytes)
      if (received.endsWith('go'))
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
      else if (received.endsWith('\r\n\r\n'))
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
      else if (received.endsWith('early')) socket.end('late')
    })
  })
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
  const client = await RawClient.connect(node.url)
  client.send('GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly')
  assert.match(await client.readAll(), /^HTTP\/1.1 101 [^]*\r\n\r\nlate$/)
  assert.match(received, /\r\nupgrade: tcp\r\n\r\nearly$/)
})

test('the access log tells a WebSocket that ended in order from one that broke, on either side', async (t) => {
  const sockets: Socket[] = []
  const origin = await startRawOrigin(t, (socket) => {
    sockets.push(socket)
    socket.once('data', () => socket.write(SWITCH))
  })
  const node = await startNode(t, {
    config: {
      edge: {
        accessLog: { path: 'access.log', fields: ['path', 'status', 'aborted'] },
        limits: { upgradeIdle: '10m' },
      },
      sites: [{ origin: origin.url }],
    },
  })
  const open = async (path: string) => {
    const client = await RawClient.connect(node.url)
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n${WEBSOCKET_FIELDS}\r\n`)
    await client.readUntil('\r\n\r\n')
    return { client, server: sockets.at(-1)! }
  }
  const byOrigin = await open('/origin-ends')
  byOrigin.server.end()
  const byClient = await open('/client-ends')
  byClient.server.on('end', () => byClient.server.end())
  byClient.client.socket.end()
  const originBroke = await open('/origin-breaks')
  originBroke.server.resetAndDestroy()
  const clientBroke = await open('/client-breaks')
  clientBroke.client.socket.resetAndDestroy()
  const lines = await eventually(async () => {
    const text = await readFile(join(node.folder, 'access.log'), 'utf8')
    const all = text.split('\n').filter((line) => line !== '')
    return all.length === 4 && all.map((line) => JSON.parse(line) as { path: string; aborted?: boolean })
  })
  assert.deepEqual(lines.map(({ path, aborted }) => `${path} ${aborted ?? false}`).toSorted(), [
    '/client-breaks true',
    '/client-ends false',
    '/origin-breaks true',
    '/origin-ends false',
  ])
  for (const { client } of [byOrigin, originBroke]) await client.readAll()
})
