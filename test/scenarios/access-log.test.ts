/** Access logs of a real node: what is told of which request, rotation, sites of their own, and disks that fail. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { orla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

type Line = Readonly<Record<string, unknown>>

const textOf = (node: TestNode, name = 'access.log') => readFileSync(join(node.folder, name), 'latin1')

const linesOf = (node: TestNode, name?: string): Line[] =>
  textOf(node, name)
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)

/** Waits until the file has so many lines. */
const lines = (node: TestNode, count: number, name?: string): Promise<Line[]> =>
  eventually(() => {
    const found = linesOf(node, name)
    return found.length >= count && found
  })

test('every answer has a line, whoever gave it', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.setHeader('cache-control', 'max-age=60')
    response.end('x'.repeat(100))
  })
  const node = await startNode(t, {
    config: {
      // Whose ids are believed.
      edge: { accessLog: 'access.log', trustedProxies: ['127.0.0.1'] },
      sites: [
        { hosts: ['a.test'], origin: origin.url, cache: {} },
        { hosts: ['down.test'], origin: 'http://127.0.0.1:1' },
      ],
    },
    units: { gate: `export default { paths: ['/gate'], access: () => new Response('no', { status: 403 }) }` },
  })
  const headers = {
    host: 'a.test',
    'user-agent': 'tester "1"',
    'x-request-id': 'id-1',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  }
  const first = await node.request('/a?b=c', { headers })
  await node.request('/a?b=c', { headers })
  await node.request('/gate', { headers, method: 'POST', body: 'hello' })
  await node.request('/', { headers: { host: 'down.test' } })
  await node.request('/', { headers: { host: 'nobody.test' } })
  const [miss, hit, refused, down, nobody] = await lines(node, 5)

  assert.equal(miss!['client'], '127.0.0.1')
  assert.equal(miss!['target'], '/a?b=c')
  assert.equal(miss!['source'], 'origin')
  assert.equal(miss!['cache'], 'uri-miss')
  assert.ok(String(miss!['upstream']).endsWith(`127.0.0.1:${origin.port}`))
  assert.ok(Number(miss!['upstreamResponseMs']) > 0)
  assert.ok(Number(miss!['durationMs']) >= Number(miss!['upstreamResponseMs']))
  assert.equal(miss!['userAgent'], 'tester "1"')
  assert.equal(miss!['requestId'], 'id-1')
  assert.equal(miss!['traceId'], '4bf92f3577b34da6a3ce929d0e0e4736')
  assert.ok(Math.abs(Date.parse(String(miss!['time'])) - Date.now()) < 60_000)
  assert.ok(Number(miss!['bytesSent']) > first.body.length + 100)

  assert.deepEqual([hit!['source'], hit!['cache'], hit!['upstream']], ['cache', 'hit', undefined])
  assert.deepEqual([refused!['status'], refused!['source'], refused!['method']], [403, 'unit', 'POST'])
  assert.deepEqual(refused!['units'], ['gate@1'])
  assert.deepEqual([down!['status'], down!['site'], down!['source']], [502, 'down.test', 'edge'])
  assert.ok(String(down!['upstream']).includes('127.0.0.1:1'))
  assert.deepEqual([nobody!['status'], nobody!['site']], [404, undefined])
})

test('bytes are those of the wire, in both directions', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    request.resume().on('end', () => response.end('y'.repeat(5000)))
  })
  const fields = ['bytesReceived', 'bytesSent', 'bodyBytesSent']
  const node = await startNode(t, {
    config: { edge: { accessLog: { path: 'access.log', fields } }, sites: [{ origin: origin.url }] },
  })
  const asked = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\nConnection: close\r\n\r\n${'z'.repeat(3000)}`
  const answer = await new Promise<string>((resolve) => {
    let text = ''
    const socket = connect(Number(new URL(node.url).port), '127.0.0.1', () => socket.write(asked))
    socket.setEncoding('latin1').on('data', (piece) => (text += String(piece)))
    socket.on('close', () => resolve(text))
  })
  const [line] = await lines(node, 1)
  assert.deepEqual(line, { bytesReceived: asked.length, bytesSent: answer.length, bodyBytesSent: 5000 })
})

test('clients that leave and bytes that are no request have lines, and log units see who left', async (t) => {
  const origin = await startOrigin(t, () => {})
  const node = await startNode(t, {
    config: { edge: { accessLog: 'access.log' }, sites: [{ origin: origin.url }] },
    units: {
      seen: `export default {
        paths: ['/gone', '/seen'],
        async access(request, _response, edge) {
          if (request.path === '/seen') return new Response(await edge.kv.get('seen'))
        },
        async log(request, response, edge) {
          if (request.path === '/gone') await edge.kv.put('seen', 'with ' + response.status)
        },
      }`,
    },
  })
  const port = Number(new URL(node.url).port)
  const gone = connect(port, '127.0.0.1', () => gone.write('GET /gone HTTP/1.1\r\nHost: a\r\n\r\n'))
  gone.on('error', () => {})
  await eventually(() => origin.requests.length === 1)
  gone.resetAndDestroy()
  const [left] = await lines(node, 1)
  assert.deepEqual([left!['status'], left!['aborted'], left!['target']], [499, true, '/gone'])
  await eventually(async () => (await node.request('/seen')).text === 'with 499')
  const rude = connect(port, '127.0.0.1', () => rude.write('{"forged":1}\n\r\n\r\n'))
  rude.on('error', () => {})
  const bad = await eventually(() => linesOf(node).find(({ status }) => status === 400))
  assert.deepEqual([bad!['status'], bad!['source'], bad!['method']], [400, 'edge', undefined])
})

test('an answer that is cut has a line with the bytes that left, over HTTP/1.1 and HTTP/2', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.write('body'.repeat(1250))
  })
  const node = await startNode(t, {
    config: {
      edge: { accessLog: 'access.log', listen: { address: '127.0.0.1:0', h2c: true } },
      sites: [{ origin: origin.url }],
    },
  })
  const session = connectHttp2(node.url)
  t.after(() => session.destroy())
  const stream = session.request({ ':path': '/', ':authority': 'a' })
  stream.on('error', () => {})
  await new Promise((resolve) => stream.once('data', resolve))
  stream.close(8)
  await lines(node, 1)
  const client = await RawClient.connect(node.url)
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.readUntil('bodybody')
  client.socket.resetAndDestroy()
  for (const { protocol, aborted, bytesSent } of await lines(node, 2)) {
    assert.equal(aborted, true)
    const sent = Number(bytesSent)
    assert.ok(sent > 5000 && sent < 5300, `${String(protocol)}: ${sent}`)
  }
})

test('a log of what was slow has the lines of those requests alone', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    setTimeout(() => response.end('answered'), request.url === '/slow' ? 700 : 0)
  })
  const accessLog = ['access.log', { path: 'slow.log', only: { slowerThan: '600ms' } }]
  const node = await startNode(t, { config: { edge: { accessLog }, sites: [{ origin: origin.url }] } })
  for (const path of ['/a', '/slow', '/b', '/c', '/slow', '/d']) await node.request(path)
  const all = await lines(node, 6)
  // A machine that stands still makes others slow, too: what the log of all says of them counts.
  const slow = all.filter(({ durationMs }) => Number(durationMs) >= 600)
  assert.equal(slow.filter(({ target }) => target === '/slow').length, 2)
  assert.deepEqual(await lines(node, slow.length, 'slow.log'), slow)
})

test('after SIGUSR1 lines go to a new file, on every worker, and none is lost', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { edge: { workers: 2, accessLog: 'access.log' }, sites: [{ origin: origin.url }] },
  })
  const send = async (from: number) => {
    for (let i = from; i < from + 20; i += 1) await node.request(`/${i}`)
  }
  await send(0)
  await lines(node, 20)
  renameSync(join(node.folder, 'access.log'), join(node.folder, 'access.log.1'))
  await send(20)
  node.kill('SIGUSR1')
  await eventually(() => textOf(node) !== undefined)
  await send(40)
  assert.equal((await node.stop()).code, 0)
  const rotated = linesOf(node, 'access.log.1')
  const fresh = linesOf(node)
  const targets = [...rotated, ...fresh].map((line) => line['target'])
  assert.deepEqual(new Set(targets), new Set(Array.from({ length: 60 }, (_, i) => `/${i}`)))
  assert.equal(targets.length, 60)
  assert.ok(fresh.length >= 1)
})

test('a site has logs of its own, or none; a node has several, also on standard output', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: {
      edge: {
        accessLog: [
          { path: 'access.log', fields: ['target'] },
          { path: 'errors.log', fields: ['status'], only: { status: ['4xx'] } },
        ],
      },
      sites: [
        { hosts: ['a.test'], origin: origin.url },
        { hosts: ['own.test'], origin: origin.url, accessLog: { path: 'own.log', format: 'combined' } },
        { hosts: ['quiet.test'], origin: origin.url, accessLog: false },
      ],
    },
  })
  for (const host of ['a.test', 'own.test', 'quiet.test', 'nobody.test'])
    await node.request(`/${host}`, { headers: { host } })
  await node.stop()
  assert.deepEqual(linesOf(node), [{ target: '/a.test' }, { target: '/nobody.test' }])
  assert.deepEqual(linesOf(node, 'errors.log'), [{ status: 404 }])
  assert.match(
    textOf(node, 'own.log'),
    /^127\.0\.0\.1 - - \[[^\]]+\] "GET \/own\.test HTTP\/1\.1" 200 \d+ "-" "-"\n$/,
  )
})

test('a path that cannot be written is refused at the start, by its name', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-access-log-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const write = (config: object) => writeFileSync(join(folder, 'orla.config.json'), JSON.stringify(config))
  write({
    edge: { listen: '127.0.0.1:0', accessLog: 'missing/access.log' },
    control: { listen: '127.0.0.1:0' },
  })
  const missing = await orla(['start'], { cwd: folder })
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /the access log \S+missing\/access\.log cannot be opened: ENOENT/)

  write({ edge: { accessLog: { path: 'a.log', fields: ['tme'], sample: 2, formt: 'json' } } })
  const wrong = await orla(['start'], { cwd: folder })
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /unknown key `formt`; did you mean `format`/)
  assert.match(wrong.stderr, /edge\.accessLog\.fields\[0\]: expected a field \(time, client/)
  assert.match(wrong.stderr, /edge\.accessLog\.sample: expected a share from 0 to 1, such as 0\.2/)
})

test('a full disk drops lines, tells it once and in metrics, and every request is served', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('mounting a file system needs root')
  const disk = mkdtempSync(join(tmpdir(), 'orla-full-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk])
  t.after(() => {
    execFileSync('umount', ['-l', disk])
    rmSync(disk, { recursive: true, force: true })
  })
  const origin = await startOrigin(t)
  const path = join(disk, 'access.log')
  const node = await startNode(t, {
    config: { edge: { workers: 2, accessLog: path }, sites: [{ origin: origin.url }] },
  })
  const padding = 'p'.repeat(900)
  let sent = 0
  await eventually(async () => {
    assert.equal((await node.request(`/?${padding}`)).status, 200)
    sent += 1
    return node.stderr().includes('cannot be written')
  })
  for (let i = 0; i < 50; i += 1) assert.equal((await node.request(`/?${padding}`)).status, 200)
  const whole = readFileSync(path, 'latin1')
  for (const line of whole.split('\n').slice(0, -1)) assert.equal(JSON.parse(line).status, 200)
  assert.match((await node.api('GET', '/metrics')).text, /orla_access_log_lines_total\{path="[^"]+"\} \d+/)
  await node.stop()
  assert.equal(node.stderr().match(/cannot be written/g)?.length, 1, node.stderr())
  assert.ok(sent > 5)
})
