/** Bodies that are too large for memory, with several workers and a tier on disk: one request to the origin, whoever asks where and when. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { get, type IncomingMessage } from 'node:http'
import { test, type TestContext } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const MIB = 1024 * 1024
const LARGE = randomBytes(3 * MIB + 3)

async function stand(t: TestContext) {
  const origin = await startOrigin(t, (request, response) => {
    const isChunked = request.url!.includes('chunked')
    const headers = { 'cache-control': 'max-age=600', etag: '"e"' }
    response.writeHead(200, isChunked ? headers : { ...headers, 'content-length': LARGE.length })
    response.write(LARGE.subarray(0, MIB))
    setTimeout(() => response.end(LARGE.subarray(MIB)), 500)
  })
  const cache = { ram: '2mb', objectBytes: '64mb', disk: '256mb' }
  const node = await startNode(t, {
    config: { edge: { workers: 4, limits: PATIENT }, sites: [{ hosts: ['*'], origin: origin.url, cache }] },
  })
  return { origin, node }
}

/** Each on a connection of its own: so they spread over the workers. */
const crowd = (node: TestNode, path: string, count: number) =>
  Promise.all(Array.from({ length: count }, () => node.request(path)))

const headOf = (url: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => get(url, { agent: false }, resolve).on('error', reject))

for (const path of ['/large', '/chunked']) {
  test(`while it comes and right after it, in all workers (${path})`, async (t) => {
    const { origin, node } = await stand(t)
    for (let round = 0; round < 2; round++) {
      for (const { status, body } of await crowd(node, path, 12)) {
        assert.equal(status, 200)
        assert.ok(body.equals(LARGE))
      }
      assert.equal(origin.requests.length, 1)
    }
    const statuses = (await crowd(node, path, 12)).map(({ headers }) => String(headers['cache-status']))
    assert.ok(statuses.every((status) => status.startsWith('orla; hit')))
    assert.equal(origin.requests.length, 1)
  })
}

test('clients in other workers that read nothing, or leave, hold up nobody', async (t) => {
  const { origin, node } = await stand(t)
  const first = node.request('/large')
  await eventually(() => origin.requests.length === 1)
  const slow = await Promise.all(Array.from({ length: 8 }, () => headOf(`${node.url}/large`)))
  for (const answer of slow.splice(0, 3)) answer.destroy()
  for (const { body } of [await first, ...(await crowd(node, '/large', 8))]) assert.ok(body.equals(LARGE))
  for (const answer of slow) {
    const pieces: Buffer[] = []
    answer.on('data', (piece: Buffer) => pieces.push(piece))
    await eventually(() => answer.complete)
    assert.ok(Buffer.concat(pieces).equals(LARGE))
  }
  assert.equal(origin.requests.length, 1)
})
