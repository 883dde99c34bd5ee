/** HTTP/2 from those who mean harm: raw frames, floods, malformed requests, and clients that do not read. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import {
  ERROR,
  FLAG,
  FRAME,
  frameHead,
  headersFrames,
  PREFACE,
  rstStreamFrame,
  settingsFrame,
  windowUpdateFrame,
  word,
} from '../../src/wire/http2/frames.ts'
import { eventually } from '../harness/eventually.ts'
import { block, FrameClient } from '../harness/frame-client.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const GET = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a.test'] as const

async function start(t: TestContext, limits = {}): Promise<TestNode> {
  const origin = await startOrigin(t, (_request, response) =>
    response.setHeader('cache-control', 'max-age=3600').end(Buffer.alloc(900_000, 'x')),
  )
  return startNode(t, {
    config: {
      edge: { limits: { ...PATIENT, ...limits }, listen: { address: '127.0.0.1:0', h2c: true } },
      sites: [{ origin: origin.url, cache: {} }],
    },
    units: {
      hello: `export default { paths: ['/', '/slow'], limits: { cpuMs: 1000, wallMs: 60000 }, async content(request) {
        if (request.path === '/slow') await new Promise((resolve) => setTimeout(resolve, 900))
        return new Response('hi ' + await request.text()) } }`,
    },
  })
}

const open = (t: TestContext, node: TestNode, settings = settingsFrame([])): FrameClient =>
  new FrameClient(t, node.url, PREFACE + settings)

test('malformed requests are refused with 400 and a reset, one by one, and the connection lives', async (t) => {
  const node = await start(t)
  const cases: [name: string, fields: string[]][] = [
    ['no method', [':scheme', 'http', ':path', '/', ':authority', 'a.test']],
    ['no path', [':method', 'GET', ':scheme', 'http', ':authority', 'a.test']],
    ['empty path', [':method', 'GET', ':scheme', 'http', ':path', '', ':authority', 'a.test']],
    ['no scheme', [':method', 'GET', ':path', '/', ':authority', 'a.test']],
    ['no authority', [':method', 'GET', ':scheme', 'http', ':path', '/']],
    ['two paths', [...GET, ':path', '/x']],
    ['unknown pseudo', [...GET, ':version', '2']],
    ['response pseudo', [...GET, ':status', '200']],
    [
      'pseudo after field',
      [':method', 'GET', 'a', 'b', ':scheme', 'http', ':path', '/', ':authority', 'a.test'],
    ],
    ['pseudo after te', ['te', 'trailers', ...GET]],
    ['upper case', [...GET, 'X-A', 'b']],
    ['space in name', [...GET, 'x a', 'b']],
    ['empty name', [...GET, '', 'b']],
    ['line break in value', [...GET, 'x-a', 'b\r\nx-b: c']],
    ['NUL in value', [...GET, 'x-a', 'b\0c']],
    ['space around value', [...GET, 'x-a', ' b']],
    ['connection', [...GET, 'connection', 'close']],
    ['transfer-encoding', [...GET, 'transfer-encoding', 'chunked']],
    ['keep-alive', [...GET, 'keep-alive', '1']],
    ['upgrade', [...GET, 'upgrade', 'websocket']],
    ['proxy-connection', [...GET, 'proxy-connection', 'x']],
    ['te', [...GET, 'te', 'gzip']],
    ['host that differs', [...GET, 'host', 'b.test']],
    ['two hosts', [...GET, 'host', 'a.test', 'host', 'a.test']],
    ['bad authority', [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a@b']],
    ['path with a space', [':method', 'GET', ':scheme', 'http', ':path', '/a b', ':authority', 'a.test']],
    [
      'path that is no path',
      [':method', 'GET', ':scheme', 'http', ':path', 'http://x/', ':authority', 'a.test'],
    ],
    [
      'path with a line break',
      [':method', 'GET', ':scheme', 'http', ':path', '/a\r\nx: y', ':authority', 'a.test'],
    ],
    ['method in lower case', [':method', 'get', ':scheme', 'http', ':path', '/', ':authority', 'a.test']],
    ['length without a body', [...GET, 'content-length', '5']],
    ['length that is no number', [...GET, 'content-length', '+0']],
    ['two lengths', [...GET, 'content-length', '0', 'content-length', '0']],
    ['impostor', [...GET, 'content_length', '0']],
  ]
  const client = open(t, node)
  let stream = 1
  for (const [name, fields] of cases) {
    client.send(headersFrames(block(...fields), stream, true))
    assert.equal(await client.status(stream), '400', name)
    assert.equal(await client.reset(stream), ERROR.protocol, name)
    stream += 2
  }
  client.send(headersFrames(block(':method', 'CONNECT', ':authority', 'a.test:443'), stream, true))
  assert.match(await client.status(stream), /^(?:400|501)$/)
  stream += 2
  client.send(headersFrames(block(...GET, 'x-large', 'x'.repeat(40_000)), stream, true))
  assert.equal(await client.status(stream), '431')
  stream += 2
  client.send(headersFrames(block(...GET), stream, true))
  assert.equal(await client.status(stream), '200')
})

test('bodies that disagree with their length, and trailers that are malformed, reach nobody', async (t) => {
  const node = await start(t)
  const client = open(t, node)
  const POST = [
    ':method',
    'POST',
    ':scheme',
    'http',
    ':path',
    '/',
    ':authority',
    'a.test',
    'content-length',
    '4',
  ] as const
  client.send(headersFrames(block(...POST), 1, false) + frameHead(5, FRAME.data, FLAG.endStream, 1) + 'abcde')
  assert.equal(await client.reset(1), ERROR.protocol)
  client.send(headersFrames(block(...POST), 3, false) + frameHead(3, FRAME.data, FLAG.endStream, 3) + 'abc')
  assert.equal(await client.reset(3), ERROR.protocol)
  client.send(headersFrames(block(...POST), 5, false) + headersFrames(block(':path', '/x'), 5, true))
  assert.equal(await client.reset(5), ERROR.protocol)
  client.send(headersFrames(block(...POST), 7, false) + headersFrames(block('x-a', 'b'), 7, false))
  assert.equal(await client.reset(7), ERROR.protocol)
  client.send(headersFrames(block(...POST), 9, false) + frameHead(4, FRAME.data, FLAG.endStream, 9) + 'abcd')
  assert.equal(await client.status(9), '200')
  // A body of no bytes that ends by a frame of its own.
  const empty = block(...POST.slice(0, -1), '0')
  client.send(headersFrames(empty, 11, false) + frameHead(0, FRAME.data, FLAG.endStream, 11))
  assert.equal(await client.status(11), '200')
})

test('frames that break the protocol end the connection with the right word', async (t) => {
  const node = await start(t)
  const request = headersFrames(block(...GET), 1, true)
  const cases: [name: string, text: string, code: number][] = [
    ['DATA without a stream', frameHead(1, FRAME.data, 0, 0) + 'x', ERROR.protocol],
    ['DATA on an idle stream', frameHead(1, FRAME.data, 0, 5) + 'x', ERROR.protocol],
    ['HEADERS on an even stream', headersFrames(block(...GET), 2, true), ERROR.protocol],
    ['HEADERS on an older stream', headersFrames(block(...GET), 5, true) + request, ERROR.protocol],
    [
      'a frame inside a head',
      frameHead(1, FRAME.headers, 0, 1) + '\x82' + frameHead(8, FRAME.ping, 0, 0) + '12345678',
      ERROR.protocol,
    ],
    ['CONTINUATION of nothing', frameHead(0, FRAME.continuation, 4, 1), ERROR.protocol],
    ['a frame too large', frameHead(16_385, FRAME.data, 0, 1), ERROR.frameSize],
    ['PING of 7 bytes', frameHead(7, FRAME.ping, 0, 0) + '1234567', ERROR.frameSize],
    ['SETTINGS on a stream', frameHead(0, FRAME.settings, 0, 1), ERROR.protocol],
    ['SETTINGS of 5 bytes', frameHead(5, FRAME.settings, 0, 0) + '12345', ERROR.frameSize],
    ['a window of 2^31', settingsFrame([4, 2 ** 31]), ERROR.flowControl],
    ['a frame size too small', settingsFrame([5, 100]), ERROR.protocol],
    ['WINDOW_UPDATE of 0', windowUpdateFrame(0, 0), ERROR.protocol],
    ['a window that overflows', windowUpdateFrame(0, 2 ** 31 - 1), ERROR.flowControl],
    ['RST_STREAM of an idle stream', rstStreamFrame(3, 8), ERROR.protocol],
    ['PUSH_PROMISE', frameHead(4, FRAME.pushPromise, 4, 1) + word(2), ERROR.protocol],
    ['a block that is no HPACK', frameHead(1, FRAME.headers, 5, 1) + '\xff', ERROR.compression],
    ['an index beyond the table', frameHead(1, FRAME.headers, 5, 1) + '\xfe', ERROR.compression],
    [
      'padding longer than the frame',
      headersFrames(block(...GET), 1, false) + frameHead(2, FRAME.data, 8, 1) + '\x05x',
      ERROR.protocol,
    ],
  ]
  for (const [name, text, code] of cases) {
    const client = open(t, node)
    client.send(text)
    assert.equal(await client.goaway(), code, name)
    await eventually(() => client.isClosed, { what: `${name}: the connection was closed` })
  }
  const other = connect(Number(new URL(node.url).port), '127.0.0.1')
  other.end('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')
  await new Promise((resolve) => other.on('close', resolve).resume())
  assert.equal((await node.request('/')).text, 'hi ')
})

test('floods end with ENHANCE_YOUR_CALM, and others are served', async (t) => {
  const node = await start(t)
  const piece = (make: (n: number) => string) => Array.from({ length: 3000 }, (_, n) => make(n)).join('')
  const floods: [name: string, text: string][] = [
    [
      'rapid reset',
      piece((n) => headersFrames(block(...GET), n * 2 + 1, true) + rstStreamFrame(n * 2 + 1, 8)),
    ],
    ['pings', piece(() => `${frameHead(8, FRAME.ping, 0, 0)}12345678`)],
    ['settings', piece(() => settingsFrame([4, 1000]))],
    ['priorities', piece((n) => `${frameHead(5, FRAME.priority, 0, n * 2 + 1)}\0\0\0\0\0`)],
    ['empty data', headersFrames(block(...GET), 1, false) + piece(() => frameHead(0, FRAME.data, 0, 1))],
    [
      'continuations',
      frameHead(1, FRAME.headers, 0, 1) + '\x82' + piece(() => frameHead(0, FRAME.continuation, 0, 1)),
    ],
    [
      'long continuations',
      frameHead(1, FRAME.headers, 0, 1) +
        '\x82' +
        piece(() => frameHead(10_000, FRAME.continuation, 0, 1) + '\x82'.repeat(10_000)).slice(0, 1e6),
    ],
    ['malformed requests', piece((n) => headersFrames(block('x', 'y'), n * 2 + 1, true))],
    ['unknown frames', piece(() => frameHead(0, 99, 0, 0))],
  ]
  for (const [name, text] of floods) {
    const client = open(t, node)
    client.send(text)
    assert.equal(await client.goaway(), ERROR.enhanceYourCalm, name)
    assert.equal((await node.request('/')).text, 'hi ')
  }
  assert.match(
    (await node.api('GET', '/metrics')).text,
    /orla_http2_connection_errors_total\{reason="enhance-your-calm"\} 9/,
  )
})

test('a small block that unfolds to a large list is read, refused and forgotten', async (t) => {
  const node = await start(t)
  const client = open(t, node)
  // One entry of 4000 bytes in the table, then named ten thousand times.
  const bomb = `${block(...GET)}\x40\x01a\x7f\xa1\x1e${'b'.repeat(4000)}${'\xbe'.repeat(8000)}`
  client.send(headersFrames(bomb, 1, true))
  assert.equal(await client.status(1), '431')
  client.send(headersFrames(block(...GET), 3, true))
  assert.equal(await client.status(3), '200')
})

test('more streams than allowed are refused, and can be asked for again', async (t) => {
  const node = await start(t, { streams: 5 })
  const client = open(t, node)
  const SLOW = [':method', 'GET', ':scheme', 'http', ':path', '/slow', ':authority', 'a.test'] as const
  // In one piece: the first could have ended before the last one leaves.
  client.send([1, 3, 5, 7, 9, 11].map((stream) => headersFrames(block(...SLOW), stream, true)).join(''))
  assert.equal(await client.reset(11), ERROR.refusedStream)
  for (let stream = 1; stream <= 9; stream += 2) assert.equal(await client.status(stream), '200')
  client.send(headersFrames(block(...SLOW), 13, true))
  assert.equal(await client.status(13), '200')
})

test('a client that gives no window, or does not read, is let go in time and holds little', async (t) => {
  const node = await start(t, { body: '1s' })
  const LARGE = [':method', 'GET', ':scheme', 'http', ':path', '/large', ':authority', 'a.test'] as const
  const closed = open(t, node, settingsFrame([4, 0]))
  closed.send(headersFrames(block(...LARGE), 1, true))
  assert.equal(await closed.status(1), '200')
  assert.equal(await closed.reset(1), ERROR.cancel)

  // What does not fit into the kernel's buffers waits, and ends: every stream is reset, or the connection is.
  const deaf = open(t, node, settingsFrame([4, 2 ** 30]) + windowUpdateFrame(0, 2 ** 30))
  deaf.socket.pause()
  for (let stream = 1; stream < 60; stream += 2) deaf.send(headersFrames(block(...LARGE), stream, true))
  const resets = async () => {
    const { text } = await node.api('GET', '/metrics')
    return Number(/orla_http2_resets_total\{by="edge",reason="cancel"\} (\d+)/.exec(text)?.[1] ?? 0)
  }
  await eventually(async () => (await resets()) > 10, {
    what: 'the streams of a client that does not read were reset',
  })
  assert.equal((await node.request('/')).text, 'hi ')
})

test('a head that does not end, and a body that does not come, have their time', async (t) => {
  const node = await start(t, { head: '500ms', body: '500ms', idle: '2s' })
  // A connection is let go without a word where it has said nothing for too long. Where the machine stands still before what it sent
  // is read, that is so of each: then it is asked again.
  const answerTo = (send: string, type: number, stream: number) =>
    eventually(async () => {
      const client = open(t, node)
      client.send(send)
      await eventually(() => client.isClosed || client.of(type, stream).length > 0)
      return client.of(type, stream).length > 0 && client
    })
  const half = open(t, node)
  half.send(`${frameHead(1, FRAME.headers, 0, 1)}\x82`)
  await eventually(() => half.isClosed)
  const post = block(':method', 'POST', ':scheme', 'http', ':path', '/', ':authority', 'a.test')
  const slow = await answerTo(headersFrames(post, 1, false), FRAME.headers, 1)
  assert.equal(await slow.status(1), '408')
  const idle = await answerTo('', FRAME.goaway, 0)
  assert.equal(await idle.goaway(), ERROR.none)
})
