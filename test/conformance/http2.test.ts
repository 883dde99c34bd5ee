/**
 * RFC 9113, case by case as h2spec asks them, of a running node: by prior knowledge and over TLS.
 *
 * A case sends frames and says what has to come of it: the connection ends with an error, a stream is reset, or the request is answered.
 * Where the RFC speaks of a stream error, ending the connection with the same code is right too (§5.4), and `stream` takes both.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ERROR,
  FLAG,
  FRAME,
  frameHead,
  headersFrames,
  PREFACE,
  rstStreamFrame,
  SETTING,
  settingsFrame,
  windowUpdateFrame,
  word,
} from '../../src/wire/http2/frames.ts'
import { certificateMaker } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { block, FrameClient, request } from '../harness/frame-client.ts'
import { PATIENT, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

type Expected =
  | { readonly connection: number }
  | { readonly stream: number }
  | { readonly status: string }
  /** The connection lives: it answers PING. */
  | 'ignored'

interface Case {
  readonly section: string
  readonly name: string
  readonly send: string
  readonly expected: Expected
}

const GET = block(...request('GET'))
const get = (stream = 1): string => headersFrames(GET, stream, true)
const post = (stream = 1): string => headersFrames(block(...request('POST', '/echo')), stream, false)
const frame = (type: number, flags: number, stream: number, payload = ''): string =>
  frameHead(payload.length, type, flags, stream) + payload
const data = (stream: number, payload: string, flags = 0): string => frame(FRAME.data, flags, stream, payload)
const PING = frame(FRAME.ping, 0, 0, 'orla2345')
const PROTOCOL = { connection: ERROR.protocol }
const FRAME_SIZE = { connection: ERROR.frameSize }
const FLOW_CONTROL = { connection: ERROR.flowControl }
const STREAM_CLOSED = { connection: ERROR.streamClosed }
const COMPRESSION = { connection: ERROR.compression }
const OK = { status: '200' }

const CASES: readonly Case[] = [
  // 3 and 4: what is read at all.
  c('4.1', 'a frame of unknown type', frame(0x16, 0, 0, '12345678') + get(), OK),
  c('4.1', 'unknown flags', frame(FRAME.ping, 0x16, 0, '12345678') + get(), OK),
  c('4.1', 'the reserved bit', reserved(get()), OK),
  c('4.2', 'DATA of 2^14 bytes', post() + data(1, 'x'.repeat(16_384), FLAG.endStream), OK),
  c('4.2', 'DATA larger than allowed', post() + data(1, 'x'.repeat(16_385), FLAG.endStream), FRAME_SIZE),
  c('4.2', 'HEADERS larger than allowed', frame(FRAME.headers, 5, 1, GET.padEnd(16_385, '\x82')), FRAME_SIZE),
  c(
    '4.3',
    'a block that is no HPACK',
    frame(FRAME.headers, 5, 1, '\x00\x85\xf2\xb2\x4a\x84\xff'),
    COMPRESSION,
  ),
  c('4.3', 'PRIORITY inside a block', open() + frame(FRAME.priority, 0, 1, '\0\0\0\0\x10'), PROTOCOL),
  c('4.3', 'HEADERS of another stream inside a block', open() + get(3), PROTOCOL),
  c('4.3', 'CONTINUATION of another stream', open() + frame(FRAME.continuation, 4, 3, ''), PROTOCOL),
  c('4.3', 'an unknown frame inside a block', open() + frame(0x16, 0, 0, 'x'), PROTOCOL),
  // 5.1: states of streams.
  c('5.1', 'idle: DATA', data(1, 'x', FLAG.endStream), PROTOCOL),
  c('5.1', 'idle: RST_STREAM', rstStreamFrame(1, ERROR.cancel), PROTOCOL),
  c('5.1', 'idle: WINDOW_UPDATE', windowUpdateFrame(1, 100), PROTOCOL),
  c('5.1', 'idle: CONTINUATION', frame(FRAME.continuation, 4, 1, GET), PROTOCOL),
  c('5.1', 'idle: PRIORITY', frame(FRAME.priority, 0, 7, '\0\0\0\0\x10') + get(), OK),
  c('5.1', 'half-closed: DATA', slow() + data(1, 'x', FLAG.endStream), { stream: ERROR.streamClosed }),
  c('5.1', 'half-closed: HEADERS', slow() + get(), { stream: ERROR.streamClosed }),
  c('5.1', 'half-closed: CONTINUATION', slow() + frame(FRAME.continuation, 4, 1, GET), PROTOCOL),
  c(
    '5.1',
    'reset by the client: DATA',
    post() + rstStreamFrame(1, ERROR.cancel) + data(1, 'x'),
    STREAM_CLOSED,
  ),
  c('5.1', 'reset by the client: HEADERS', post() + rstStreamFrame(1, ERROR.cancel) + get(), STREAM_CLOSED),
  c('5.1', 'reset by the client: WINDOW_UPDATE', gone() + windowUpdateFrame(1, 1) + PING, 'ignored'),
  c('5.1', 'reset by the client: RST_STREAM', gone() + rstStreamFrame(1, ERROR.cancel) + PING, 'ignored'),
  c('5.1.1', 'an even number', get(2), PROTOCOL),
  c('5.1.1', 'a number smaller than the last', get(5) + get(3), PROTOCOL),
  c('5.1.1', 'WINDOW_UPDATE on a stream of ours', get() + windowUpdateFrame(2, 1), PROTOCOL),
  c('5.3', 'HEADERS that depend on themselves', prioritised(1), { stream: ERROR.protocol }),
  c('5.3', 'HEADERS with a priority', prioritised(0), OK),
  c('5.3', 'PRIORITY that depends on itself', frame(FRAME.priority, 0, 3, '\0\0\0\x03\x10'), PROTOCOL),
  c('5.5', 'SETTINGS that nobody knows', settingsFrame([0xff, 1]) + get(), OK),
  // 6: each frame.
  c('6.1', 'DATA without a stream', data(0, 'x'), PROTOCOL),
  c('6.1', 'padding', post() + data(1, '\x02hi\0\0', FLAG.padded | FLAG.endStream), OK),
  c('6.1', 'nothing but padding', post() + data(1, '\x03\0\0\0', FLAG.padded | FLAG.endStream), OK),
  c('6.1', 'more padding than payload', post() + data(1, '\x05hi', FLAG.padded), PROTOCOL),
  c('6.1', 'padding without its length', post() + data(1, '', FLAG.padded), FRAME_SIZE),
  c('6.2', 'HEADERS without a stream', get(0), PROTOCOL),
  c('6.2', 'HEADERS with too much padding', frame(FRAME.headers, 0xd, 1, `\xff${GET}`), PROTOCOL),
  c('6.2', 'HEADERS too short for a priority', frame(FRAME.headers, 0x25, 1, '\0\0'), FRAME_SIZE),
  c('6.3', 'PRIORITY without a stream', frame(FRAME.priority, 0, 0, '\0\0\0\x01\x10'), PROTOCOL),
  c('6.3', 'PRIORITY of 4 bytes', frame(FRAME.priority, 0, 1, '\0\0\0\0'), FRAME_SIZE),
  c('6.4', 'RST_STREAM without a stream', rstStreamFrame(0, ERROR.cancel), PROTOCOL),
  c('6.4', 'RST_STREAM of 3 bytes', post() + frame(FRAME.rstStream, 0, 1, '\0\0\0'), FRAME_SIZE),
  c('6.5', 'SETTINGS that acknowledge and set', frame(FRAME.settings, FLAG.ack, 0, '\0'), FRAME_SIZE),
  c('6.5', 'SETTINGS on a stream', frame(FRAME.settings, 0, 1, ''), PROTOCOL),
  c('6.5', 'SETTINGS of 3 bytes', frame(FRAME.settings, 0, 0, '\0\x03\0'), FRAME_SIZE),
  c('6.5.2', 'ENABLE_PUSH of 2', settingsFrame([SETTING.enablePush, 2]), PROTOCOL),
  c('6.5.2', 'a window of 2^31', settingsFrame([SETTING.initialWindowSize, 2 ** 31]), FLOW_CONTROL),
  c('6.5.2', 'a frame size below 2^14', settingsFrame([SETTING.maxFrameSize, 16_383]), PROTOCOL),
  c('6.5.2', 'a frame size of 2^24', settingsFrame([SETTING.maxFrameSize, 2 ** 24]), PROTOCOL),
  c('6.6', 'PUSH_PROMISE', get() + frame(FRAME.pushPromise, 4, 1, word(2)), PROTOCOL),
  c('6.7', 'PING', PING, 'ignored'),
  c('6.7', 'PING on a stream', frame(FRAME.ping, 0, 1, '12345678'), PROTOCOL),
  c('6.7', 'PING of 6 bytes', frame(FRAME.ping, 0, 0, '123456'), FRAME_SIZE),
  c('6.8', 'GOAWAY on a stream', frame(FRAME.goaway, 0, 1, word(0) + word(0)), PROTOCOL),
  c('6.8', 'GOAWAY of 4 bytes', frame(FRAME.goaway, 0, 0, word(0)), FRAME_SIZE),
  c('6.9', 'WINDOW_UPDATE of 0', windowUpdateFrame(0, 0), PROTOCOL),
  c('6.9', 'WINDOW_UPDATE of 0 on a stream', slow() + windowUpdateFrame(1, 0), { stream: ERROR.protocol }),
  c('6.9', 'WINDOW_UPDATE of 3 bytes', frame(FRAME.windowUpdate, 0, 0, '\0\0\x01'), FRAME_SIZE),
  c('6.9.1', 'a window that overflows', windowUpdateFrame(0, 2 ** 31 - 1), FLOW_CONTROL),
  c('6.9.1', 'a window of a stream that overflows', slow() + windowUpdateFrame(1, 2 ** 31 - 1), {
    stream: ERROR.flowControl,
  }),
  c('6.9.2', 'an initial size that overflows', overflow(), FLOW_CONTROL),
  c('6.10', 'a block in four pieces', pieces(), OK),
  c('6.10', 'CONTINUATION of nothing', get() + frame(FRAME.continuation, 4, 1, GET), PROTOCOL),
  c('6.10', 'CONTINUATION after one that ended', pieces() + frame(FRAME.continuation, 4, 1, GET), PROTOCOL),
  c('6.10', 'CONTINUATION without a stream', open() + frame(FRAME.continuation, 4, 0, ''), PROTOCOL),
  c('6.10', 'DATA inside a block', open() + data(1, 'x'), PROTOCOL),
  // 8.1: messages. What a head may carry is in test/faults/http2.test.ts.
  c('8.1', 'HEADERS in the middle of a body', post() + headersFrames(block('x', 'y'), 1, false), {
    stream: ERROR.protocol,
  }),
  c('8.1', 'trailers', post() + data(1, 'x') + headersFrames(block('x', 'y'), 1, true), OK),
  c('8.1', 'trailers with a pseudo-header', post() + headersFrames(block(':path', '/'), 1, true), {
    stream: ERROR.protocol,
  }),
  c('8.1', 'trailers with a name in upper case', post() + headersFrames(block('X', 'y'), 1, true), {
    stream: ERROR.protocol,
  }),
  c('8.2.2', 'te: trailers', headersFrames(GET + block('te', 'trailers'), 1, true), OK),
  c('8.2.3', 'cookies in pieces', headersFrames(GET + block('cookie', 'a=1', 'cookie', 'b=2'), 1, true), OK),
  c('8.5', 'CONNECT', headersFrames(block(':method', 'CONNECT', ':authority', 'a.test:1'), 1, true), {
    status: '400',
  }),
  c('RFC 8441', 'an extended CONNECT, which is not offered', extendedConnect(), { stream: ERROR.protocol }),
  // RFC 7541.
  c('2.3.3', 'index 0', frame(FRAME.headers, 5, 1, '\x80'), COMPRESSION),
  c('2.3.3', 'an index beyond the table', frame(FRAME.headers, 5, 1, `${GET}\xfe`), COMPRESSION),
  c('4.2', 'a table size after a field', frame(FRAME.headers, 5, 1, `${GET}\x20`), COMPRESSION),
  c('4.2', 'two table sizes at the beginning', frame(FRAME.headers, 5, 1, `\x20\x3f\xe1\x1f${GET}`), OK),
  c('5.2', 'padding of Huffman of 8 bits', huffman('\x1f\xff'), COMPRESSION),
  c('5.2', 'padding of Huffman by 0', huffman('\x18'), COMPRESSION),
  c('5.2', 'the end of string in Huffman', huffman('\xff\xff\xff\xfc'), COMPRESSION),
  c('6.3', 'a table larger than agreed', frame(FRAME.headers, 5, 1, `\x3f\xe2\x1f${GET}`), COMPRESSION),
]

function c(section: string, name: string, send: string, expected: Expected): Case {
  return { section, name, send, expected }
}

/** A head that has begun. */
function open(): string {
  return frame(FRAME.headers, FLAG.endStream, 1, GET)
}

/** A request whose answer takes a while: its stream is half-closed. */
function slow(): string {
  return headersFrames(block(...request('GET', '/slow')), 1, true)
}

function gone(): string {
  return slow() + rstStreamFrame(1, ERROR.cancel)
}

function reserved(frames: string): string {
  return frames.slice(0, 5) + String.fromCharCode(frames.charCodeAt(5) | 0x80) + frames.slice(6)
}

function prioritised(dependency: number): string {
  return frame(FRAME.headers, 0x25, 1, `${word(dependency)}\x10${GET}`)
}

function overflow(): string {
  return (
    slow() + windowUpdateFrame(1, 2 ** 31 - 1 - 65_535) + settingsFrame([SETTING.initialWindowSize, 65_536])
  )
}

function pieces(): string {
  const [a, b, d, e] = [GET.slice(0, 1), GET.slice(1, 2), GET.slice(2, 4), GET.slice(4)]
  return (
    frame(FRAME.headers, FLAG.endStream, 1, a) +
    frame(FRAME.continuation, 0, 1, b) +
    frame(FRAME.continuation, 0, 1, d) +
    frame(FRAME.continuation, FLAG.endHeaders, 1, e)
  )
}

function extendedConnect(): string {
  return headersFrames(block(...request('CONNECT'), ':protocol', 'websocket'), 1, false)
}

/** A request with a field whose value is these bytes of Huffman. */
function huffman(bytes: string): string {
  const length = String.fromCharCode(0x80 | bytes.length)
  return frame(FRAME.headers, 5, 1, `${GET}\0\x01x${length}${bytes}`)
}

async function check(client: FrameClient, { send, expected }: Case, name: string): Promise<void> {
  client.send(send)
  if (expected === 'ignored') {
    await eventually(() => client.of(FRAME.ping).some(({ flags }) => flags === FLAG.ack), {
      what: `${name}: PING was answered`,
    })
  } else if ('connection' in expected) {
    assert.equal(await client.goaway(), expected.connection, name)
    await client.closed(name)
  } else if ('stream' in expected) {
    const isEnded = () => client.of(FRAME.rstStream, 1).length + client.of(FRAME.goaway).length > 0
    await eventually(isEnded, { what: `${name}: a reset came` })
    const [reset] = client.of(FRAME.rstStream, 1)
    assert.equal(reset ? reset.payload.readUInt32BE(0) : await client.goaway(), expected.stream, name)
  } else {
    const status = await client.status(1)
    // CONNECT may be refused by either.
    if (expected.status === '400') assert.match(status, /^(?:400|501)$/, name)
    else assert.equal(status, expected.status, name)
  }
}

test('RFC 9113 and RFC 7541, by prior knowledge and over TLS', async (t) => {
  const certificates = certificateMaker(t)
  const seen: string[] = []
  const origin = await startOrigin(t, (incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`)
    // Long enough for the next frame, which comes in the same write.
    if (incoming.url === '/slow') setTimeout(() => response.end('slow'), 1000)
    else incoming.pipe(response)
  })
  const node = await startNode(t, {
    config: {
      edge: {
        limits: PATIENT,
        listen: [
          { address: '127.0.0.1:0', h2c: true },
          { address: '127.0.0.1:0', tls: { certificates: [certificates.make('a', ['a.test'])] } },
        ],
      },
      sites: [{ origin: origin.url }],
    },
  })
  for (const url of node.urls) {
    const scheme = url.slice(0, url.indexOf(':'))
    for (const one of CASES) {
      await t.test(`${scheme}: ${one.section} ${one.name}`, async (t) => {
        await check(new FrameClient(t, url), one, one.name)
      })
    }

    await t.test(`${scheme}: 3.4 what does not begin with the preface is closed`, async (t) => {
      await new FrameClient(t, url, 'INVALID CONNECTION PREFACE\r\n\r\n').closed('no preface')
    })
    await t.test(`${scheme}: 3.4 the first frame is SETTINGS`, async (t) => {
      const client = new FrameClient(t, url, PREFACE + get())
      assert.equal(await client.goaway(), ERROR.protocol)
    })
    await t.test(`${scheme}: 6.5.3 SETTINGS are acknowledged`, async (t) => {
      const client = new FrameClient(t, url)
      await eventually(() => client.of(FRAME.settings).some(({ flags }) => flags === FLAG.ack))
      // Extended CONNECT (RFC 8441: setting 8) is not offered.
      const [{ payload } = { payload: Buffer.alloc(0) }] = client.of(FRAME.settings)
      for (let at = 0; at < payload.length; at += 6) assert.notEqual(payload.readUInt16BE(at), 8)
    })
    await t.test(
      `${scheme}: 6.9.1 not more than the window is sent, and the rest when it opens`,
      async (t) => {
        const client = new FrameClient(t, url, PREFACE + settingsFrame([SETTING.initialWindowSize, 1]))
        client.send(post() + data(1, 'abcde', FLAG.endStream))
        await client.frame(FRAME.data, 1, 'a byte came')
        assert.equal(String(client.bodyOf(1)), 'a')
        client.send(settingsFrame([SETTING.initialWindowSize, 3]))
        await eventually(() => String(client.bodyOf(1)) === 'abc', { what: 'the changed size counts' })
        client.send(windowUpdateFrame(1, 10))
        await eventually(() => String(client.bodyOf(1)) === 'abcde', { what: 'the rest came' })
      },
    )
    await t.test(`${scheme}: RFC 7541 4.2 a smaller table is acknowledged by the next block`, async (t) => {
      const client = new FrameClient(t, url, PREFACE + settingsFrame([SETTING.headerTableSize, 0]))
      client.send(get(1) + get(3))
      const first = await client.frame(FRAME.headers, 1, 'the first answer came')
      const second = await client.frame(FRAME.headers, 3, 'the second answer came')
      const updates = [first, second].map(({ payload }) => payload[0] === 0x20)
      assert.deepEqual(updates.toSorted(), [false, true])
    })
    await t.test(`${scheme}: 8.2 a refusal keeps to the window and ends`, async (t) => {
      const client = new FrameClient(t, url, PREFACE + settingsFrame([SETTING.initialWindowSize, 0]))
      client.send(headersFrames(GET + block('expect', 'tea'), 1, true))
      assert.equal(await client.status(1), '417')
      assert.equal(client.of(FRAME.headers, 1)[0]!.flags & FLAG.endStream, FLAG.endStream)
      assert.equal(client.bodyOf(1).length, 0)
    })
  }
  // What was refused has reached nobody.
  for (const line of seen) assert.match(line, /^(?:GET \/|GET \/slow|POST \/echo)$/)
})
