/** Clients that ask for much at once: all is answered in order, and nothing piles up for those who do not read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { residentBytes } from '../../src/base/proc.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

test('a client that has sent its requests and closed its side gets every answer', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url }] },
    units: {
      hello: `export default { paths: ['/unit/*'], content: async (request) => new Response('unit ' + request.path) }`,
    },
  })
  for (const place of ['origin', 'unit']) {
    const client = await RawClient.connect(node.url)
    const paths = Array.from({ length: 500 }, (_, i) => `/${place}/${i}`)
    client.send(paths.map(GET).join(''))
    client.socket.end()
    const answers = (await client.readAll()).match(/(?:origin|unit) \/\w+\/\d+/g)
    assert.deepEqual(
      answers,
      paths.map((path) => `${place} ${path}`),
    )
  }
})

test('a client that asks and asks and never reads is held back, and cut in time', async (t) => {
  const origin = await startOrigin(t, (_, response) =>
    response.setHeader('cache-control', 'max-age=600').end('x'.repeat(10_000)),
  )
  const node = await startNode(t, {
    config: { edge: { limits: { body: '2s' } }, sites: [{ origin: origin.url, cache: {} }] },
  })
  await node.request('/', { headers: { host: 'a' } })
  const residentMb = () => residentBytes(node.processes().workers[0]!) / 2 ** 20
  const before = residentMb()
  const client = await RawClient.connect(node.url)
  client.socket.pause()
  const block = GET('/').repeat(2000)
  // The edge goes on reading as long as it goes on answering. Held back, the socket of the client fills up.
  await eventually(() => {
    if (client.isClosed) return true
    if (client.socket.writableLength === 0) client.send(block)
    assert.ok(residentMb() - before < 40, `the worker has grown from ${before} MB to ${residentMb()} MB`)
    return false
  })
  assert.equal((await node.request('/', { headers: { host: 'a' } })).status, 200)
})
