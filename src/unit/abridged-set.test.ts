import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UnitSet } from '../contract/messages.ts'
import { DEFAULT_MANIFEST, versionKey, type UnitVersion } from '../contract/unit.ts'
import { abridge, restore } from './abridged-set.ts'

const unit = (name: string, version: number): UnitVersion => ({
  name,
  version,
  code: `/* ${name} */`.repeat(1000),
  sourceMap: '',
  phases: 2,
  manifest: DEFAULT_MANIFEST,
  env: {},
})
const [a1, a2, b1, c1] = [unit('a', 1), unit('a', 2), unit('b', 1), unit('c', 1)]
const live: UnitSet = { epoch: 7, enabled: true, units: [a1, b1], lastGood: { c: c1 } }

test('of a set that is held but for one version, the code of that one alone is sent', () => {
  const next: UnitSet = { epoch: 8, enabled: true, units: [a2, b1], lastGood: { a: a1, c: c1 } }
  const sent = abridge(next, live)
  assert.deepEqual(sent, {
    epoch: 8,
    enabled: true,
    units: [a2, { name: 'b', version: 1 }],
    lastGood: { a: { name: 'a', version: 1 }, c: { name: 'c', version: 1 } },
  })
  const held = new Map([a1, b1, c1].map((one) => [versionKey(one), one]))
  const restored = restore(structuredClone(sent), (key, text) => held.get(key) ?? text!)
  assert.deepEqual(restored, next)
  // What is held stays the same object: what is loaded belongs to it.
  assert.equal(restored.units[1], b1)
})
