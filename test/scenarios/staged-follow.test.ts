/** `orla deploy --stage … --follow`, to the end of a rollout. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { orla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { askAll, TRUSTING_EDGE } from '../harness/many-clients.ts'
import { startNode } from '../harness/node.ts'
import { CLIENTS, page } from '../harness/rollouts.ts'

test('the command follows a rollout to its end, and fails where it was rolled back', async (t) => {
  const node = await startNode(t, { config: { edge: { workers: 2, ...TRUSTING_EDGE } } })

  const { folder, control, token } = node
  const run = async (text: string, ...options: string[]) => {
    await node.api('PUT', '/v1/units/followed', { source: page('followed', 'old'), replace: true })
    const file = `${folder}/followed.ts`
    await writeFile(file, text)
    const argv = ['deploy', file, '--follow', '--step-for', '100ms', '--timeout', '4m', ...options]
    return orla(argv, { cwd: folder, env: { ORLA_CONTROL: control, ORLA_TOKEN: token } })
  }
  /** With clients who ask until it is over: whom nobody asks moves nothing on. */
  const runAsked = async (...given: Parameters<typeof run>) => {
    let isOver = false
    const running = run(...given)
    void running.finally(() => (isOver = true))
    await eventually(async () => {
      await askAll(node, CLIENTS, '/followed')
      return isOver
    })
    return running
  }
  const good = await runAsked(page('followed', 'new'), '--stage', '10%,50%', '--min-runs', '0')
  assert.equal(good.code, 0, good.stderr)
  assert.match(
    good.stdout,
    /^staged followed 2 on 2\/2 workers in \d+ ms\n {2}> 1\. 10% of all edges\n {4}2\. 50% of all edges\n/,
  )
  assert.match(good.stdout, /followed@2 live everywhere\n$/)

  const bad = await runAsked(
    `export default { paths: ['/followed'], content() { throw new Error('no') } }`,
    '--stage',
    '50%',
  )
  assert.equal(bad.code, 1, bad.stdout)
  assert.match(bad.stderr, /followed@\d+ rolled back: /)
})
