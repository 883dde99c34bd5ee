/** What one keeper of several tiers tells each worker. */
import assert from 'node:assert/strict'
import { renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bodyOf, DiskRig, MIB, put, until } from './disk.support.ts'

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

test('a folder whose index cannot even be looked for puts the tier to rest, and nothing else', async (t) => {
  const rig = new DiskRig(t)
  await rig.worker()
  const moved = `${rig.folder}-moved`
  renameSync(rig.folder, moved)
  // A link to itself: whoever looks behind it is told ELOOP.
  symlinkSync(rig.folder, rig.folder)
  await until(() => rig.lines.some((line) => line.includes('rests: ')))
  assert.match(rig.keeper.states[0]!.problem!, /ELOOP/)
  rmSync(rig.folder)
  renameSync(moved, rig.folder)
  await until(() => rig.keeper.states[0]!.isOpen)
})

test('another policy keeps count of what was evicted before', async (t) => {
  const rig = new DiskRig(t, { bytesMax: 2 * MIB })
  const tier = await rig.worker()
  for (let n = 0; n < 30; n++) await put(tier, `http://a/${n}`, Buffer.alloc(200_000))
  const { evicted } = rig.keeper.states[0]!
  assert.ok(evicted > 10, `${evicted}`)
  rig.keeper.use([{ ...rig.plan, policy: 'fifo' }])
  assert.equal(rig.keeper.states[0]!.evicted, evicted)
})

test('a tier that is closed is not opened again by a try that was to come', async (t) => {
  const rig = new DiskRig(t)
  const tier = await rig.worker()
  const index = join(rig.folder, 'index.db')
  t.mock.timers.enable({ apis: ['setTimeout'] })
  try {
    renameSync(index, `${index}-moved`)
    tier.onOpen({ name: 'shared', folder: rig.folder, generation: 99 })
    renameSync(`${index}-moved`, index)
    assert.equal(tier.isOpen, false)
    tier.close()
    t.mock.timers.tick(60_000)
    assert.equal(tier.isOpen, false)
  } finally {
    t.mock.timers.reset()
  }
})
