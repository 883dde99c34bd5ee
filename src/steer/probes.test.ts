/** Probes against servers that are there, that are slow, that break off, and that are not there. */
import assert from 'node:assert/strict'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { eventually } from '../../test/harness/eventually.ts'
import type { ProbeTarget } from './node.ts'
import { probe, type ProbeResult } from './probe.ts'
import { Probes } from './probes.ts'
import { node } from './steer.support.ts'

const target = (url: string, more: Partial<ProbeTarget> = {}): ProbeTarget => ({
  url,
  intervalMs: 20,
  timeoutMs: 20_000,
  rise: 1,
  fall: 1,
  statuses: [],
  host: undefined,
  ...more,
})

async function listening(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

const httpAt = async (t: TestContext, listener: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listening(t, createHttp(listener))}/health?x=1`

const never = new AbortController().signal

test('a status is good, or is not', async (t) => {
  const seen: (string | undefined)[] = []
  const url = await httpAt(t, (request, answer) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`)
    answer.writeHead(request.headers.host === 'teapot.example.org' ? 418 : 204).end()
  })
  assert.deepEqual(await probe(target(url), never), { isGood: true })
  const host = 'teapot.example.org'
  assert.deepEqual(await probe(target(url, { host }), never), { isGood: false, why: 'status 418' })
  assert.deepEqual(await probe(target(url, { host, statuses: [200, 418] }), never), { isGood: true })
  assert.deepEqual(await probe(target(url, { statuses: [200] }), never), { isGood: false, why: 'status 204' })
  assert.match(seen[0]!, /^GET \/health\?x=1 127\.0\.0\.1:\d+$/)
  assert.equal(seen[1], 'GET /health?x=1 teapot.example.org')
})

test('a body without end is not read', async (t) => {
  const url = await httpAt(t, (_request, answer) => {
    answer.writeHead(200)
    const chunk = Buffer.alloc(65_536)
    const more = () => {
      while (answer.write(chunk));
      answer.once('drain', more)
    }
    more()
  })
  assert.deepEqual(await probe(target(url), never), { isGood: true })
})

test('silence is bad after its timeout, over HTTP', async (t) => {
  const url = await httpAt(t, () => undefined)
  const result = await probe(target(url, { timeoutMs: 30 }), never)
  assert.deepEqual(result, { isGood: false, why: 'no answer within 30 ms' })
})

test('an answer that is none is bad, and so is one that is cut', async (t) => {
  const garbage = await listening(
    t,
    createTcp((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n')),
  )
  const cut = await listening(
    t,
    createTcp((socket) => socket.on('error', () => undefined).end('HTTP/1.1 200')),
  )
  for (const port of [garbage, cut]) {
    const result = await probe(target(`http://127.0.0.1:${port}/`), never)
    assert.equal(result.isGood, false)
  }
})

test('a port is open, or refuses', async (t) => {
  const server = createTcp(() => undefined)
  const port = await listening(t, server)
  assert.deepEqual(await probe(target(`tcp://127.0.0.1:${port}`), never), { isGood: true })
  const refused = { isGood: false, why: 'ECONNREFUSED' }
  assert.deepEqual(await probe(target('tcp://127.0.0.1:1'), never), refused)
  assert.deepEqual(await probe(target('http://[::1]:1/'), never), refused)
})

test('a node is probed again and again, until that is stopped', async (t) => {
  let status = 200
  let asked = 0
  const url = await httpAt(t, (_request, answer) => {
    asked += 1
    answer.writeHead(status).end()
  })
  const results: ProbeResult[] = []
  const probes = new Probes([node('a', { probe: target(url) }), node('unprobed')], {
    random: () => 0.5,
    onResult: (_node, result) => void results.push(result),
  })
  t.after(() => probes.stop())
  probes.start()
  await eventually(() => results.length >= 3 && results.every(({ isGood }) => isGood))
  status = 503
  await eventually(() => results.at(-1)!.isGood === false)
  probes.stop()
  const told = results.length
  const askedThen = asked
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(results.length, told)
  // One was on its way at most.
  assert.ok(asked <= askedThen + 1)
})

test('no more than 32 are on their way at once', async (t) => {
  let open = 0
  let most = 0
  const url = await httpAt(t, (request, answer) => {
    open += 1
    most = Math.max(most, open)
    request.socket.on('close', () => (open -= 1))
    setImmediate(() => answer.writeHead(200).end())
  })
  const seen = new Set<string>()
  const nodes = Array.from({ length: 100 }, (_, index) => node(`node${index}`, { probe: target(url) }))
  const probes = new Probes(nodes, { random: Math.random, onResult: ({ name }) => void seen.add(name) })
  t.after(() => probes.stop())
  probes.start()
  await eventually(() => seen.size === 100)
  assert.ok(most <= 32 + 4, `${most} at once`)
})
