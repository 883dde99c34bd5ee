import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choiceOf, choicesOf } from './choice.ts'
import type { SimResult } from './sweep.ts'

const result = (policy: SimResult['policy'], hitRatio: number, more: Partial<SimResult> = {}): SimResult => ({
  policy,
  admission: 'all',
  by: 'entries',
  size: 100,
  share: 0.1,
  hits: 0,
  hitRatio,
  byteHitRatio: null,
  ...more,
})

test('the best hit ratio is chosen where nothing comes near', () => {
  const choice = choiceOf([result('lru', 0.5), result('arc', 0.6), result('min', 0.9)], 'hits')
  assert.equal(choice?.policy, 'arc')
  assert.match(choice.reason, /^the best hit ratio, 60\.0 %, and nothing comes near; it moves an entry/)
})

test('of those within half a point the cheapest is chosen, and the reason names the best', () => {
  const choice = choiceOf([result('w-tinylfu', 0.604), result('sieve', 0.6), result('fifo', 0.5)], 'hits')
  assert.deepEqual([choice?.policy, choice?.hitRatio], ['sieve', 0.6])
  assert.match(
    choice!.reason,
    /w-tinylfu with 60\.4 %, is within half a point and costs more; it sets one bit/,
  )
})

test('the same policy without admission is cheaper than with', () => {
  const choice = choiceOf(
    [result('sieve', 0.604, { admission: 'second-sight' }), result('sieve', 0.6)],
    'hits',
  )
  assert.deepEqual([choice?.policy, choice?.admission], ['sieve', 'all'])
})

test('bounds are no choice', () => {
  assert.equal(choiceOf([result('min', 0.9)], 'hits'), undefined)
  assert.deepEqual(choicesOf([result('min-bypass', 0.9)], 'hits'), [])
})

test('each size has its choice, and all together the best mean', () => {
  const results = [
    result('lru', 0.5),
    result('lru', 0.8, { size: 200 }),
    result('arc', 0.55),
    result('arc', 0.7, { size: 200 }),
  ]
  assert.deepEqual(
    choicesOf(results, 'hits').map(({ size, policy }) => [size, policy]),
    [
      [100, 'arc'],
      [200, 'lru'],
    ],
  )
  const { policy, size, hitRatio } = choiceOf(results, 'hits')!
  assert.deepEqual([policy, size, hitRatio.toFixed(2)], ['lru', undefined, '0.65'])
})

test('with bytes as the goal the byte hit ratio decides', () => {
  const results = [result('gdsf', 0.9, { byteHitRatio: 0.2 }), result('lru', 0.5, { byteHitRatio: 0.4 })]
  assert.equal(choiceOf(results, 'bytes')?.policy, 'lru')
  assert.equal(choiceOf(results, 'hits')?.policy, 'gdsf')
})
