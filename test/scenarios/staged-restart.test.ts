/** A rollout lies in the store: it goes on over a restart, and over kill -9. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { TRUSTING_EDGE } from '../harness/many-clients.ts'
import { startNode } from '../harness/node.ts'
import { BY_HAND, chosen, CLIENTS, move, page, rolloutOf } from '../harness/rollouts.ts'

test('the same clients have the new version after kill -9, and a rollout goes on after a restart', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-node-'))
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  const start = () => startNode(t, { folder, config: { edge: TRUSTING_EDGE } })

  const node = await start()
  await node.deploy('page', page('page', 'old'))
  await node.deploy('page', page('page', 'new'), { stages: ['30%,60%'], ...BY_HAND })
  const before = await chosen(node, 'page')
  node.kill('SIGKILL')
  await node.ended

  const again = await start()
  assert.deepEqual(await chosen(again, 'page'), before)
  const { state, step, stages } = await rolloutOf(again, 'page')
  assert.deepEqual([state, step, stages.length], ['running', 0, 2])
  await move(again, 'page', 'advance')
  assert.ok(before.isSubsetOf(await chosen(again, 'page')))
  await move(again, 'page', 'abort')
  // Longer than this node lives: its step begins anew on the next one.
  await again.deploy('page', page('page', 'new'), {
    stages: ['30%,100%'],
    stepForMs: 1500,
    gate: { minRuns: 0 },
  })
  await again.stop()

  const last = await start()
  await eventually(async () => {
    await last.request('/page')
    return (await rolloutOf(last, 'page')).state === 'done'
  })
  assert.equal((await chosen(last, 'page')).size, CLIENTS.length)
})
