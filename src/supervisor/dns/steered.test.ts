/** What workers tell of a choice, as one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsSteeringExplanation } from '../../contract/dns.ts'
import { mergeSteered } from './steered.ts'

const told = (...chosen: readonly string[]): DnsSteeringExplanation => ({
  client: '203.0.113.0/24',
  place: { country: 'BR' },
  steps: [{ filter: 'up', kept: chosen, removed: [] }],
  chosen,
  outcome: 'chosen',
  scope: 24,
})

test('what the first worker says counts, and how many say the same', () => {
  const [one, other] = mergeSteered([
    [told('gru1'), told('a', 'b')],
    [told('gru1'), told('b', 'a')],
    [told('lhr1'), told('a', 'b')],
  ])
  assert.deepEqual(one!.chosen, ['gru1'])
  assert.deepEqual(one!.workers, { agreeing: 2, asked: 3 })
  assert.deepEqual(other!.workers, { agreeing: 2, asked: 3 })
})
