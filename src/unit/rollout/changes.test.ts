import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EdgeError } from '../../base/errors.ts'
import { runKey, versionKey } from '../../contract/unit.ts'
import { abridge, restore, versionsIn } from '../abridged-set.ts'
import { planAllEnabled, planDisabled, planEnv, planRemove, planRollback, VERSIONS_KEPT } from '../changes.ts'
import { readRecord } from '../records.ts'
import { planAbort, planAdvance, planPause, planPromote, planResume } from './changes.ts'
import { stagedTerms, UnitStore } from './testing/unit-store.ts'

const conflict = (says: RegExp) => (error: unknown) =>
  error instanceof EdgeError && error.code === 'unit-conflict' && says.test(`${error.message} ${error.hint}`)

const shadow = { shadow: { share: 1, mayFetch: false } }

test('a rollout leaves the live version where it is until its last stage is over', () => {
  const units = new UnitStore()
  units.deploy()
  units.at = 5
  const { version, unit } = units.start(stagedTerms(['a:5%', '50%']))
  assert.deepEqual([version, versionKey(unit)], [2, 'page@2'])
  assert.deepEqual([units.pointer().live, units.pointer().last, units.pointer().kept], [1, 2, [1, 2]])
  const set = units.set()
  assert.deepEqual(set.units.map(versionKey), ['page@1'])
  assert.deepEqual(set.rollouts?.['page']?.unit.version, 2)

  units.at = 6
  units.apply(planAdvance(units.store, 'page', units.context(), { version: 2, step: 0 }))
  assert.deepEqual([units.staged.step, units.staged.since, units.staged.startedAt], [1, 6, 5])
  assert.equal(units.apply(planAdvance(units.store, 'page', units.context())).version, 2)
  assert.deepEqual([units.pointer().live, units.pointer().history, units.staged.state], [2, [1], 'done'])
  assert.equal(units.set().rollouts, undefined)
  assert.throws(() => planAdvance(units.store, 'page', units.context()), conflict(/no new version of page/))
})

test('whoever acts by what it saw does nothing where the rollout has moved on', () => {
  const units = new UnitStore()
  units.deploy()
  units.start(stagedTerms(['5%,50%']))
  const seen = { version: 2, step: 0 }
  units.apply(planAdvance(units.store, 'page', units.context(), seen))
  assert.deepEqual(planAdvance(units.store, 'page', units.context(), seen).effects, [])
  assert.deepEqual(planAbort(units.store, 'page', 1, 'worse', { version: 1 }).effects, [])
  units.apply(planPause(units.store, 'page', 1))
  assert.deepEqual(planAdvance(units.store, 'page', units.context(), { version: 2, step: 1 }).effects, [])
  assert.deepEqual(planAbort(units.store, 'page', 1, 'worse', { version: 2 }).effects, [])
  units.apply(planResume(units.store, 'page', units.context()))
  units.apply(planAbort(units.store, 'page', 1, 'worse', { version: 2 }))
  assert.deepEqual(
    [units.staged.state, units.staged.reason, units.pointer().live],
    ['rolled-back', 'worse', 1],
  )
  // The unit is gone meanwhile.
  units.apply(planRemove(units.store, 'page', 1))
  assert.deepEqual(planAbort(units.store, 'page', 1, 'worse', { version: 2 }).effects, [])
})

test('what would mix with a rollout is refused, and a rollback ends it', () => {
  const units = new UnitStore()
  assert.throws(() => units.start(stagedTerms(['5%'])), conflict(/no live version/))
  units.deploy()
  units.deploy()
  units.start(stagedTerms(['5%']))
  const says = conflict(/page@3 is being rolled out .*--replace/)
  assert.throws(() => units.deploy(), says)
  assert.throws(() => units.start(shadow), says)
  assert.throws(() => planEnv(units.store, 'page', {}, units.context()), says)
  assert.throws(() => planRollback(units.store, 'page', 1, 1), says)
  assert.deepEqual(units.apply(planRollback(units.store, 'page', 1)).version, 2)
  assert.deepEqual([units.pointer().live, units.staged.reason], [2, 'rolled back by hand'])
  // Now it is over, and the next one goes to the version before.
  units.apply(planRollback(units.store, 'page', 1))
  assert.deepEqual([units.pointer().live, units.pointer().rollout], [1, undefined])

  units.start(stagedTerms(['5%']))
  units.deploy('page', {}, { replacesRollout: true })
  assert.deepEqual([units.pointer().live, units.pointer().rollout], [5, undefined])
  units.apply(planDisabled(units.store, 'page', true, 1))
  assert.throws(() => units.start(stagedTerms(['5%'])), conflict(/switched off/))
})

test('a unit that is switched off runs no version, and its step begins anew when it is on again', () => {
  const units = new UnitStore()
  units.deploy()
  units.start(stagedTerms(['5%']))
  units.apply(planDisabled(units.store, 'page', true, 7))
  assert.equal(units.set().rollouts, undefined)
  units.apply(planDisabled(units.store, 'page', false, 9))
  assert.deepEqual([units.staged.since, units.staged.state], [9, 'running'])
  units.store.append(planAllEnabled(units.store, false))
  assert.equal(units.set().enabled, false)
})

test('a version in quarantine goes no further, and a bad live one is nothing to go back to', () => {
  const units = new UnitStore()
  units.deploy()
  units.start(stagedTerms(['5%']))
  units.bad.add(2)
  assert.throws(() => planAdvance(units.store, 'page', units.context()), conflict(/page@2 is in quarantine/))
  units.bad.clear()
  units.bad.add(1)
  units.apply(planAdvance(units.store, 'page', units.context()))
  assert.deepEqual([units.pointer().live, units.pointer().history], [2, []])
})

test('a shadow is promoted at once or in stages; paused, it runs nowhere', () => {
  const units = new UnitStore()
  units.deploy()
  units.start({ shadow: { share: 0.5, mayFetch: true } })
  const rollout = units.set().rollouts!['page']!
  assert.deepEqual([rollout.kind, rollout.unit.shadow], ['shadow', { mayFetch: true }])
  assert.throws(
    () => planAdvance(units.store, 'page', units.context()),
    conflict(/orla rollouts promote page/),
  )
  units.apply(planPause(units.store, 'page', 1))
  assert.equal(units.set().rollouts, undefined)
  const { staged } = stagedTerms(['50%'])
  units.apply(planPromote(units.store, 'page', units.context(), staged))
  assert.deepEqual([units.staged.kind, units.staged.step, units.pointer().live], ['staged', 0, 1])
  assert.throws(() => planPromote(units.store, 'page', units.context()), conflict(/in stages already/))
  units.start(shadow, {}, { replacesRollout: true })
  units.apply(planPromote(units.store, 'page', units.context()))
  assert.deepEqual([units.pointer().live, units.pointer().history], [3, [1]])
})

test('the versions of a rollout are kept, however many others there are', () => {
  const units = new UnitStore()
  units.deploy()
  for (let n = 0; n < 2 * VERSIONS_KEPT; n += 1)
    units.start(stagedTerms(['5%']), {}, { replacesRollout: true })
  const { live, kept, last } = units.pointer()
  assert.deepEqual([live, kept.includes(1), kept.includes(last), kept.length], [1, true, true, VERSIONS_KEPT])
  for (const version of kept) assert.ok(readRecord(units.store, 'page', version), `${version}`)
})

test('a new version that fails falls back to the live one, and that one to the one before', () => {
  const units = new UnitStore()
  const lastGood = { onError: 'lastGood' } as const
  units.deploy('page', lastGood)
  units.deploy('page', lastGood)
  units.start(stagedTerms(['5%']), lastGood)
  const set = units.set()
  assert.deepEqual(
    Object.entries(set.lastGood).map(([key, unit]) => [key, unit.version]),
    [
      ['page@3', 2],
      ['page', 1],
    ],
  )
  assert.deepEqual(versionsIn(set).map(versionKey), ['page@2', 'page@3', 'page@2', 'page@1'])
})

test('of a rollout that moves on nothing is sent again, but a shadow is another thing than its version live', () => {
  const units = new UnitStore()
  units.deploy()
  const before = units.set()
  units.start(shadow)
  const shadowing = units.set()
  const sent = abridge(shadowing, before)
  assert.ok('code' in sent.rollouts!['page']!.unit)
  const held = new Map(versionsIn(shadowing).map((unit) => [runKey(unit), unit]))
  const whole = restore(structuredClone(abridge(shadowing, shadowing)), (key, text) => held.get(key) ?? text!)
  assert.deepEqual(whole, shadowing)
  units.apply(planPromote(units.store, 'page', units.context(), stagedTerms(['5%,50%']).staged))
  const staged = units.set()
  assert.ok('code' in abridge(staged, shadowing).rollouts!['page']!.unit)
  units.apply(planAdvance(units.store, 'page', units.context()))
  assert.deepEqual(abridge(units.set(), staged).rollouts!['page']!.unit, { name: 'page', version: 2 })
})
