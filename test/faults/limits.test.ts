/** A limit holds whatever happens to those who count: workers are killed as they count, and another program takes over, under load. */
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { type TestContext, test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { isAlive, startTakeover } from '../harness/takeover.ts'

const LIMIT = 300
/** So long that no machine is slow enough for a part of it to come back. */
const limit = { name: 'a', rate: `${LIMIT}/1d`, key: 'all' } as const

/** Clients that ask without end. What was cut with its worker is no answer. */
function hammer(t: TestContext, node: TestNode, clients: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  t.after(() => agent.destroy())
  const seen = { allowed: 0, refused: 0, others: 0, cut: 0 }
  let isOver = false
  const client = async () => {
    while (!isOver) {
      try {
        const { status } = await node.request('/', { agent })
        seen[status === 200 ? 'allowed' : status === 429 ? 'refused' : 'others'] += 1
      } catch {
        seen.cut += 1
      }
    }
  }
  const all = Promise.all(Array.from({ length: clients }, client))
  return {
    seen,
    async stop() {
      isOver = true
      await all
      return seen
    },
  }
}

test('workers that are killed while they count give nothing twice, and hold nobody up', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { edge: { workers: 4, limits: PATIENT }, limits: [limit], sites: [{ origin: origin.url }] },
  })
  const clients = 24
  const kills = 8
  const running = hammer(t, node, clients)
  for (let kill = 0; kill < kills; kill += 1) {
    const before = running.seen.allowed + running.seen.refused
    await eventually(() => running.seen.allowed + running.seen.refused > before + 20)
    const { workers } = node.processes()
    process.kill(workers[kill % workers.length]!, 'SIGKILL')
    await eventually(() => node.processes().workers.length === 4)
  }
  const refused = running.seen.refused
  await eventually(() => running.seen.refused > refused + 500)
  const { allowed, others } = await running.stop()
  assert.ok(allowed <= LIMIT, `${allowed} were allowed`)
  // Whoever was killed may have taken for requests that it did not answer any more.
  assert.ok(allowed >= LIMIT - clients * kills, `only ${allowed} were allowed`)
  assert.equal(others, 0)
})

test('two programs that serve at once during an upgrade count as one', async (t) => {
  const node = await startTakeover(t, {}, undefined, { limits: [limit] })
  const running = hammer(t, node, 8)
  await eventually(() => running.seen.allowed > 20)
  const { stdout, stderr } = await node.orla('upgrade', '--json')
  const { pid } = JSON.parse(stdout || stderr) as { pid: number }
  await eventually(() => !isAlive(node.pid))
  assert.ok(isAlive(pid))
  await eventually(() => running.seen.refused > 500)
  assert.deepEqual(
    { ...(await running.stop()), refused: 0 },
    { allowed: LIMIT, refused: 0, others: 0, cut: 0 },
  )
})
