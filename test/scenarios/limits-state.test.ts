/** What limits count is the node's: one count for all workers, whatever happens to them, to the configuration or to the program. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import type { Ask } from '../harness/http-client.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { isAlive, startTakeover } from '../harness/takeover.ts'

/** So long that no machine is slow enough for a part of it to come back. */
const DAY = '1d'

async function count(node: TestNode, requests: number, options: Ask = {}): Promise<Record<number, number>> {
  const answers = await Promise.all(Array.from({ length: requests }, () => node.request('/', options)))
  const byStatus: Record<number, number> = {}
  for (const { status } of answers) byStatus[status] = (byStatus[status] ?? 0) + 1
  return byStatus
}

async function setLimits(node: TestNode, limits: readonly object[]): Promise<void> {
  const path = join(node.folder, 'orla.config.json')
  const config = JSON.parse(await readFile(path, 'utf8')) as object
  await writeFile(path, JSON.stringify({ ...config, limits }))
}

const decisionsOf = async (node: TestNode, outcome: string): Promise<number> => {
  const { text } = await node.api('GET', '/metrics')
  return Number(
    new RegExp(`orla_limit_decisions_total\\{[^}]*outcome="${outcome}"\\} (\\d+)`).exec(text)?.[1],
  )
}

for (const [algorithm, store] of [
  ['token-bucket', 'exact'],
  ['sliding-log', 'exact'],
  ['gcra', 'exact'],
  ['sliding-window', 'exact'],
  ['fixed-window', 'sketch'],
] as const) {
  test(`four workers and a client that hammers: ${algorithm} (${store}) gives what it says, and not one more`, async (t) => {
    const origin = await startOrigin(t)
    const node = await startNode(t, {
      config: {
        edge: {
          workers: 4,
          limits: PATIENT,
          accessLog: { path: 'access.log', fields: ['worker', 'status'] },
        },
        // A log takes a place for each request of each key.
        limits: [{ name: 'a', rate: `100/${DAY}`, key: 'address', algorithm, store, keysMax: 1000 }],
        sites: [{ origin: origin.url }],
      },
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 40 })
    t.after(() => agent.destroy())
    assert.deepEqual(await count(node, 800, { agent }), { 200: 100, 429: 700 })
    assert.equal(await decisionsOf(node, 'allowed'), 100)
    assert.equal(await decisionsOf(node, 'refused'), 700)
    const workers = await eventually(() => {
      const lines = readFileSync(join(node.folder, 'access.log'), 'utf8').trimEnd().split('\n')
      return lines.length === 800 && new Set(lines.map((line) => JSON.parse(line).worker))
    })
    assert.deepEqual([...workers].toSorted(), [0, 1, 2, 3], 'all of them had a part in it')
  })
}

test('workers that are killed lose no count', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: {
      edge: { workers: 2, limits: PATIENT },
      limits: [{ name: 'a', rate: `10/${DAY}`, key: 'address' }],
      sites: [{ origin: origin.url }],
    },
  })
  assert.deepEqual(await count(node, 6), { 200: 6 })
  const { workers } = node.processes()
  for (const pid of workers) process.kill(pid, 'SIGKILL')
  await eventually(async () => {
    const { text } = await node.api('GET', '/metrics')
    return (
      /^orla_workers_ready 2$/m.test(text) && node.processes().workers.every((pid) => !workers.includes(pid))
    )
  })
  assert.deepEqual(await count(node, 10), { 200: 4, 429: 6 })
})

test('a reload changes the rate of a limit and keeps what was counted; another key begins anew', async (t) => {
  const origin = await startOrigin(t)
  const limit = { name: 'a', rate: `3/${DAY}`, key: 'address' }
  const node = await startNode(t, {
    config: { edge: { workers: 2, limits: PATIENT }, limits: [limit], sites: [{ origin: origin.url }] },
  })
  assert.deepEqual(await count(node, 5), { 200: 3, 429: 2 })

  await setLimits(node, [{ ...limit, rate: `5/${DAY}` }])
  assert.equal((await node.orla('reload')).code, 0)
  assert.deepEqual(await count(node, 5), { 200: 2, 429: 3 })

  await setLimits(node, [{ ...limit, key: 'host' }])
  assert.equal((await node.orla('reload')).code, 0)
  assert.deepEqual(await count(node, 5), { 200: 3, 429: 2 })

  await setLimits(node, [{ ...limit, algorithm: 'sliding-log', burst: 3 }])
  const refused = await node.orla('reload')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /limits\[0\]\.burst: belongs to "token-bucket"/)
  assert.deepEqual(await count(node, 2), { 429: 2 })

  await setLimits(node, [])
  assert.equal((await node.orla('reload')).code, 0)
  assert.deepEqual(await count(node, 5), { 200: 5 })
})

test('limits of a site change live with it', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 2, limits: PATIENT } } })
  const site = { name: 'shop', hosts: ['*'], origin: origin.url }
  const set = async (limits: readonly object[]) => {
    const answer = await node.api('PUT', '/v1/sites/shop', { ...site, limits })
    assert.equal(answer.status, 200, answer.text)
  }
  await set([{ name: 'a', rate: `2/${DAY}`, key: 'address' }])
  assert.deepEqual(await count(node, 5), { 200: 2, 429: 3 })
  await set([{ name: 'a', rate: `4/${DAY}`, key: 'address' }])
  assert.deepEqual(await count(node, 5), { 200: 2, 429: 3 })
  await set([])
  assert.deepEqual(await count(node, 3), { 200: 3 })
})

test('a program that takes over goes on with what was counted', async (t) => {
  const limits = [{ name: 'a', rate: `6/${DAY}`, key: 'address' as const }]
  const node = await startTakeover(t, {}, undefined, { limits })
  assert.deepEqual(await count(node, 4), { 200: 4 })
  for (const expected of [{ 200: 1 }, { 200: 1, 429: 1 }]) {
    const { pid } = JSON.parse((await node.orla('upgrade', '--json')).stdout) as { pid: number }
    await eventually(() => isAlive(pid))
    const requests = Object.values(expected).reduce((sum, one) => sum + one, 0)
    assert.deepEqual(await count(node, requests), expected)
  }
})
