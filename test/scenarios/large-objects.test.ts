/** Large answers in the cache, which stand in files in memory and leave by `sendfile`, as clients and the machine see them. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

const MEGABYTE = 1024 * 1024
const BODY = Buffer.alloc(5 * MEGABYTE, randomBytes(10_007))
const digest = (bytes: string | Buffer): string =>
  createHash('sha1')
    .update(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    .digest('hex')
const DIGEST = digest(BODY)
const GET = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4)

/** Files in memory that the workers have open. */
const filesOf = (node: TestNode): number =>
  node
    .processes()
    .workers.flatMap((pid) =>
      readdirSync(`/proc/${pid}/fd`).map((name) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${name}`)
        } catch {
          return ''
        }
      }),
    )
    .filter((target) => target.includes('orla-body')).length

test('a cache of large objects', async (t) => {
  let asked = 0
  const origin = await startOrigin(t, (request, response) => {
    asked += 1
    const etag = '"one"'
    const stale = request.url!.startsWith('/stale')
    const headers = { 'cache-control': stale ? 'max-age=0' : 'max-age=600', etag }
    if (request.headers['if-none-match'] === etag) response.writeHead(304, headers).end()
    else response.writeHead(200, { ...headers, 'content-length': BODY.length }).end(BODY)
  })
  // One client reads nothing for as long as it takes others to fetch a dozen objects.
  const edge = { limits: PATIENT }
  const node = await startNode(t, {
    config: { edge, sites: [{ origin: origin.url, cache: { policy: 'lru', ram: '32mb' } }] },
  })

  await t.test('is exact for many clients at once, the first and all that follow', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => node.request('/one')))
    for (const answer of answers) assert.equal(digest(answer.body), DIGEST)
    assert.equal(asked, 1)
    assert.equal(filesOf(node), 1)
    const head = await node.request('/one', { method: 'HEAD' })
    assert.equal(head.headers['content-length'], String(BODY.length))
    assert.equal(head.body.length, 0)
  })

  await t.test('answers pipelined requests in order', async () => {
    const client = await RawClient.connect(node.url)
    client.send(GET('/one') + GET('/one', 'If-None-Match: "one"\r\n') + GET('/one'))
    assert.equal(digest(bodyOf(await client.readResponse())), DIGEST)
    assert.match(await client.readResponse(), /^HTTP\/1\.1 304 /)
    assert.equal(digest(bodyOf(await client.readResponse())), DIGEST)
    client.send('GET /one HTTP/1.0\r\n\r\n')
    assert.equal(digest(bodyOf(await client.readAll())), DIGEST)
  })

  await t.test('holds no more files than it holds objects, whatever clients do', async () => {
    const reading = await RawClient.connect(node.url)
    reading.send(GET('/one'))
    await reading.readUntil('\r\n\r\n')
    reading.socket.pause()
    const leaving = await Promise.all(Array.from({ length: 8 }, () => RawClient.connect(node.url)))
    for (const client of leaving) client.send(GET('/one'))
    for (const client of leaving) {
      await client.readUntil('\r\n\r\n')
      client.socket.resetAndDestroy()
    }
    for (let i = 0; i < 12; i += 1) assert.equal(digest((await node.request(`/other${i}`)).body), DIGEST)
    const entries = Number(/orla_cache_entries\S* (\d+)/.exec((await node.api('GET', '/metrics')).text)?.[1])
    assert.ok(entries > 2 && entries < 7, `${entries}`)
    // One that was evicted is still being sent to the client that has stopped reading.
    await eventually(() => filesOf(node) === entries + 1, {
      what: () => `${filesOf(node)} files of ${entries} entries and one more`,
    })
    reading.socket.resume()
    assert.equal(digest(await reading.readBytes(BODY.length)), DIGEST)
    await eventually(() => filesOf(node) === entries)
    assert.equal(digest((await node.request('/other11')).body), DIGEST)
  })

  await t.test('serves what the origin says is still good', async () => {
    for (let i = 0; i < 3; i += 1) {
      const answer = await node.request('/stale')
      assert.equal(digest(answer.body), DIGEST)
      if (i > 0) assert.match(String(answer.headers['cache-status']), /fwd-status=304/)
    }
  })

  await t.test('goes through units that work on the head', async () => {
    await node.deploy(
      'head',
      `export default { paths: ['/one'], async headerFilter(request, response) { response.headers.set('x-unit', 'yes') } }`,
    )
    const answer = await node.request('/one')
    assert.equal(answer.headers['x-unit'], 'yes')
    assert.equal(digest(answer.body), DIGEST)
  })

  await t.test('SIGTERM cuts none that is on its way', async () => {
    const client = await RawClient.connect(node.url)
    client.send(GET('/one'))
    await client.readUntil('\r\n\r\n')
    client.socket.pause()
    node.kill('SIGTERM')
    await eventually(() => node.stderr().includes('draining'))
    client.socket.resume()
    assert.equal(digest(await client.readBytes(BODY.length)), DIGEST)
    assert.deepEqual(await node.ended, { code: 0, signal: null })
  })
})

test('a site that is replaced gives back the files of its cache', async (t) => {
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=600', 'content-length': BODY.length }).end(BODY)
  })
  const node = await startNode(t, { config: { sites: [{ origin: origin.url, cache: { ram: '64mb' } }] } })
  const headers = { host: 'a' }
  for (const path of ['/a', '/b']) assert.equal(digest((await node.request(path, { headers })).body), DIGEST)
  const reading = await RawClient.connect(node.url)
  reading.send(GET('/a'))
  await reading.readUntil('\r\n\r\n')
  reading.socket.pause()
  assert.equal(filesOf(node), 2)
  assert.equal((await node.orla('sites', 'set', '*', '--origin', origin.url)).code, 0)
  await eventually(() => filesOf(node) === 1)
  reading.socket.resume()
  assert.equal(digest(await reading.readBytes(BODY.length)), DIGEST)
  await eventually(() => filesOf(node) === 0)
})
