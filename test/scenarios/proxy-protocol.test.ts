/** The PROXY protocol before connections: plain and before TLS, believed and refused. */
import assert from 'node:assert/strict'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { test } from 'node:test'
import { certificateMaker } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
const V1 = 'PROXY TCP4 203.0.113.7 198.51.100.2 4660 443\r\n'

/** Version 2, with a field that is skipped. */
const V2 = Buffer.from(
  '\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x29' +
    '\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09' +
    '\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01' +
    '\x12\x34\x00\x50' +
    '\x01\x00\x02h2',
  'latin1',
)
const LOCAL = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00', 'latin1')

const open = (url: string, localAddress = '127.0.0.1'): Socket => {
  const { hostname, port } = new URL(url)
  return connectTcp({ host: hostname, port: Number(port), localAddress })
}

const readAll = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = ''
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece))
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })

/** What the origin saw: `x-forwarded-for port`. */
async function seenOver(
  url: string,
  header: Buffer | string,
  localAddress?: string,
  more = '',
): Promise<string> {
  const socket = open(url, localAddress)
  socket.write(header)
  socket.write(REQUEST.replace('Host: a\r\n', `Host: a\r\n${more}`))
  const answer = await readAll(socket)
  return answer.slice(answer.indexOf('\r\n\r\n') + 4)
}

test('connections that a proxy announces', async (t) => {
  const { cert, key } = certificateMaker(t).make('site', ['a'])
  const origin = await startOrigin(t, (request, response) => {
    const { headers } = request
    const told = [headers['x-forwarded-for'], headers['x-forwarded-port'], headers['x-forwarded-proto']].join(
      ' ',
    )
    response.setHeader('content-length', told.length).end(told)
  })
  const node = await startNode(t, {
    config: {
      edge: {
        listen: [
          { address: '127.0.0.1:0', proxyProtocol: true },
          { address: '127.0.0.1:0', proxyProtocol: true, tls: { certificates: [{ cert, key }] } },
        ],
        trustedProxies: ['127.0.0.1', '203.0.113.7'],
        limits: { head: '6s' },
      },
      sites: [{ origin: origin.url }],
    },
    units: {
      tell: `export default { paths: ['/unit'], content: (request, edge) => Response.json(edge.client) }`,
    },
  })
  const [plain, tls] = node.urls as [string, string]

  await t.test('both versions name the client, in one piece or byte by byte', async () => {
    assert.equal(await seenOver(plain, V1), '203.0.113.7 443 http')
    assert.equal(await seenOver(plain, V2), '2001:db8::9 80 http')
    const socket = open(plain)
    socket.setNoDelay(true)
    const answer = readAll(socket)
    for (const byte of Buffer.concat([V2, Buffer.from(REQUEST)])) {
      await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve))
    }
    assert.match(await answer, /\r\n\r\n2001:db8::9 80 http$/)
  })

  await t.test('the proxy that checks by itself is itself', async () => {
    assert.equal(await seenOver(plain, LOCAL), `127.0.0.1 ${new URL(plain).port} http`)
    assert.equal(await seenOver(plain, 'PROXY UNKNOWN\r\n'), `127.0.0.1 ${new URL(plain).port} http`)
  })

  await t.test('who was announced is believed about others if it is trusted, and not otherwise', async () => {
    const more = 'X-Forwarded-For: 192.0.2.44\r\n'
    assert.equal(await seenOver(plain, V1, undefined, more), '192.0.2.44, 203.0.113.7 443 http')
    assert.equal(await seenOver(plain, V2, undefined, more), '2001:db8::9 80 http')
  })

  await t.test('units see the client that was announced', async () => {
    const socket = open(plain)
    socket.write(V1 + REQUEST.replace('GET /', 'GET /unit'))
    assert.match(await readAll(socket), /\{"address":"203.0.113.7","port":4660,"scheme":"http"/)
  })

  await t.test('the header comes before TLS', async () => {
    for (const [header, expected] of [
      [V1, '203.0.113.7 443 https'],
      [V2, '2001:db8::9 80 https'],
    ] as const) {
      const socket = open(tls)
      socket.write(header)
      const secure = connectTls({ socket, rejectUnauthorized: false, servername: 'a' })
      secure.write(REQUEST)
      assert.match(await readAll(secure), new RegExp(`\r\n\r\n${expected}$`))
    }
    const bare = connectTls({ socket: open(tls), rejectUnauthorized: false, servername: 'a' })
    bare.write(REQUEST)
    assert.equal(await readAll(bare), '')
  })

  await t.test('strangers, malformed headers and late ones get nothing', async () => {
    assert.equal(await seenOver(plain, V1, '127.0.0.2'), '')
    for (const header of ['', 'PROXY TCP4 1.2.3.4\r\n', 'PROXY TCP4 203.0.113.7 198.51.100.2 4660 99999\r\n'])
      assert.equal(await seenOver(plain, header), '', header)
    const endless = open(plain)
    endless.on('error', () => {})
    const pour = setInterval(() => endless.write(`PROXY UNKNOWN ${'x'.repeat(4096)}`), 1)
    assert.equal(await readAll(endless), '')
    clearInterval(pour)
    const huge = open(plain)
    huge.write(Buffer.concat([LOCAL.subarray(0, 12), Buffer.from([0x21, 0x11, 0xff, 0xff])]))
    assert.equal(await readAll(huge), '')
    const late = open(plain)
    late.write('PROXY TCP4 ')
    const silent = open(plain)
    assert.deepEqual(await Promise.all([readAll(late), readAll(silent)]), ['', ''])
    await eventually(async () => {
      const { text } = await node.api('GET', '/metrics')
      const count = (reason: string) =>
        Number(new RegExp(`proxy_header_refused_total{reason="${reason}"} (\\d+)`).exec(text)?.[1])
      return count('untrusted') === 1 && count('malformed') >= 5 && count('timeout') === 2
    })
    assert.equal(await seenOver(plain, V1), '203.0.113.7 443 http')
  })
})
