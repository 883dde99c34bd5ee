import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Effect, StoreView } from '../../contract/store.ts'
import { DEFAULT_MANIFEST, PHASE_BITS } from '../../contract/unit.ts'
import { viewOf } from '../../store/past.ts'
import { planDeploy, type Change } from '../../unit/changes.ts'
import { readPointer, readRecord, readUnits } from '../../unit/records.ts'
import { inverse } from './taking-back.ts'

const secrets = { seal: (text: string) => text, open: (sealed: string) => sealed }

/** A store, and what changes it. */
function shelf() {
  const state = new Map<string, string>()
  const store: StoreView = viewOf({ log: 'l', id: 0, hash: '' }, state)
  const append = (effects: readonly Effect[]) => {
    for (const effect of effects) {
      if (effect.operation === 'SET') state.set(effect.key, effect.value)
      else state.delete(effect.key)
    }
  }
  const deploy = () => {
    const draft = {
      name: 'a',
      code: 'x',
      sourceMap: '',
      files: {},
      entry: 'a.ts',
      phases: PHASE_BITS.access,
      manifest: DEFAULT_MANIFEST,
    }
    const change: Change = planDeploy(store, draft, { secrets, at: 1 })
    const undo = inverse(store, change)
    append(change.effects)
    return () => append(undo())
  }
  const live = () => readUnits(store, secrets).units.map(({ version }) => version)
  return { store, deploy, live }
}

test('a version that is taken back leaves the one before, and its number is not given again', () => {
  const { store, deploy, live } = shelf()
  deploy()
  const before = readPointer(store, 'a')
  deploy()()
  assert.deepEqual(live(), [1])
  assert.deepEqual(readPointer(store, 'a'), { ...before, last: 2 })
  deploy()
  assert.deepEqual(live(), [3])
})

const orders: readonly (readonly [order: readonly number[], left: readonly number[]])[] = [
  [[2], [3]],
  [[2, 3], [1]],
  [[3, 2], [1]],
  [[1, 2, 3], []],
  [[3, 1, 2], []],
  [[2, 1], [3]],
]
for (const [order, left] of orders) {
  test(`of three versions, ${order.join(', then ')} taken back leaves ${left.join() || 'none'} live`, () => {
    const { store, deploy, live } = shelf()
    const undo = [deploy(), deploy(), deploy()]
    for (const version of order) {
      undo[version - 1]!()
      // The store can be read at every moment.
      live()
      assert.equal(readRecord(store, 'a', version), undefined)
    }
    assert.deepEqual(live(), left)
  })
}
