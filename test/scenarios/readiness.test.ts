/** `/readyz` on a real node: what a load balancer is told while something is in the way of its work. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

interface Readiness {
  readonly ready: boolean
  readonly problems: readonly string[]
}

async function readiness(node: TestNode): Promise<Readiness & { status: number }> {
  const { status, text } = await node.api('GET', '/readyz')
  return { status, ...(JSON.parse(text) as Readiness) }
}

const isReady = (node: TestNode) => eventually(async () => (await readiness(node)).status === 200)

const gauge = async (node: TestNode, name: string) =>
  new RegExp(`^${name} (\\d)$`, 'm').exec((await node.api('GET', '/metrics')).text)?.[1]

test('a node that drains is alive and not ready', async (t) => {
  const held = Promise.withResolvers<void>()
  const origin = await startOrigin(t, (_, response) => void held.promise.then(() => response.end('late')))
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
  await isReady(node)
  const answer = node.request('/slow')
  await eventually(() => origin.requests.length === 1)
  node.kill('SIGTERM')
  const { status, ready, problems } = await eventually(async () => {
    const now = await readiness(node)
    return now.ready ? undefined : now
  })
  assert.equal(status, 503)
  assert.equal(ready, false)
  assert.ok(problems.includes('the node is draining'), problems.join())
  assert.equal((await node.api('GET', '/healthz')).status, 200)
  assert.equal(await gauge(node, 'orla_ready'), '0')
  held.resolve()
  assert.equal((await answer).text, 'late')
  assert.deepEqual(await node.ended, { code: 0, signal: null })
})

test('a worker that died is missed until another one serves', async (t) => {
  const origin = await startOrigin(t, (_, response) => response.end('hello'))
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: [{ origin: origin.url }] } })
  await isReady(node)
  process.kill(node.processes().workers[0]!, 'SIGKILL')
  const seen = await eventually(
    async () => {
      const now = await readiness(node)
      return now.ready ? undefined : now
    },
    { everyMs: 1 },
  )
  assert.deepEqual(seen, { status: 503, ready: false, problems: ['1 of 2 workers are not ready'] })
  await isReady(node)
  assert.equal((await node.request('/')).status, 200)
})

test('a store that is gone makes a node unready, and one that is back makes it ready', async (t) => {
  const origin = await startOrigin(t, (_, response) => response.end('hello'))
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
  await isReady(node)
  const store = join(node.folder, 'data/orla.db')
  renameSync(store, `${store}.away`)
  const { status, problems } = await readiness(node)
  assert.equal(status, 503)
  assert.match(problems.join(), /^the store cannot be written: ENOENT/)
  assert.equal(await gauge(node, 'orla_store_writable'), '0')
  assert.equal((await node.request('/')).text, 'hello')
  renameSync(`${store}.away`, store)
  assert.equal((await readiness(node)).status, 200)
})

/** A small disk of our own, or undefined where that is not ours to make. */
function smallDisk(t: { after(end: () => void): void }): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'orla-disk-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]).status !== 0) {
    rmSync(folder, { recursive: true })
    return undefined
  }
  t.after(() => {
    // Whatever was mounted there since; a node that still runs does not mind.
    while (spawnSync('umount', ['--lazy', folder]).status === 0);
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

test('a store whose disk is full, or may only be read, makes a node unready', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return t.skip('mounting a disk needs root')
  const origin = await startOrigin(t, (_, response) => response.end('hello'))
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }], store: { path: disk } } })
  await isReady(node)
  const filler = join(disk, 'filler')
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(filler, Buffer.alloc((bavail - 4) * bsize))
  const full = await readiness(node)
  assert.equal(full.status, 503)
  assert.match(full.problems.join(), /^the store cannot be written: \d+ bytes are free on the disk of /)
  assert.equal((await node.request('/')).text, 'hello')
  rmSync(filler)
  await isReady(node)
  execFileSync('mount', ['--bind', disk, disk])
  execFileSync('mount', ['-o', 'remount,bind,ro', disk])
  const readOnly = await readiness(node)
  assert.equal(readOnly.status, 503)
  assert.match(readOnly.problems.join(), /EROFS/)
})
