/** One fetch that several clients wait for: how fast it goes, whoever of them is slow. Real sockets; the test holds the origin and the time. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type IncomingMessage, request as send } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import * as v from 'valibot'
import { eventually } from '../../test/harness/eventually.ts'
import { block, FrameClient, request as fieldsOf } from '../../test/harness/frame-client.ts'
import { type Answer, ask } from '../../test/harness/http-client.ts'
import { CidrSet } from '../base/cidr.ts'
import { openListenSocket } from '../base/listen-socket.ts'
import { MemoryFile } from '../base/memory-file.ts'
import { ListenList } from '../config/listen.ts'
import { SiteCache } from '../config/cache-schema.ts'
import type { OriginHandler, SentCall } from '../contract/origin.ts'
import { FRAME, headersFrames, windowUpdateFrame } from '../wire/http2/frames.ts'
import { Compression } from './body/compression.ts'
import { lookUp } from './cache-stage.ts'
import { ResponseCache } from './caching/response-cache.ts'
import { Exchange } from './exchange.ts'
import { Peer } from './forwarding/peer.ts'
import { HttpMetrics } from './http-metrics.ts'
import type { HttpNode } from './http-node.ts'
import { Http2Metrics } from './http2/metrics.ts'
import { HttpServer } from './server.ts'
import { siteCacheParts } from './site-cache.ts'
import type { Site } from './sites.ts'
import { TlsMetrics } from './tls-metrics.ts'
import { NO_UNITS } from './unit-plan.ts'

const MEGABYTE = 1024 * 1024
/** More than the kernel takes for a client that does not read. */
const BEHIND_BYTES = 12 * MEGABYTE
const BODY = Buffer.alloc(16 * MEGABYTE, randomBytes(10_007))
const PIECE_BYTES = 64 * 1024
const STORED = { 'cache-control': 'max-age=60' }
const PRIVATE = { 'cache-control': 'private' }

/** A fetch, of which the origin sends what the test says, and no more than it is let. */
class HeldCall implements SentCall {
  readonly connectMs = 0
  readonly responseMs = 0
  readonly endpoint = 'held'
  /** Bytes of the body that were taken. */
  at = 0
  isAborted = false
  private readonly handler: OriginHandler
  private upTo = 0
  private isPaused = false
  private isOver = false

  constructor(handler: OriginHandler) {
    this.handler = handler
  }

  head(fields: Readonly<Record<string, string>>, isLengthKnown = true): void {
    const length = isLengthKnown ? ['content-length', String(BODY.length)] : []
    this.handler.onHead({
      status: 200,
      reason: 'OK',
      minor: 1,
      headers: [...Object.entries(fields).flat(), ...length],
      framing: isLengthKnown ? { kind: 'length', bytes: BODY.length } : { kind: 'chunked' },
      keepAlive: true,
      nominated: [],
    })
  }

  sendUpTo(bytes: number): void {
    this.upTo = bytes
    this.flow()
  }

  private flow(): void {
    while (!this.isPaused && !this.isAborted && this.at < this.upTo) {
      const piece = BODY.subarray(this.at, Math.min(this.at + PIECE_BYTES, this.upTo))
      this.at += piece.length
      this.isPaused = !this.handler.onData(piece)
    }
    if (this.at < BODY.length || this.isOver || this.isAborted) return
    this.isOver = true
    this.handler.onEnd([])
  }

  resume(): void {
    this.isPaused = false
    process.nextTick(() => this.flow())
  }

  abort(): void {
    this.isAborted = true
  }

  write(): boolean {
    return true
  }

  end(): void {}

  relay(): boolean {
    return true
  }

  endRelay(): void {}
}

/** Minutes: time stands still but where a test lets it pass. */
const LIMITS = {
  headBytes: 2048,
  targetBytes: 512,
  headerCount: 20,
  bodyBytes: 200_000,
  idle: 6_000_000,
  head: 6_000_000,
  body: 600_000,
  connections: 100,
  streams: 10,
  handshake: 1000,
  handshakes: 10,
}
const SITE_CACHE = v.parse(SiteCache, {})
const TRUST = { trusted: new CidrSet([]), from: 'either' } as const

let nowMs = 0
let server: HttpServer
let url = ''
let cache: ResponseCache
let compress: Compression | undefined
/** What was asked of the origin, and the requests of clients, in order. */
let calls: HeldCall[] = []
let exchanges: Exchange[] = []
let filesBefore = 0

const metrics = new HttpMetrics()
const node = {
  now: () => Date.UTC(2033, 10, 6),
  monotonic: () => nowMs,
  metrics,
  lastGood: {},
  requestId: { origin: false, client: false },
  loopMark: 'orla; node=test',
  isDraining: false,
  warn() {},
} as unknown as HttpNode

before(async () => {
  server = new HttpServer({
    trust: TRUST,
    limits: LIMITS,
    listeners: v.parse(ListenList, { address: '127.0.0.1:0', h2c: true }),
    metrics,
    tlsMetrics: new TlsMetrics(),
    http2Metrics: new Http2Metrics(),
    monotonic: () => nowMs,
    onRequest(connection, head) {
      const peer = (connection.peer ??= new Peer(connection.ends, TRUST))
      const exchange = new Exchange(node, connection, head, peer.client, NO_UNITS)
      exchange.site = {
        name: 'test',
        config: { cache: SITE_CACHE },
        cache,
        ...siteCacheParts(SITE_CACHE, Math.random),
        compress,
        forwarded: 'none',
        origin: {
          send(_: unknown, handler: OriginHandler) {
            const call = new HeldCall(handler)
            calls.push(call)
            return call
          },
        },
      } as unknown as Site
      exchanges.push(exchange)
      connection.attach(exchange)
      lookUp(exchange)
    },
  })
  const socket = await openListenSocket({ host: '127.0.0.1', port: 0, reusePort: false, backlog: 128 })
  url = `http://127.0.0.1:${socket.port}`
  await server.listen(socket.fd, 0)
})
after(() => server.drain(0))

function reset(objectBytesMax = 2 * BODY.length): void {
  cache = new ResponseCache({ bytesMax: 8 * BODY.length, objectBytesMax })
  compress = undefined
  calls = []
  exchanges = []
  filesBefore = MemoryFile.count
}

/** Nothing is left behind of all that was asked. */
async function nothingIsLeft(): Promise<void> {
  assert.equal(cache.counters.flights, 0)
  cache.clear()
  await eventually(() => MemoryFile.count === filesBefore, { what: 'the files in memory were given back' })
}

/** A client that reads nothing of a body before it is told to. */
function askSlowly(headers: Readonly<Record<string, string>> = {}) {
  const outgoing = send(`${url}/x`, { agent: false, headers })
  outgoing.on('error', () => {})
  const answer = new Promise<IncomingMessage>((resolve) => {
    outgoing.on('response', (incoming) => resolve(incoming.on('error', () => {})))
  })
  outgoing.end()
  return {
    async read(): Promise<Buffer> {
      const pieces: Buffer[] = []
      for await (const piece of await answer) pieces.push(piece as Buffer)
      return Buffer.concat(pieces)
    },
    leave: () => outgoing.destroy(),
  }
}

const called = (index: number) =>
  eventually(() => calls[index], { what: `the origin was asked ${index + 1} times` })

/** Another client, which waits for what the first one has asked for. */
async function follow(): Promise<{ readonly answer: Promise<Answer> }> {
  const { joined } = cache.counters
  const answer = ask(`${url}/x`)
  await eventually(() => cache.counters.joined > joined, { what: 'the second client waits' })
  return { answer }
}

function assertWhole(body: Buffer): void {
  assert.ok(body.equals(BODY), `${body.length} bytes of ${BODY.length}, or others`)
}

describe('a fetch that others wait for', () => {
  test('goes at the pace of the origin, though the first client reads nothing, and then all', async () => {
    reset()
    const first = askSlowly()
    const call = await called(0)
    call.head(STORED)
    call.sendUpTo(MEGABYTE)
    const second = await follow()
    call.sendUpTo(BODY.length)
    assert.equal(call.at, BODY.length)
    assertWhole((await second.answer).body)
    assertWhole((await ask(`${url}/x`)).body)
    assert.equal(calls.length, 1)
    assert.ok(exchanges[0]!.flow !== undefined, 'the first one is not done')
    assertWhole(await first.read())
    await nothingIsLeft()
  })

  test('does so where the first client is a stream of HTTP/2 without a window', async (t) => {
    reset()
    const first = new FrameClient(t, url)
    first.send(headersFrames(block(...fieldsOf('GET', '/x')), 1, true))
    const call = await called(0)
    call.head(STORED)
    call.sendUpTo(MEGABYTE)
    // Its authority is part of the key.
    const answer = ask(`${url}/x`, { headers: { host: 'a.test' } })
    await eventually(() => cache.counters.joined === 1)
    call.sendUpTo(BODY.length)
    assert.equal(call.at, BODY.length)
    assertWhole((await answer).body)
    assert.equal(calls.length, 1)
    const length = () => first.of(FRAME.data, 1).reduce((sum, { payload }) => sum + payload.length, 0)
    assert.ok(length() < 70_000)
    first.send(windowUpdateFrame(0, 2 ** 30) + windowUpdateFrame(1, 2 ** 30))
    await eventually(() => length() === BODY.length)
    assertWhole(first.bodyOf(1))
    await nothingIsLeft()
  })

  test('does so where the answer is compressed for the first client', async () => {
    reset()
    compress = new Compression({ types: ['text/*'], minBytes: 1, algorithms: ['gzip'] })
    const first = askSlowly({ 'accept-encoding': 'gzip' })
    const call = await called(0)
    call.head({ ...STORED, 'content-type': 'text/plain' })
    const second = await follow()
    call.sendUpTo(BODY.length)
    assert.equal(call.at, BODY.length)
    assertWhole((await second.answer).body)
    assertWhole(gunzipSync(await first.read()))
    assert.equal(calls.length, 1)
    await nothingIsLeft()
  })

  test('fills the cache for those who come later, while the first client is cut for not reading', async () => {
    reset()
    askSlowly()
    const call = await called(0)
    call.head(STORED)
    call.sendUpTo(BODY.length)
    assert.equal(cache.counters.stored, 1)
    const [first] = exchanges
    await eventually(
      () => {
        // Once for each look of the server: it may have sent a little more before the client was full.
        if (server.nowMs === nowMs && !first!.gone) nowMs += LIMITS.body
        return first!.gone && server.nowMs === nowMs
      },
      { what: 'the first client was cut' },
    )
    assertWhole((await ask(`${url}/x`)).body)
    assert.equal(calls.length, 1)
    await nothingIsLeft()
  })

  test('goes on for the others when the first client leaves in the middle, who was behind', async () => {
    reset()
    const first = askSlowly()
    const call = await called(0)
    call.head(STORED)
    call.sendUpTo(BODY.length / 2)
    assert.equal(call.at, BODY.length / 2)
    const second = await follow()
    first.leave()
    await eventually(() => exchanges[0]!.gone)
    assert.equal(call.isAborted, false)
    call.sendUpTo(BODY.length)
    assertWhole((await second.answer).body)
    assert.equal(calls.length, 1)
    await nothingIsLeft()
  })

  test('is given up when the first client leaves and nobody waits; the next one asks again', async () => {
    reset()
    const first = askSlowly()
    const call = await called(0)
    call.head(STORED)
    call.sendUpTo(BODY.length / 2)
    first.leave()
    await eventually(() => exchanges[0]!.gone)
    assert.equal(call.isAborted, true)
    await nothingIsLeft()
    const next = ask(`${url}/x`)
    const again = await called(1)
    again.head(STORED)
    again.sendUpTo(BODY.length)
    assertWhole((await next).body)
    await nothingIsLeft()
  })
})

describe('an answer that is not stored', () => {
  test('goes at the pace of the client that asked, and the others ask for themselves', async () => {
    reset()
    const first = askSlowly()
    const call = await called(0)
    const second = await follow()
    call.head(PRIVATE)
    call.sendUpTo(BODY.length)
    assert.ok(call.at < BODY.length)
    const own = await called(1)
    own.head(PRIVATE)
    own.sendUpTo(BODY.length)
    assertWhole((await second.answer).body)
    assert.ok(call.at < BODY.length)
    assertWhole(await first.read())
    await nothingIsLeft()
  })

  test('because it became too large waits for a client that is behind, and then goes at its pace', async () => {
    reset(BEHIND_BYTES)
    const first = askSlowly()
    const call = await called(0)
    call.head(STORED, false)
    const second = await follow()
    call.sendUpTo(BODY.length)
    // As much as one object may have, and the piece that was too much.
    assert.equal(call.at, BEHIND_BYTES + PIECE_BYTES)
    const own = await called(1)
    own.head(STORED, false)
    own.sendUpTo(BODY.length)
    assertWhole((await second.answer).body)
    assertWhole(await first.read())
    assert.equal(call.at, BODY.length)
    await nothingIsLeft()
  })

  test('because it was changed meanwhile reaches the first client whole', async () => {
    reset()
    const first = askSlowly()
    const call = await called(0)
    call.head(STORED)
    call.sendUpTo(BEHIND_BYTES)
    cache.clear()
    call.sendUpTo(BODY.length)
    assert.equal(call.at, BEHIND_BYTES + PIECE_BYTES)
    assertWhole(await first.read())
    assert.equal(cache.counters.stored, 0)
    await nothingIsLeft()
  })
})
