/** The cache's tier on disk while somebody spoils it: a body is right or it does not end, and the node goes on. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { flipBit } from '../harness/flipped-bit.ts'
import { eventually as atLast } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const MIB = 1024 * 1024
const HOST = { host: 'a.example.org' }
/** Rows of the index, files that are read whole, and files that the kernel sends. */
const SIZES = [0, 1, 900, 16_384, 16_385, 300_000, 2 * MIB + 7, 3 * MIB]
const HUGE_BYTES = 64 * MIB

/** Of each target its own. */
function bodyOf(target: string): Buffer {
  const bytes = target.startsWith('/huge') ? HUGE_BYTES : SIZES[Number(target.slice(1)) % SIZES.length]!
  return Buffer.alloc(bytes, createHash('sha512').update(target).digest())
}

async function startSpoiled(t: TestContext, workers: number) {
  const origin = await startOrigin(t, (request, response) => {
    const body = bodyOf(request.url!)
    response.writeHead(200, { 'cache-control': 'max-age=600', 'content-length': body.length }).end(body)
  })
  const config = {
    edge: { workers, limits: PATIENT },
    sites: [{ origin: origin.url, cache: { disk: '300mb', ram: '1mb', objectBytes: '64kb' } }],
  }
  const folder = mkdtempSync(join(tmpdir(), 'orla-damage-'))
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  const again = () => startNode(t, { config, folder })
  const node = await again()
  return { node, again, origin, tier: join(node.folder, 'data', 'cache', 'sites', '_2a') }
}

const eventually = (check: () => unknown) =>
  atLast(
    async () => {
      await check()
      return true
    },
    { everyMs: 20, withinMs: 60_000 },
  )

const lines = (node: TestNode, pattern: RegExp) => node.stderr().match(new RegExp(pattern, 'g'))?.length ?? 0

/** Whole or cut; throws where it is whole and wrong. */
async function ask(node: TestNode, target: string): Promise<'whole' | 'cut'> {
  const answer = await node.request(target, { headers: HOST }).catch(() => undefined)
  if (answer === undefined) return 'cut'
  assert.equal(answer.status, 200, target)
  assert.ok(answer.body.equals(bodyOf(target)), `${target} is wrong: ${answer.headers['cache-status']}`)
  return 'whole'
}

async function askAll(node: TestNode, targets: readonly string[]): Promise<void> {
  for (const target of targets) await ask(node, target)
}

const bodiesBelow = (tier: string): string[] =>
  readdirSync(join(tier, 'bodies'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

const onDisk = (node: TestNode, target: string) =>
  eventually(async () => {
    const { headers } = await node.request(target, { headers: HOST })
    assert.match(String(headers['cache-status']), /hit.*detail=disk/)
  })

test('a bit that flips in what a slow client has read already: the body does not end in order, and the next one is right', async (t) => {
  const { node, tier } = await startSpoiled(t, 1)
  await ask(node, '/huge')
  await onDisk(node, '/huge')
  const response = await new Promise<IncomingMessage>((resolve) =>
    httpGet(new URL('/huge', node.url), { headers: HOST, agent: false }, resolve),
  )
  await new Promise((resolve) => response.once('readable', resolve))
  assert.notEqual(response.read(), null)
  const [file] = bodiesBelow(tier)
  flipBit(file!, 5)
  const end = await new Promise<string>((resolve) => {
    response.on('error', () => resolve('cut'))
    response.on('end', () => resolve('whole'))
    response.resume()
  })
  assert.equal(end, 'cut')
  assert.equal(await ask(node, '/huge'), 'whole')
})

test('files that are flipped, cut short, longer, swapped and deleted are misses, whether they were read before or not', async (t) => {
  const { node, tier, origin } = await startSpoiled(t, 2)
  const targets = Array.from({ length: 48 }, (_, n) => `/${n}`)
  await askAll(node, targets)
  await eventually(() => assert.ok(bodiesBelow(tier).length >= 24))
  const { workers } = node.processes()
  for (let round = 0; round < 3; round++) {
    const files = bodiesBelow(tier)
    files.forEach((path, n) => {
      const { size } = statSync(path)
      if (n % 4 === 0) flipBit(path, (n * 104_729) % size)
      else if (n % 4 === 1) truncateSync(path, size - 1)
      else if (n % 4 === 2) rmSync(path)
    })
    // What is found to be wrong in the middle of a body cuts it: once in the worker that finds it.
    for (const target of targets)
      await eventually(async () => assert.equal(await ask(node, target), 'whole', target))
  }
  assert.ok(origin.requests.length > targets.length)
  assert.deepEqual(node.processes().workers, workers)
})

test('an index that is spoiled in any place while it is used, and before a start, gives no wrong body', async (t) => {
  const { node, tier, again } = await startSpoiled(t, 2)
  const targets = Array.from({ length: 24 }, (_, n) => `/${n}`)
  await askAll(node, targets)
  const { workers } = node.processes()
  const index = join(tier, 'index.db')
  const spoil = (round: number): void => {
    const path = [index, `${index}-wal`][round % 2]!
    const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 }
    if (size > 0) flipBit(path, (round * 104_729) % size)
  }
  for (let round = 0; round < 30; round++) {
    spoil(round)
    await askAll(node, targets.slice(0, 8))
  }
  assert.deepEqual(node.processes().workers, workers)
  let last = node
  for (let round = 0; round < 3; round++) {
    last.kill('SIGKILL')
    await last.ended
    if (round === 0) for (let flips = 0; flips < 20; flips++) spoil(flips * 7919)
    if (round === 1) writeFileSync(index, Buffer.alloc(64 * 1024, 'no index'))
    if (round === 2) truncateSync(index, 5000)
    last = await again()
    await askAll(last, targets)
    await onDisk(last, '/5')
  }
})

test('an index that another process holds locked holds up no request, and the tier is used again when it lets go', async (t) => {
  const { node, tier } = await startSpoiled(t, 2)
  await askAll(node, ['/1', '/2', '/5'])
  await onDisk(node, '/5')
  const other = new DatabaseSync(join(tier, 'index.db'), { timeout: 10_000 })
  other.exec('BEGIN IMMEDIATE')
  let asked = 100
  await eventually(async () => {
    await askAll(node, [`/${asked++}`])
    assert.equal(lines(node, /rests: database is locked; memory goes on without it/), 1)
  })
  await askAll(
    node,
    Array.from({ length: 40 }, (_, n) => `/${n}`),
  )
  other.exec('ROLLBACK')
  other.close()
  await eventually(() => assert.equal(lines(node, /is used again/), 1))
  await ask(node, '/205')
  await onDisk(node, '/205')
})
