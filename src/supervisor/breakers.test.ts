import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBreakers } from './breakers.ts'

test('a breaker is told by the worker in which it is worst', () => {
  const state = (unit: string, of: string, worker: string, value: number) => ({
    name: 'orla_unit_breaker_state',
    labels: { unit, version: '1', state: of, worker },
    value,
  })
  const breakers = readBreakers([
    state('a', 'closed', '0', 1),
    state('a', 'open', '0', 0),
    state('b', 'half-open', '0', 1),
    state('b', 'open', '1', 1),
    state('c', 'half-open', '1', 1),
    { name: 'other', labels: { unit: 'a', version: '1', state: 'open' }, value: 1 },
  ])
  assert.deepEqual(Object.fromEntries(breakers), { 'b@1': 'open', 'c@1': 'half-open' })
})
