/** Answers that a unit streams, from outside: as they come, at the client's pace, and never ended in order where they broke off. */
import assert from 'node:assert/strict'
import { connect, constants } from 'node:http2'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, WITH_TIME } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'
import { rounds } from '../harness/rounds.ts'

const TOOLS = `
const bytes = (text) => new TextEncoder().encode(text)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
`
/** Paths of one unit, so that a deploy is paid for once. With all the CPU that one may have: a step that is cut off cuts its stream. */
const UNIT = `${TOOLS}
let gate
const gated = new Promise((resolve) => { gate = resolve })
const routes = {
  '/s/gated': () => new ReadableStream({ async pull(c) { c.enqueue(bytes('first')); await gated; c.enqueue(bytes('second')); c.close() } }),
  '/s/open': () => { gate(); return 'opened' },
  '/s/events': () => { let n = 0; return new ReadableStream({ async pull(c) { await sleep(5); if (n === 5) c.close(); else c.enqueue(bytes('data: ' + n++ + '\\n\\n')) } }) },
  '/s/endless': (edge, key) => { let n = 0; return new ReadableStream({ pull(c) { n += 65536; c.enqueue(new Uint8Array(65536)) }, async cancel(why) { await edge.kv.put(key, n + ' ' + why.message) } }) },
  '/s/cancelled': async (edge, key) => String(await edge.kv.get(key)),
  '/s/fails': () => { let n = 0; return new ReadableStream({ async pull(c) { if (n++ > 0) throw new Error('broken'); c.enqueue(bytes('partial')) } }) },
  '/s/loops': () => { let n = 0; return new ReadableStream({ async pull(c) { if (n++ > 1) for (;;); c.enqueue(bytes('partial')) } }) },
  '/s/forever': () => new ReadableStream({ async pull(c) { await sleep(2); c.enqueue(bytes('tick')) } }),
  '/s/long': (edge) => { let n = 0; return new ReadableStream({ async pull(c) { await sleep(20); c.enqueue(bytes('line ' + n + '\\n')); if (n > 0 || await edge.kv.get('go-on')) n++; if (n === 5) c.close() } }) },
}
export default {
  paths: ['/s/*'],
  limits: { cpuMs: 1000, wallMs: 60000 },
  async fetch(request, env, { edge }) {
    const { pathname, searchParams } = new URL(request.url)
    const length = searchParams.get('length')
    const headers = { 'content-type': 'text/plain', ...(length ? { 'content-length': length } : {}) }
    return new Response(await routes[pathname](edge, searchParams.get('key') ?? 'key'), { headers })
  },
}`

test('answers that units stream', async (t) => {
  const origin = await startOrigin(t, (_, response) => response.end('origin'))
  const node = await startNode(t, {
    config: {
      edge: { limits: PATIENT, listen: ['127.0.0.1:0', { address: '127.0.0.1:0', h2c: true }] },
      sites: [
        {
          hosts: ['packed.example.org'],
          origin: origin.url,
          compress: { minBytes: '0b', types: ['text/plain'] },
        },
        { hosts: ['cached.example.org'], origin: origin.url, cache: {} },
        { hosts: ['*'], origin: origin.url },
      ],
    },
  })
  await node.deploy('streams', UNIT)
  const ask = async (path: string, more = '', host = 'example.org') => {
    const client = await RawClient.connect(node.url)
    client.send(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${more}\r\n`)
    return client
  }

  await t.test('head and first piece leave before the stream goes on', async () => {
    const client = await ask('/s/gated')
    const head = await client.readUntil('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 200 [^]*transfer-encoding: chunked/)
    await client.readUntil('first\r\n')
    assert.equal((await node.request('/s/open')).text, 'opened')
    assert.match(await client.readUntil('0\r\n\r\n'), /second/)
    // The connection goes on in order.
    client.send('GET / HTTP/1.1\r\nhost: example.org\r\n\r\n')
    assert.match(await client.readResponse(), /origin$/)
    client.close()
  })

  await t.test('events leave one by one; a length that is given is kept to', async () => {
    assert.equal(
      (await node.request('/s/events')).text,
      'data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n',
    )
    const exact = await (await ask('/s/events?length=45')).readResponse()
    assert.match(exact, /content-length: 45\r\n[^]*data: 4\n\n$/)
    assert.doesNotMatch(exact, /chunked/)
    for (const length of [44, 46]) {
      const client = await ask(`/s/events?length=${length}`)
      await client.readUntil('\r\n\r\n')
      assert.ok((await client.readAll()).length < length)
    }
  })

  /** What the `cancel` of an endless stream wrote down: bytes made, and why it ended. */
  const cancelled = (key: string): Promise<RegExpExecArray> =>
    eventually(
      async () => /^(\d+) (.*)/.exec((await node.request(`/s/cancelled?key=${key}`)).text) ?? undefined,
    )

  await t.test('HEAD is answered without a body, and the stream is cancelled', async () => {
    const client = await RawClient.connect(node.url)
    client.send('HEAD /s/endless?key=head HTTP/1.1\r\nhost: example.org\r\nconnection: close\r\n\r\n')
    assert.match(await client.readAll(), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/)
    assert.equal((await cancelled('head'))[2], 'the answer has no body')
  })

  await t.test('a client that does not read stops the unit; one that leaves cancels the stream', async () => {
    const client = await ask('/s/endless?key=unread')
    await client.readUntil('\r\n\r\n')
    client.socket.pause()
    // What the buffers on the way hold passes, and then nothing more: others are served meanwhile.
    for (const _ of rounds(20, 3, 20_000)) assert.equal((await node.request('/s/events')).status, 200)
    client.close()
    const [, bytes, why] = await cancelled('unread')
    assert.equal(why, 'the client has gone')
    assert.ok(Number(bytes) < 64 * 1024 * 1024, `${bytes} bytes were made for a client that reads none`)
  })

  await t.test('what breaks off is cut and not ended', async () => {
    for (const path of ['/s/fails', '/s/loops']) {
      const client = await ask(path)
      await client.readUntil('partial\r\n')
      assert.equal(await client.readAll(), '')
    }
  })

  await t.test('a sandbox that is killed cuts its streams, and serves again', async () => {
    const client = await ask('/s/forever')
    await client.readUntil('tick')
    for (const pid of node.processes().sandboxes) process.kill(pid, 'SIGKILL')
    assert.doesNotMatch(await client.readAll(), /0\r\n\r\n$/)
    await eventually(async () => (await node.request('/s/events')).status === 200)
  })

  await t.test('a deploy lets a stream finish on its version', async () => {
    const client = await ask('/s/long')
    await client.readUntil('line 0\n')
    await node.deploy('streams', `${UNIT}\n// another`)
    assert.equal((await node.api('PUT', '/v1/kv/streams/go-on', 'yes')).status, 200)
    assert.match(await client.readUntil('0\r\n\r\n'), /line 4\n/)
  })

  await t.test('it passes compression and filters piece by piece', async () => {
    const packed = await (
      await ask('/s/events', 'accept-encoding: gzip\r\n', 'packed.example.org')
    ).readResponse()
    assert.match(packed, /content-encoding: gzip/)
    const [, chunks] = /\r\n\r\n([^]*)$/.exec(packed)!
    const body = Buffer.concat([...dechunk(chunks!)].map((chunk) => Buffer.from(chunk, 'latin1')))
    assert.match(gunzipSync(body).toString(), /data: 4\n\n$/)
    await node.deploy(
      'upper',
      `export default { paths: ['/s/events'], chunks: 'text', limits: { cpuMs: 1000 }, bodyFilter: (chunk) => chunk.toUpperCase(), headerFilter(_, response) { response.headers.set('x-filtered', 'yes') } }`,
    )
    const filtered = await node.request('/s/events')
    assert.equal(filtered.headers['x-filtered'], 'yes')
    assert.equal(filtered.text, 'DATA: 0\n\nDATA: 1\n\nDATA: 2\n\nDATA: 3\n\nDATA: 4\n\n')
    await node.api('DELETE', '/v1/units/upper', WITH_TIME)
  })

  await t.test("in the origin's place it streams into the cache too, unless it breaks off", async () => {
    await node.deploy(
      'stand-in',
      `${TOOLS}
      let made = 0
      export default { hosts: ['cached.example.org'], limits: { cpuMs: 1000, wallMs: 60000 }, origin(request) {
        const name = 'v' + ++made
        let n = 0
        return new Response(new ReadableStream({ async pull(c) {
          if (n === 3) return c.close()
          await sleep(2)
          if (n === 1 && request.path === '/broken') throw new Error('broken')
          c.enqueue(bytes(name + '.' + n++))
        } }), { headers: { 'cache-control': 'max-age=3600' } })
      } }`,
    )
    const bodyOf = async (path: string) => {
      const [, chunks] = /\r\n\r\n([^]*)$/.exec(
        await (await ask(path, '', 'cached.example.org')).readResponse(),
      )!
      return /^[0-9a-f]+\r\n/.test(chunks!) ? [...dechunk(chunks!)].join('') : chunks
    }
    const whole = await bodyOf('/whole')
    // By number: an isolate that was cut off meanwhile begins anew.
    assert.match(whole!, /^(v\d+)\.0\1\.1\1\.2$/)
    assert.equal(await bodyOf('/whole'), whole)
    for (let n = 0; n < 2; n++) {
      const client = await ask('/broken', '', 'cached.example.org')
      await client.readUntil('.0\r\n')
      assert.equal(await client.readAll(), '')
    }
  })

  await t.test('over HTTP/2 as well, and a reset cancels', async () => {
    const session = connect(node.urls[1]!)
    t.after(() => session.close())
    const text = await new Promise<string>((resolve, reject) => {
      const stream = session.request({ ':path': '/s/events' })
      let all = ''
      stream.on('data', (piece) => (all += String(piece)))
      stream.on('end', () => resolve(all)).on('error', reject)
    })
    assert.match(text, /data: 4\n\n$/)
    const endless = session.request({ ':path': '/s/endless?key=reset' })
    await new Promise((resolve) => endless.once('data', resolve))
    endless.close(constants.NGHTTP2_CANCEL)
    assert.equal((await cancelled('reset'))[2], 'the client has gone')
    const broken = session.request({ ':path': '/s/fails' })
    broken.resume()
    await assert.rejects(new Promise((resolve, reject) => broken.on('end', resolve).on('error', reject)))
    session.close()
  })
})

function* dechunk(text: string): Generator<string> {
  for (let at = 0; ;) {
    const line = text.indexOf('\r\n', at)
    const size = Number.parseInt(text.slice(at, line), 16)
    if (!(size > 0)) return
    yield text.slice(line + 2, line + 2 + size)
    at = line + 2 + size + 2
  }
}
