/**
 * Clients of HTTP/2 that make the edge work for nothing: each connection ends with ENHANCE_YOUR_CALM, costs little, and others are served.
 *
 * Floods of control frames and of heads are in http2.test.ts; here are those that provoke resets, and those that play with windows.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  ERROR,
  FLAG,
  FRAME,
  frameHead,
  headersFrames,
  PREFACE,
  settingsFrame,
  windowUpdateFrame,
} from '../../src/wire/http2/frames.ts'
import { coreTimes, lostBetween } from '../../src/base/core-time.ts'
import { cpuSeconds, residentBytes } from '../../src/base/proc.ts'
import { eventually } from '../harness/eventually.ts'
import { block, FrameClient, request } from '../harness/frame-client.ts'
import { type NodeOptions, PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

/** What is forgiven comes back while a flood lasts, 33 or 100 a second: also where a second is little work, there is more of it than that. */
const ROUNDS = 5000
/** Of what is forgiven: streams that come to nothing, and frames of nearly nothing, at once and for each second. */
const STREAMS = { atOnce: 1000, perSecond: 33 }
const DRIBBLES = { atOnce: 1000, perSecond: 100 }
const CPU_MS_MAX = 10_000
const RSS_MIB_MAX = 96

/** How often it may have happened since then, with some that were under way. */
const forgiven = ({ atOnce, perSecond }: typeof STREAMS, sinceMs: number): number =>
  atOnce + 200 + (perSecond * (performance.now() - sinceMs)) / 1000

const SLOW = block(...request('GET', '/slow'))
const UPLOAD = block(...request('POST', '/slow'))
const LARGE = block(...request('GET', '/large'))
const data = (stream: number, payload: string, flags = 0): string =>
  frameHead(payload.length, FRAME.data, flags, stream) + payload
/** As many times, with the number of a stream. */
const each = (make: (stream: number) => string, rounds = ROUNDS): string =>
  Array.from({ length: rounds }, (_, n) => make(n * 2 + 1)).join('')

async function start(
  t: TestContext,
  units: NonNullable<NodeOptions['units']> = {},
): Promise<{ node: TestNode; reached: () => number }> {
  let slow = 0
  const origin = await startOrigin(t, (incoming, response) => {
    if (incoming.url === '/large') {
      response.setHeader('cache-control', 'max-age=3600').end(Buffer.alloc(900_000, 'x'))
    } else if (incoming.url === '/slow') {
      slow += 1
      incoming.on('error', () => {})
    } else {
      response.end('served')
    }
  })
  const node = await startNode(t, {
    config: {
      edge: { limits: PATIENT, listen: { address: '127.0.0.1:0', h2c: true } },
      sites: [{ origin: origin.url, cache: {} }],
    },
    units,
  })
  return { node, reached: () => slow }
}

/** User and system, as the kernel counts: hundredths of a second. */
const cpuMs = (pid: number): number => cpuSeconds(pid) * 1000
const rssMib = (pid: number): number => residentBytes(pid) / 2 ** 20

/** A body for it is kept: `content` would begin with the body read. */
const DEAF = `export default { paths: ['/deaf'], async access() {
  await new Promise((resolve) => setTimeout(resolve, 20000)) }, limits: { cpuMs: 1000, wallMs: 30000 } }`

const FLOODS: readonly (readonly [name: string, send: string])[] = [
  // CVE-2025-8671: the edge is made to reset, and so nothing was reset by the client.
  ['windows opened by 0', each((id) => headersFrames(SLOW, id, true) + windowUpdateFrame(id, 0))],
  [
    'windows of streams that overflow',
    each((id) => headersFrames(SLOW, id, true) + windowUpdateFrame(id, 2 ** 31 - 1)),
  ],
  ['DATA after the end', each((id) => headersFrames(SLOW, id, true) + data(id, 'x'))],
  ['HEADERS after the end', each((id) => headersFrames(SLOW, id, true) + headersFrames(SLOW, id, true))],
  [
    'bodies longer than their length',
    each((id) => headersFrames(UPLOAD + block('content-length', '1'), id, false) + data(id, 'xy')),
  ],
  [
    'malformed trailers',
    each((id) => headersFrames(UPLOAD, id, false) + headersFrames(block(':path', '/'), id, true)),
  ],
  ['more streams than allowed', each((id) => headersFrames(SLOW, id, true))],
  [
    'heads of a stream that was reset',
    headersFrames(SLOW, 1, true) + data(1, 'x') + each(() => headersFrames(SLOW, 1, true)),
  ],
  ['names without a letter', each((id) => headersFrames(SLOW + block('', ''), id, true))],
  [
    'heads that unfold',
    // Many and small ones: 1000 and 33 a second are forgiven, and a machine may be slow.
    each(
      (id) => headersFrames(`${SLOW}\x40\x01a\x7f\xa1\x1e${'b'.repeat(4000)}${'\xbe'.repeat(500)}`, id, true),
      3000,
    ),
  ],
  // Windows.
  ['windows opened for nothing', each(() => windowUpdateFrame(0, 1))],
  ['settings in one frame', settingsFrame(Array.from({ length: 5000 }, (_, i) => (i % 2 === 0 ? 4 : i)))],
]

test('who provokes resets or plays with windows is sent away, and others are served', async (t) => {
  const { node, reached } = await start(t)
  assert.equal((await node.request('/')).text, 'served')
  const [worker = 0] = node.processes().workers
  const coresBefore = coreTimes()
  const cpuBefore = cpuMs(worker)
  const rssBefore = rssMib(worker)
  for (const [name, send] of FLOODS) {
    const before = reached()
    const startedAt = performance.now()
    const client = new FrameClient(t, node.url)
    client.send(send)
    assert.equal(await client.goaway(), ERROR.enhanceYourCalm, name)
    await client.closed(name)
    assert.equal((await node.request('/')).text, 'served', name)
    const isFew = reached() - before <= forgiven(STREAMS, startedAt)
    assert.ok(isFew, `${name}: ${reached() - before} requests reached the origin`)
  }
  // Where the host of this machine takes its cores away, a part of that counts as CPU time.
  const coresAfter = coreTimes()
  const lost = lostBetween(coresBefore, coresAfter, coresAfter.toldMs.keys())
  const cpu = cpuMs(worker) - cpuBefore - lost
  assert.ok(cpu < CPU_MS_MAX, `${FLOODS.length} floods took ${cpu} ms of CPU time`)
  await eventually(() => rssMib(worker) - rssBefore < RSS_MIB_MAX, { what: 'the memory went back' })
})

test('a window that opens by a byte at a time is a flood, once an answer waits for it', async (t) => {
  const { node } = await start(t)
  const client = new FrameClient(t, node.url, PREFACE + settingsFrame([4, 0]))
  client.send(headersFrames(LARGE, 1, true))
  assert.equal(await client.status(1), '200')
  // One answers the other, so that each finds the answer waiting.
  client.send(windowUpdateFrame(1, 1))
  await client.frame(FRAME.data, 1, 'a byte of the body came')
  const startedAt = performance.now()
  client.send(each(() => windowUpdateFrame(1, 1)))
  assert.equal(await client.goaway(), ERROR.enhanceYourCalm)
  const frames = client.bodyOf(1).length
  assert.ok(frames <= forgiven(DRIBBLES, startedAt), `${frames} frames of a byte were sent`)
  assert.equal((await node.request('/')).text, 'served')
})

test('bodies in frames of one byte that nobody reads take what they carry, and not a hundred times that', async (t) => {
  const { node } = await start(t, { deaf: DEAF })
  assert.equal((await node.request('/')).text, 'served')
  const [worker = 0] = node.processes().workers
  const before = rssMib(worker)
  const clients = Array.from({ length: 4 }, () => new FrameClient(t, node.url))
  const deaf = block(...request('POST', '/deaf'))
  const bytes = data(1, 'x').repeat(60_000)
  for (const client of clients) {
    client.send(headersFrames(deaf, 1, false) + bytes)
    client.send(frameHead(8, FRAME.ping, 0, 0) + 'all came')
  }
  for (const client of clients)
    await eventually(() => client.of(FRAME.ping).some(({ flags }) => flags === FLAG.ack), {
      what: 'all of it was read',
    })
  const grown = rssMib(worker) - before
  assert.ok(grown < RSS_MIB_MAX, `240 KB of bodies grew the worker by ${grown} MiB`)
})

test('streams that give no window hold little, and answers for others go on', async (t) => {
  const { node } = await start(t)
  // Stored for the authority of `request`, so that all of them are hits.
  const stored = await node.request('/large', { headers: { host: 'a.test' } })
  assert.equal(stored.body.length, 900_000)
  const [worker = 0] = node.processes().workers
  const before = rssMib(worker)
  const clients = Array.from(
    { length: 10 },
    () => new FrameClient(t, node.url, PREFACE + settingsFrame([4, 0])),
  )
  for (const client of clients) client.send(each((id) => headersFrames(LARGE, id, true), 100))
  for (const client of clients) assert.equal(await client.status(199), '200')
  const grown = rssMib(worker) - before
  assert.ok(grown < RSS_MIB_MAX, `1000 answers of 900 KB that wait grew the worker by ${grown} MiB`)
  assert.equal((await node.request('/')).text, 'served')
})
