/** What one keeper of several tiers tells each worker. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { bodyOf, DiskRig, put } from './disk.support.ts'

test('what one tier has done says nothing about what another one was asked before', async (t) => {
  const rig = new DiskRig(t)
  const plans = [rig.plan, { ...rig.plan, name: 'site other', folder: join(rig.folder, '..', 'other') }]
  rig.keeper.use(plans)
  const [one, other] = await rig.workerOf(plans)
  // The other tier has work first, so it commits first, although what it is asked for comes last.
  other!.drop('nothing')
  const gone = { id: 5, bytes: 1, sums: Buffer.alloc(4) }
  const [refused, stored] = await Promise.all([
    put(one!, 'a', Buffer.alloc(0), { body: { kind: 'stored', file: gone } }),
    put(other!, 'b', Buffer.from('1')),
  ])
  assert.equal(refused, undefined)
  assert.equal(stored, 'inline')
  assert.equal(bodyOf(other!, 'b')?.toString(), '1')
  assert.equal(one!.counters.refused, 1)
})
