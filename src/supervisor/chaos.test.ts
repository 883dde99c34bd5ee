import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, startTestNode } from './testing/test-node.ts'

test('while workers are killed at random, every acknowledged deploy is live on all of them in the end', async (t) => {
  const node = await startTestNode(t, { edge: { workers: 3 } })
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const random = mulberry32(seed)
  const killer = (async () => {
    for (let kills = 0; kills < 8; kills += 1) {
      const [edge] = (await node.call('GET', '/v1/edges')).body as unknown as [
        { workers: { pid: number; state: string }[] },
      ]
      const ready = edge.workers.filter(({ state }) => state === 'ready')
      const victim = ready[Math.floor(random() * ready.length)]
      if (victim !== undefined) process.kill(victim.pid, 'SIGKILL')
      await new Promise((resolve) => setTimeout(resolve, random() * 300))
    }
  })()
  const acknowledged: Record<string, number> = {}
  for (let i = 0; i < 24; i += 1) {
    const name = `unit-${i % 3}`
    const { status, body } = await node.deploy(name, `// ${i}`, { timeoutMs: 240_000 })
    // Refused where no worker was left to try it; but never half done.
    if (status === 200) acknowledged[name] = Number(body['version'])
    else assert.ok(['worker-failed', 'unit-invalid'].includes(String(body['code'])), JSON.stringify(body))
  }
  await killer
  await eventually(
    () => node.call('GET', '/readyz'),
    ({ status }) => status === 200,
  )
  const expected = Object.entries(acknowledged)
    .map(([name, version]) => `${name}@${version}`)
    .toSorted()
  assert.ok(expected.length > 0)
  for (const worker of await node.everyWorker()) assert.deepEqual(worker.units.toSorted(), expected)
})

/** A small generator of random numbers that a seed repeats. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
