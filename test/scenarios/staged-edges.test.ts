/** Rollouts over a control plane and edges that follow it: who runs what, and how edges say how it does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { askAll, TRUSTING_EDGE, withText } from '../harness/many-clients.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { BY_HAND, chosen, CLIENTS, move, page, rolloutOf } from '../harness/rollouts.ts'

test('a rollout goes over edges by their groups, and is judged by what they count', async (t) => {
  const config = { edge: { workers: 1, ...TRUSTING_EDGE } }
  const control = await startNode(t, { config: { ...config, node: { name: 'control' } } })
  await control.deploy('page', page('page', 'old'))
  await control.deploy('shown', page('shown', 'old'))
  const [canary, other] = await Promise.all([
    startEdge(t, control, 'canary-1', { config: { ...config, node: { groups: ['canary'] } } }),
    startEdge(t, control, 'other-1', { config }),
  ])

  await t.test(
    'edges in the group give it to the same clients, others to none until a stage names them',
    async () => {
      const stages = ['canary:30%,60%', '30%']
      const { live } = await control.deploy('page', page('page', 'new'), { stages, ...BY_HAND })
      assert.deepEqual(live, { workers: 3, of: 3 })
      const first = await chosen(canary, 'page')
      assert.ok(first.size > 20 && first.size < 55, `${first.size}`)
      assert.deepEqual([(await chosen(other, 'page')).size, (await chosen(control, 'page')).size], [0, 0])

      await move(control, 'page', 'advance')
      await move(control, 'page', 'advance')
      // A share is the same clients on every edge.
      assert.deepEqual(await chosen(other, 'page'), first)
      assert.ok(first.isSubsetOf(await chosen(canary, 'page')))
      await move(control, 'page', 'advance')
      for (const node of [control, canary, other])
        assert.equal((await chosen(node, 'page')).size, CLIENTS.length)
    },
  )

  await t.test('an edge is not where rollouts are moved', async () => {
    const refused = await canary.api('POST', '/v1/rollouts/page/abort')
    assert.equal(refused.status, 409, refused.text)
  })

  await t.test('what is worse on one edge is taken back on all of them', async () => {
    const source = `export default { paths: ['/page'], content: () => new Response('bad', { status: 503 }) }`
    await control.deploy('page', source, { stages: ['canary:50%', '50%'], stepForMs: 600_000 })
    await eventually(async () => {
      await askAll(canary, CLIENTS, '/page')
      return (await rolloutOf(control, 'page')).state === 'rolled-back'
    })
    assert.match((await rolloutOf(control, 'page')).reason ?? '', /^answers of 500 and above: /)
    // The edges are told by the log.
    for (const node of [control, canary, other])
      await eventually(
        async () => withText(await askAll(node, CLIENTS, '/page'), 'new').size === CLIENTS.length,
      )
  })

  await t.test('the control plane tells what a shadow would have done on an edge', async () => {
    await control.deploy('shown', page('shown', 'new'), { shadow: {} })
    assert.equal((await other.request('/shown')).text, 'old')
    const { examples } = await eventually(async () => {
      const now = await rolloutOf<'shadow'>(control, 'shown')
      return now.results.different === 1 && now
    })
    assert.deepEqual([examples[0]?.path, examples[0]?.differs], ['/shown', ['body']])
  })

  await t.test(
    'edges keep to it while the control plane is dead, also over kill -9 of their own',
    async () => {
      await control.deploy('page', page('page', 'newer'), { stages: ['50%'], ...BY_HAND })
      const newer = async (node: TestNode) => withText(await askAll(node, CLIENTS, '/page'), 'newer')
      const before = await newer(canary)
      assert.ok(before.size > 30 && before.size < 90, `${before.size}`)
      control.kill('SIGKILL')
      await control.ended
      canary.kill('SIGKILL')
      await canary.ended
      const store = { kind: 'replica', control: control.control, token: 'none' } as const
      const again = await startNode(t, {
        folder: canary.folder,
        config: { ...config, node: { name: 'canary-1', groups: ['canary'] }, store },
      })
      assert.deepEqual(await newer(again), before)
      assert.deepEqual(await newer(other), before)
      await again.stop()
    },
  )
})
