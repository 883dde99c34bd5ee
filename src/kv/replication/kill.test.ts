/** `kill -9` of an edge, for real: what was acknowledged is there, and nothing twice. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import type { KvUplinkBatch } from '../../contract/kv-replication.ts'
import { Node, World } from './simulation.support.ts'
import type { FromPlane, ToPlane } from './testing/edge.ts'

const EDGE = new URL('./testing/edge.ts', import.meta.url).pathname

test('an edge that is killed over and over loses nothing that was acknowledged, and counts nothing twice', async (t) => {
  const world = new World(1)
  const plane = new Node(world, 'plane', () => ({ kind: 'authority' }), { keepEntries: 50 })
  t.after(() => {
    plane.close()
    world.close()
  })
  let acknowledged = 0
  for (let round = 0; round < 6; round++) {
    const child = fork(EDGE, [join(world.folder, 'edge-0.db')], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    const tell = (message: FromPlane) => void (child.connected && child.send(message, () => {}))
    const ended = new Promise((resolve) => child.once('exit', resolve))
    let inRound = 0
    const enough = new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => code !== null && reject(new Error(`the edge ended with ${code}`)))
      child.on('message', (message: ToPlane) => {
        if (message.kind === 'send') {
          // Sometimes its answer is on its way when the edge is killed.
          void plane.keeper.uplink!.send(message.batch as KvUplinkBatch).then((answers) => {
            setTimeout(tell, world.below(10), { kind: 'answers', id: message.id, answers })
          })
        } else if (message.kind === 'read') {
          const { bucket, position } = message
          const entries = plane.keeper.feed!.entriesAfter(bucket, position, 100)
          if (entries === 'reset')
            tell({ kind: 'snapshot', bucket, parts: [...plane.keeper.feed!.snapshot(bucket)] })
          else if (entries.length > 0) tell({ kind: 'entries', bucket, entries })
        } else {
          acknowledged = message.count
          if (++inRound === 40 + world.below(100) || inRound > 140) resolve()
        }
      })
    })
    await enough
    child.kill('SIGKILL')
    await ended
  }
  const edge = new Node(world, 'edge-0', () => ({ kind: 'edge', uplink: plane.keeper.uplink! }))
  t.after(() => edge.close())
  assert.ok(edge.number('made') >= acknowledged, 'what was acknowledged is there')
  assert.equal(edge.number('n'), edge.number('made'))
  await world.run(5000)
  assert.equal(plane.number('made'), edge.number('made'))
  assert.equal(plane.number('n'), edge.number('made'), 'and once')
})
