/** Clients that are many, slow, or there when the node ends. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode } from '../harness/node.ts'
import { startOrigin, startRawOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

const GET = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`

test('a thousand connections are served, beside slow ones that are ended in time', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { edge: { workers: 2, limits: { head: '700ms', idle: '20s' } }, sites: [{ origin: origin.url }] },
  })
  const slow = await Promise.all(Array.from({ length: 200 }, () => RawClient.connect(node.url)))
  for (const client of slow) client.send('GET / HTTP/1.1\r\nHo')
  const clients = await Promise.all(Array.from({ length: 1000 }, () => RawClient.connect(node.url)))
  for (const [i, client] of clients.entries()) client.send(GET(`/${i}`))
  for (const [i, client] of clients.entries())
    assert.ok((await client.readResponse()).endsWith(`origin /${i}`))
  for (const client of slow) assert.match(await client.readAll(), /^HTTP\/1\.1 408 /)
  for (const client of clients) client.close()
})

test('five thousand slow clients take nothing from those that are served beside them', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { edge: { workers: 2, limits: PATIENT }, sites: [{ origin: origin.url }] },
  })
  const slow: RawClient[] = []
  while (slow.length < 5000)
    slow.push(...(await Promise.all(Array.from({ length: 250 }, () => RawClient.connect(node.url)))))
  // Half a head, or half a body.
  const halves = ['GET /slow HTTP/1.1\r\nHo', 'POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx']
  for (const [i, client] of slow.entries()) client.send(halves[i % 2]!)
  const clients = await Promise.all(Array.from({ length: 200 }, () => RawClient.connect(node.url)))
  for (const [i, client] of clients.entries()) client.send(GET(`/${i}`))
  for (const [i, client] of clients.entries())
    assert.ok((await client.readResponse()).endsWith(`origin /${i}`))
  assert.ok(slow.every((client) => !client.isClosed))
  // They may be slow, and are answered once they have asked.
  slow[0]!.send('st: a\r\n\r\n')
  slow[1]!.send('y')
  for (const client of slow.slice(0, 2)) assert.ok((await client.readResponse()).endsWith('origin /slow'))
  for (const client of [...slow, ...clients]) client.close()
})

test('SIGTERM cuts no request: what runs is answered, kept connections close with their next answer, exit 0', async (t) => {
  let release: (() => void) | undefined
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/slow') release = () => response.end('slow')
    else response.end('fast')
  })
  const node = await startNode(t, {
    config: { edge: { workers: 2 }, sites: [{ origin: origin.url }] },
    units: { guard: `export default { access(request, response) { response.headers.set('x-guard', '1') } }` },
  })
  const slow = await RawClient.connect(node.url)
  slow.send(GET('/slow'))
  const kept = await RawClient.connect(node.url)
  kept.send(GET('/first'))
  await kept.readResponse()
  await eventually(() => release !== undefined)
  node.kill('SIGTERM')
  await eventually(async () => {
    const client = await RawClient.connect(node.url).catch(() => undefined)
    client?.close()
    return client === undefined
  })
  release!()
  assert.match(await slow.readAll(), /x-guard: 1\r\n.*connection: close\r\n.*slow/s)
  assert.deepEqual(await node.ended, { code: 0, signal: null })
})

test('under load, SIGTERM fails no request that was sent before the connection was told to close', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: [{ origin: origin.url }] } })
  let answers = 0
  const run = async (): Promise<string> => {
    for (;;) {
      const client = await RawClient.connect(node.url).catch(() => undefined)
      if (client === undefined) return 'refused'
      for (;;) {
        client.send(GET('/x'))
        const answer = await client.readResponse().catch((error: Error) => error.message)
        if (!answer.startsWith('HTTP/1.1 200 ')) return answer
        answers += 1
        if (/connection: close/.test(answer)) break
      }
    }
  }
  const runs = Array.from({ length: 16 }, run)
  await eventually(() => answers > 200)
  node.kill('SIGTERM')
  const ends = await Promise.all(runs)
  // A connection that the kernel had taken, and no worker yet, is the only one that may be reset.
  assert.deepEqual(
    [...new Set(ends)].filter((end) => end !== 'refused' && !/ECONNRESET|the connection closed/.test(end)),
    [],
  )
  assert.deepEqual(await node.ended, { code: 0, signal: null })
})

test('a second SIGTERM ends at once', async (t) => {
  const origin = await startRawOrigin(t, () => {})
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
  const client = await RawClient.connect(node.url)
  client.send(GET('/never'))
  await eventually(() => origin.connections() > 0)
  node.kill('SIGTERM')
  await eventually(() => /drain|stopp|SIGTERM/i.test(node.stderr()))
  node.kill('SIGTERM')
  const { code } = await node.ended
  assert.notEqual(code, 0)
})

test('signals that mean nothing to a node neither end it nor open a debugger', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
  // A process hears signals once it runs: the checker does when it has checked something.
  await node.deploy('hello', `export default { paths: ['/hello'], content: () => new Response('first') }`)
  const { supervisor, workers, checkers } = node.processes()
  for (const pid of [supervisor, ...workers, ...checkers]) process.kill(pid, 'SIGUSR1')
  // To the supervisor it means an upgrade.
  for (const pid of [...workers, ...checkers]) process.kill(pid, 'SIGUSR2')
  // Three deploys and requests later each of them has long seen its signals.
  for (let i = 0; i < 3; i++) {
    await node.deploy('hello', `export default { paths: ['/hello'], content: () => new Response('${i}') }`)
    assert.equal((await node.request('/hello')).text, String(i))
  }
  const after = node.processes()
  assert.deepEqual([after.supervisor, after.workers, after.checkers], [supervisor, workers, checkers])
  assert.doesNotMatch(node.stderr(), /debugger/i)
  assert.deepEqual(await node.stop(), { code: 0, signal: null })
})

test('an upload that nobody reads is held back, and the others go on', async (t) => {
  const origin = await startRawOrigin(t, (socket) => {
    socket.once('data', (head) => {
      if (head.toString('latin1').startsWith('POST')) socket.pause()
      else socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok')
    })
  })
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
  const client = await RawClient.connect(node.url)
  client.send(`POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: ${200 * 1024 * 1024}\r\n\r\n`)
  const piece = Buffer.alloc(1024 * 1024)
  let sent = 0
  while (sent < 200 && client.socket.writableLength < 8 * 1024 * 1024) {
    client.socket.write(piece)
    sent += 1
    await new Promise((later) => setImmediate(later))
  }
  // The kernel's buffers hold a few MiB on each of the two connections; the worker holds next to nothing.
  assert.ok(sent < 100, `${sent} MiB were taken`)
  assert.equal((await node.request('/other')).text, 'ok')
  client.close()
})

test('uploads in drips hold half of the connections to an origin, and the others are served by the rest', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    request.resume().on('end', () => response.end(`origin ${request.url}`))
  })
  const connectionsMax = 8
  const node = await startNode(t, {
    config: {
      edge: { limits: PATIENT },
      sites: [{ origin: { endpoints: [origin.url], connectionsMax, timeouts: { connect: '10m' } } }],
    },
  })
  // One has no length, the other has sent what is enough for a large one to be asked.
  const drips = [
    'POST /drip HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n',
    `POST /drip HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n${'x'.repeat(17_000)}`,
  ]
  const slow = await Promise.all(Array.from({ length: 12 }, () => RawClient.connect(node.url)))
  for (const [i, client] of slow.entries()) client.send(drips[i % 2]!)
  await eventually(() => origin.requests.length === connectionsMax / 2)
  for (let i = 0; i < 20; i++) assert.equal((await node.request(`/${i}`)).text, `origin /${i}`)
  const whole = await node.request('/whole', { method: 'POST', body: 'all of it' })
  assert.equal(whole.text, 'origin /whole')
  // They may be slow, and each is asked in its turn.
  const answers: string[] = []
  for (const [i, client] of slow.entries()) {
    client.send(i % 2 === 0 ? '0\r\n\r\n' : 'x'.repeat(3_000))
    answers.push(await client.readResponse())
  }
  assert.ok(
    answers.every((answer) => answer.endsWith('origin /drip')),
    answers.join('\n'),
  )
  for (const client of slow) client.close()
})
