/** Rollouts that are moved by how both versions do, on a whole node. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isInShare } from '../../src/unit/rollout/stages.ts'
import { eventually } from '../harness/eventually.ts'
import { askAll, TRUSTING_EDGE, withText } from '../harness/many-clients.ts'
import { startNode } from '../harness/node.ts'
import { chosen, CLIENTS, page, rolloutOf } from '../harness/rollouts.ts'

/** New versions that are worse, and what is said of them. */
const WORSE = [
  ['throws', 'content() { throw new Error("bad") }', /its breaker opened|runs that failed|quarantine/],
  ['fails', 'content: () => new Response("bad", { status: 503 })', /^answers of 500 and above: \d+ of \d+/],
  [
    'slow',
    'content: () => new Promise((done) => setTimeout(() => done(new Response("late")), 150))',
    /^wall time: p50 .* of the new version/,
  ],
] as const

test('versions are moved on, or back, by how they do', async (t) => {
  const node = await startNode(t, { config: { edge: { workers: 2, ...TRUSTING_EDGE } } })
  for (const [name] of WORSE) await node.deploy(name, page(name, 'old'))
  await node.deploy('good', page('good', 'old'))

  await t.test(
    'a worse one is rolled back by itself, and clients outside of its share notice nothing',
    async () => {
      for (const [name, handler] of WORSE) {
        const source = `export default { paths: ['/${name}'], ${handler} }`
        await node.deploy(name, source, { stages: ['30%,100%'], stepForMs: 600_000 })
      }
      for (const [name, , reason] of WORSE) {
        const met = new Set<string>()
        await eventually(async () => {
          for (const [address, { text }] of await askAll(node, CLIENTS, `/${name}`))
            if (text !== 'old') met.add(address)
          return (await rolloutOf(node, name)).state === 'rolled-back'
        })
        assert.match((await rolloutOf(node, name)).reason ?? '', reason)
        assert.ok(met.size > 0, name)
        // Nobody outside of the share had anything but the live version.
        for (const address of met)
          assert.ok(isInShare({ name, version: 2 }, 0.3, address), `${address} met ${name}`)
        assert.equal(withText(await askAll(node, CLIENTS, `/${name}`), 'old').size, CLIENTS.length)
        assert.ok(node.stderr().includes(`${name}@2 is rolled back: `), node.stderr())
      }
    },
  )

  await t.test(
    'a good one goes through its stages, each with enough requests, and is live in the end',
    async () => {
      const stages = { stages: ['25%,100%'], stepForMs: 200, gate: { minRuns: 20 } }
      await node.deploy('good', page('good', 'new'), stages)
      // Nobody asks: it waits, and says so.
      await eventually(async () => (await rolloutOf(node, 'good')).judgement === 'waiting')
      assert.match((await node.orla('rollouts')).stdout, /good@2 .* waits for .*20 more requests/)
      assert.match((await node.orla('units')).stdout, /good +1 +live, 2 at 25% of all edges/)
      await eventually(async () => {
        await askAll(node, CLIENTS, '/good')
        return (await rolloutOf(node, 'good')).state === 'done'
      })
      assert.equal((await chosen(node, 'good')).size, CLIENTS.length)
      const { version } = JSON.parse((await node.api('GET', '/v1/units/good')).text) as { version: number }
      assert.equal(version, 2)
      assert.match(node.stderr(), /good@2 goes on: 100% of all edges\ngood@2 goes on: live everywhere\n/)
    },
  )
})
