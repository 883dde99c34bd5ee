/** A rollout that goes on and back by itself while an edge is away. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RolloutSummary } from '../../src/control/rollout-shapes.ts'
import { startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { askAll, TRUSTING_EDGE } from '../harness/many-clients.ts'
import { startNode } from '../harness/node.ts'
import { CLIENTS, page, rolloutOf } from '../harness/rollouts.ts'

test('an edge that is away holds up neither the next step nor the way back', async (t) => {
  const config = { edge: { workers: 1, ...TRUSTING_EDGE } }
  const control = await startNode(t, { config })
  const gone = await startEdge(t, control, 'gone', { config })
  await control.deploy('page', page('page', 'old'))
  gone.kill('SIGKILL')
  await gone.ended
  const source = `export default {
    paths: ['/page'],
    limits: { cpuMs: 1000 },
    content: (request) => new Response('new', { status: request.query.has('bad') ? 503 : 200 }),
  }`
  const terms = { stages: ['50%,100%'], stepForMs: 3000, gate: { minRuns: 1 }, wait: 'stored' }
  await control.deploy('page', source, terms)
  const until = (path: string, holds: (rollout: RolloutSummary & { kind: 'staged' }) => boolean) =>
    eventually(
      async () => {
        await askAll(control, CLIENTS, path)
        return holds(await rolloutOf(control, 'page'))
      },
      { withinMs: 60_000 },
    )
  await until('/page', ({ step }) => step === 1)
  await until('/page?bad', ({ state }) => state === 'rolled-back')
  assert.match((await rolloutOf(control, 'page')).reason ?? '', /^answers of 500 and above: /)
})
