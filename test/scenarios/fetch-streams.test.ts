/** Bodies that a unit fetches, from outside: passed on as they come, at the client's pace, and never ended in order where they broke off. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { get as getHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

/** Paths of one unit, so that a deploy is paid for once. What stands behind `/pass` goes on as it is, behind `/upper` through the unit. */
const unitOf = (origin: string) => `
const upper = () => new TransformStream({
  transform(piece, c) { c.enqueue(new TextEncoder().encode(new TextDecoder().decode(piece).toUpperCase())) },
})
export default {
  paths: ['/pass/*', '/upper/*', '/read/*', '/echo'],
  limits: { cpuMs: 1000, wallMs: 60000 },
  async content(request, edge) {
    if (request.path === '/echo') {
      const body = new Blob([await request.text()]).stream()
      return fetch('${origin}/echo', { method: 'POST', body, duplex: 'half' })
    }
    const [, how, ...path] = request.path.split('/')
    // After this, nobody knows which request the fetch is for.
    if (how === 'read') await edge.kv.get('nothing')
    const answer = await fetch('${origin}/' + path.join('/'))
    if (how === 'pass') return answer
    if (how === 'read') return new Response(await answer.text())
    return new Response(answer.body.pipeThrough(upper()), { headers: { 'content-type': answer.headers.get('content-type') } })
  },
}`

const STAND_IN = (origin: string) => `
export default {
  hosts: ['cached.example.org'],
  limits: { cpuMs: 1000, wallMs: 60000 },
  origin: (request) => fetch('${origin}' + request.path),
}`

const BIG = 200 * 1024 * 1024
/** Of pieces that have left, until they are collected. */
const MEMORY_MAX = 120 * 1024 * 1024

test('what a unit fetches goes on to the client', async (t) => {
  /** Answers that are under way, by their paths, and what was sent of each. */
  const open = new Map<string, ServerResponse>()
  const sent = new Map<string, number>()
  const origin = await startOrigin(t, (request, response) => {
    const path = request.url!
    if (path === '/echo') {
      response.setHeader('x-length', String(request.headers['content-length']))
      request.pipe(response)
      return
    }
    open.set(path, response)
    if (path.startsWith('/big')) sendBig(response, path, (bytes) => sent.set(path, bytes))
    else if (path.startsWith('/cached'))
      response.writeHead(200, { 'cache-control': 'max-age=3600' }).flushHeaders()
    else if (path === '/length-cut') response.writeHead(200, { 'content-length': 100 }).write('part')
    else response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
  })
  const node = await startNode(t, {
    config: {
      edge: { limits: PATIENT, fetch: { sites: ['127.0.0.1'] } },
      sites: [
        { hosts: ['cached.example.org'], origin: origin.url, cache: {} },
        { hosts: ['*'], origin: origin.url },
      ],
    },
    units: { passes: unitOf(origin.url), 'stand-in': STAND_IN(origin.url) },
  })
  const ask = async (path: string, host = 'example.org') => {
    const client = await RawClient.connect(node.url)
    client.send(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
    return client
  }
  const opened = (path: string) => eventually(() => open.get(path))

  await t.test('events arrive before the server ends, passed on or changed on the way', async () => {
    for (const [how, one, two] of [
      ['pass', 'data: one', 'data: two'],
      ['upper', 'DATA: ONE', 'DATA: TWO'],
    ] as const) {
      const client = await ask(`/${how}/events-${how}`)
      const server = await opened(`/events-${how}`)
      server.write('data: one\n\n')
      const head = await client.readUntil('\r\n\r\n')
      assert.match(head, /^HTTP\/1\.1 200 [^]*content-type: text\/event-stream/)
      await client.readUntil(one)
      server.write('data: two\n\n')
      await client.readUntil(two)
      server.end()
      await client.readUntil('0\r\n\r\n')
      // The connection goes on in order.
      client.send('GET /pass/again HTTP/1.1\r\nhost: example.org\r\n\r\n')
      ;(await opened('/again')).end('again')
      await client.readUntil('again')
      client.close()
      open.clear()
    }
  })

  await t.test('a large file passes whole, in little memory', async () => {
    const pids = [...node.processes().workers, ...node.processes().sandboxes]
    const before = pids.map(memoryOf)
    let grown = 0
    const expected = createHash('sha256').update(Buffer.alloc(BIG, 'orla')).digest('hex')
    const hash = createHash('sha256')
    let bytes = 0
    const answer = await new Promise<IncomingMessage>((resolve) => getHttp(`${node.url}/pass/big`, resolve))
    assert.equal(answer.headers['content-length'], String(BIG))
    for await (const piece of answer) {
      hash.update(piece as Buffer)
      bytes += (piece as Buffer).length
      if (bytes % (1024 * 1024) < 65_536)
        for (const [at, pid] of pids.entries()) grown = Math.max(grown, memoryOf(pid) - before[at]!)
    }
    assert.equal(bytes, BIG)
    assert.equal(hash.digest('hex'), expected)
    assert.ok(grown < MEMORY_MAX, `a process grew by ${grown} bytes`)
  })

  await t.test('a client that does not read stops the server; one that leaves ends its call', async () => {
    const client = await ask('/pass/big-unread')
    await client.readUntil('\r\n\r\n')
    client.socket.pause()
    let before = -1
    await eventually(
      () => {
        const isStill = sent.get('/big-unread') === before
        before = sent.get('/big-unread')!
        return isStill
      },
      { everyMs: 200 },
    )
    assert.ok(before < BIG / 2, `${before} bytes were taken for a client that reads none`)
    const server = await opened('/big-unread')
    assert.equal(server.destroyed, false)
    client.close()
    await eventually(() => server.destroyed)
    for (const how of ['pass', 'upper']) {
      const leaving = await ask(`/${how}/left-${how}`)
      const call = await opened(`/left-${how}`)
      call.write('a')
      await leaving.readUntil('\r\n\r\n')
      leaving.close()
      // It may have closed its side alone, until something is sent to it.
      await eventually(() => {
        if (!call.destroyed) call.write('b')
        return call.destroyed
      })
    }
  })

  await t.test('what breaks off at the server is cut for the client', async () => {
    for (const path of ['/pass/chunked-cut', '/upper/chunked-cut', '/pass/length-cut']) {
      open.clear()
      const client = await ask(path)
      const server = await opened(path.slice(path.indexOf('/', 1)))
      server.write('part')
      await client.readUntil('\r\n\r\n')
      await eventually(() => /part/i.test(client.received))
      server.socket!.destroy()
      const rest = await client.readAll()
      assert.match(rest, /part/i)
      assert.doesNotMatch(rest, /0\r\n\r\n$/)
    }
  })

  await t.test("in the origin's place it goes into the cache too, unless it breaks off", async () => {
    for (let n = 0; n < 2; n++) {
      const client = await ask('/cached/cut', 'cached.example.org')
      const server = await opened('/cached/cut')
      server.write('part')
      await client.readUntil('part')
      open.clear()
      server.socket!.destroy()
      assert.doesNotMatch(await client.readAll(), /0\r\n\r\n$/)
    }
    const client = await ask('/cached/whole', 'cached.example.org')
    const server = await opened('/cached/whole')
    server.write('first')
    await client.readUntil('first')
    server.end('second')
    await client.readUntil('second')
    const again = await node.request('/cached/whole', { headers: { host: 'cached.example.org' } })
    assert.equal(again.text, 'firstsecond')
  })

  await t.test('many at a time have each their own', async () => {
    open.clear()
    const names = Array.from({ length: 50 }, (_, n) => `/many-${n}`)
    const answers = names.map((name) => node.request(`/read${name}`))
    const servers = await Promise.all(names.map(opened))
    for (const [n, server] of servers.entries()) server.write(`${n} `)
    for (const [n, server] of servers.entries()) server.end(String(n))
    const texts = (await Promise.all(answers)).map(({ text }) => text)
    assert.deepEqual(
      texts,
      names.map((_, n) => `${n} ${n}`),
    )
  })

  await t.test('a stream as the body of a request is gathered and sent whole', async () => {
    const answer = await node.request('/echo', { method: 'POST', body: 'gathered' })
    assert.deepEqual([answer.text, answer.headers['x-length']], ['gathered', '8'])
  })
})

function sendBig(response: ServerResponse, path: string, onSent: (bytes: number) => void): void {
  response.writeHead(200, { 'content-length': path === '/big' ? BIG : 4 * BIG })
  const piece = Buffer.alloc(64 * 1024, 'orla')
  let bytes = 0
  const write = (): void => {
    while (!response.destroyed && bytes < (path === '/big' ? BIG : 4 * BIG)) {
      bytes += piece.length
      onSent(bytes)
      if (!response.write(piece)) return
    }
    response.end()
  }
  response.on('drain', write)
  write()
}

/** Resident, of its own: in bytes. */
function memoryOf(pid: number): number {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kilobytes) * 1024
}
