import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { DEFAULT_GATE } from '../../contract/rollout.ts'
import type { Effect } from '../../contract/store.ts'
import { siteKey, type SiteRecord } from '../../site/records.ts'
import { openStore } from '../../store/sqlite-store.ts'
import { ENABLED_KEY, pointerKey, readPointer, recordKey, type UnitPointer } from '../../unit/records.ts'
import { planRestoration } from './restoration.ts'
import { inverse } from '../changes/taking-back.ts'

const root = mkdtempSync(join(tmpdir(), 'orla-restore-'))
after(() => rmSync(root, { recursive: true, force: true }))
const open = () => openStore(mkdtempSync(join(root, 's-')), { clock: systemClock })

const set = (key: string, value: unknown): Effect => ({
  operation: 'SET',
  key,
  value: typeof value === 'string' ? value : JSON.stringify(value),
})
const remove = (key: string): Effect => ({ operation: 'DELETE', key })
const pointer = (live: number, kept: readonly number[], more: Partial<UnitPointer> = {}): UnitPointer => ({
  live,
  history: [],
  kept,
  last: Math.max(live, ...kept),
  disabled: false,
  at: 1,
  ...more,
})
const site = (origin: string, from: 'file' | 'live' = 'live'): SiteRecord => ({
  input: { hosts: ['a'], origin },
  folder: '/',
  from,
  version: 1,
  at: 1,
})

/** One unit and one site at position 3, and something of everything changed after it. */
function changed() {
  const store = open()
  store.append([
    set(pointerKey('gate'), pointer(1, [1])),
    set(recordKey('gate', 1), { code: 'one' }),
    set(siteKey('tv'), site('http://127.0.0.1:1', 'file')),
  ])
  const past = store.position().id
  store.append([
    set(recordKey('gate', 2), { code: 'two' }),
    set(pointerKey('gate'), pointer(2, [1, 2], { history: [1] })),
    set(recordKey('late', 1), { code: 'late' }),
    set(pointerKey('late'), pointer(1, [1])),
    set(siteKey('tv'), site('http://127.0.0.1:2')),
    set(siteKey('shop'), site('http://127.0.0.1:3')),
    set('token/t', 'revoked'),
    set('settings/sites-file', '{}'),
    set(ENABLED_KEY, 'false'),
  ])
  return { store, past }
}

test('units and sites become what they were; tokens, numbers and what the file said do not', (t) => {
  const { store, past } = changed()
  t.after(() => store.close())
  const plan = planRestoration(store, store.at(past), 9)
  assert.deepEqual(plan.units, { added: [], changed: ['gate'], removed: ['late'] })
  assert.deepEqual(plan.sites, { added: [], changed: ['tv'], removed: ['shop'] })
  assert.equal(plan.unitsEnabled, true)
  assert.deepEqual(plan.live, [{ name: 'gate', version: 1 }])
  const before = store.position().id
  store.append(plan.effects)
  assert.deepEqual(readPointer(store, 'gate'), pointer(1, [1], { last: 2, at: 9 }))
  assert.deepEqual(readPointer(store, 'late', true), pointer(0, [], { last: 1, at: 9 }))
  assert.equal(store.get(recordKey('gate', 2)), undefined)
  assert.equal(store.get(recordKey('late', 1)), undefined)
  const { input, from, version } = JSON.parse(store.get(siteKey('tv'))!) as SiteRecord
  assert.deepEqual([input.origin, from, version], ['http://127.0.0.1:1', 'live', before + 1])
  assert.equal(store.get(siteKey('shop')), undefined)
  assert.equal(store.get('token/t'), 'revoked')
  assert.equal(store.get('settings/sites-file'), '{}')
  assert.equal(store.get(ENABLED_KEY), 'true')
})

test('what is restored is restored once, and taken back the same way', (t) => {
  const { store, past } = changed()
  t.after(() => store.close())
  const before = store.position().id
  store.append(planRestoration(store, store.at(past), 9).effects)
  assert.deepEqual(planRestoration(store, store.at(past), 10).effects, [])
  const back = planRestoration(store, store.at(before), 11)
  assert.deepEqual(back.units, { added: ['late'], changed: ['gate'], removed: [] })
  store.append(back.effects)
  assert.deepEqual(readPointer(store, 'gate'), pointer(2, [1, 2], { history: [1], at: 11 }))
  assert.deepEqual(JSON.parse(store.get(recordKey('gate', 2))!), { code: 'two' })
})

test('a removed unit comes back with its versions, and its numbers go on', (t) => {
  const store = open()
  t.after(() => store.close())
  store.append([set(recordKey('a', 4), { code: 'x' }), set(pointerKey('a'), pointer(4, [4]))])
  const past = store.position().id
  store.append([remove(recordKey('a', 4)), set(pointerKey('a'), pointer(0, [], { last: 7 }))])
  const plan = planRestoration(store, store.at(past), 9)
  assert.deepEqual(plan.units, { added: ['a'], changed: [], removed: [] })
  store.append(plan.effects)
  assert.deepEqual(readPointer(store, 'a'), pointer(4, [4], { last: 7, at: 9 }))
})

test('where workers refuse it, all of it is taken back, and no number is given again', (t) => {
  const { store, past } = changed()
  t.after(() => store.close())
  const { effects } = planRestoration(store, store.at(past), 9)
  const now = store.snapshot().entries
  const undo = inverse(store, { name: 'the way back', version: 0, effects })
  store.append(effects)
  store.append(undo())
  assert.deepEqual(store.snapshot().entries, now)
})

test('a rollout that is under way ends, and one that was under way does not begin again', (t) => {
  const store = open()
  t.after(() => store.close())
  const rollout = { version: 2, from: 1, state: 'running', startedAt: 1, since: 1 } as const
  const rolling = pointer(1, [1, 2], {
    rollout: { ...rollout, kind: 'staged', stages: [], step: 0, stepForMs: 1, gate: DEFAULT_GATE },
  })
  store.append([set(recordKey('a', 1), { code: '1' }), set(recordKey('a', 2), { code: '2' })])
  store.append([set(pointerKey('a'), rolling)])
  const past = store.position().id
  const plan = planRestoration(store, store.at(past), 9)
  assert.deepEqual(plan.units, { added: [], changed: ['a'], removed: [] })
  store.append(plan.effects)
  assert.deepEqual(readPointer(store, 'a'), pointer(1, [1, 2], { at: 9 }))
  assert.deepEqual(planRestoration(store, store.at(past), 10).effects, [])
})
