/** Files of the tier on disk that are spoiled under those who read pieces of them: who reads is cut, or right, and no worker ends. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, statSync, truncateSync } from 'node:fs'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { flipBit } from '../harness/flipped-bit.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const MIB = 1024 * 1024
/** Larger than what is read whole. */
const BYTES = 4 * MIB
const FLIPPED_AT = 3 * MIB + 5

const bodyOf = (target: string, bytes = BYTES) =>
  Buffer.alloc(bytes, createHash('sha512').update(target).digest())

const bodiesBelow = (node: TestNode): string[] =>
  readdirSync(join(node.folder, 'data', 'cache', 'sites', '_2a', 'bodies'), {
    recursive: true,
    withFileTypes: true,
  })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

async function startDisk(t: TestContext, originUrl: string, workers: number, cache: object = {}) {
  const config = {
    edge: { workers, limits: PATIENT },
    sites: [{ origin: originUrl, cache: { disk: '400mb', ram: '1mb', objectBytes: '64kb', ...cache } }],
  }
  return startNode(t, { config })
}

/** Undefined: it was cut. */
const askRange = (node: TestNode, target: string, range: string) =>
  node.request(target, { headers: { range } }).catch(() => undefined)

test('a bit that flips beyond the first block, under those who ask for ranges: cut or right, and no worker ends', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    const headers = { 'cache-control': 'max-age=600', etag: '"one"', 'content-length': BYTES }
    response.writeHead(200, headers).end(bodyOf(request.url!))
  })
  const node = await startDisk(t, origin.url, 2)
  const { workers } = node.processes()
  const flipped = `${FLIPPED_AT - 20}-${FLIPPED_AT + 20}`
  const cases = {
    '/small': `bytes=${flipped}`,
    '/large': `bytes=${MIB}-${BYTES - 1}`,
    '/several': `bytes=5-9, ${flipped}`,
    '/several-large': `bytes=0-${MIB}, ${2 * MIB}-${BYTES - 1}`,
  }
  const known = new Set<string>()
  for (const [target, range] of Object.entries(cases)) {
    await eventually(async () => {
      const { headers } = await node.request(target)
      return /hit.*detail=disk/.test(String(headers['cache-status']))
    })
    const [file, ...others] = bodiesBelow(node).filter((path) => !known.has(path))
    assert.deepEqual(others, [])
    known.add(file!)
    const before = await askRange(node, target, range)
    assert.equal(before?.status, 206)
    flipBit(file!, FLIPPED_AT)
    assert.equal(await askRange(node, target, range), undefined, target)
    // It is a miss from then on, and comes anew.
    await eventually(async () => {
      const answer = await node.request(target).catch(() => undefined)
      return answer?.body.equals(bodyOf(target)) === true
    })
    for (const path of bodiesBelow(node)) known.add(path)
    assert.deepEqual(node.processes().workers, workers)
  }
})

test('a body that is cut short on its way to the disk, under those who read it as it comes: each is cut, and no worker ends', async (t) => {
  const held = 48 * MIB
  const whole = bodyOf('/huge', 64 * MIB)
  const origin = await startOrigin(t, (_, response) => {
    const headers = { 'cache-control': 'max-age=600', 'content-length': whole.length }
    response.writeHead(200, headers).write(whole.subarray(0, held))
  })
  const node = await startDisk(t, origin.url, 3)
  const { workers } = node.processes()
  const slow = await new Promise<IncomingMessage>((resolve) =>
    httpGet(new URL('/huge', node.url), { agent: false }, resolve),
  )
  await eventually(() => bodiesBelow(node).some((path) => statSync(path).size === held), {
    withinMs: 60_000,
  })
  for (const path of bodiesBelow(node)) truncateSync(path, 0)
  // Who has got no head yet is told of an error.
  // Each on a connection of its own: so they come to all workers, and those that do not fetch it read it from the one that does.
  const crowd = await Promise.all(
    Array.from({ length: 12 }, () =>
      node.request('/huge').then(
        ({ status }) => (status < 500 ? 'whole' : 'cut'),
        () => 'cut',
      ),
    ),
  )
  assert.deepEqual(crowd, Array<string>(12).fill('cut'))
  let got = 0
  const end = await new Promise<string>((resolve) => {
    slow.on('data', (piece: Buffer) => {
      assert.ok(piece.equals(whole.subarray(got, got + piece.length)))
      got += piece.length
    })
    slow.on('error', () => resolve('cut'))
    slow.on('end', () => resolve('whole'))
  })
  assert.equal(end, 'cut')
  assert.ok(got < held)
  assert.equal(origin.requests.length, 1)
  assert.deepEqual(node.processes().workers, workers)
})
