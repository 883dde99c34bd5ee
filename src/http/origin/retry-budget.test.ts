import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryBudget } from './retry-budget.ts'

const take = (budget: RetryBudget, times: number, nowMs: number): number =>
  Array.from({ length: times }, () => budget.take(nowMs)).filter(Boolean).length

test('retries are a share of the requests of the last ten seconds, and a few more', () => {
  const budget = new RetryBudget(0.2)
  for (let i = 0; i < 100; i++) budget.onRequest(5000 + i * 10)
  assert.equal(take(budget, 100, 6100), 23)
  for (let i = 0; i < 10; i++) budget.onRequest(7000)
  assert.equal(take(budget, 100, 7000), 2)
})

test('what is longer ago does not count: neither requests nor retries', () => {
  const budget = new RetryBudget(0.5)
  for (let i = 0; i < 1000; i++) budget.onRequest(1000)
  assert.equal(take(budget, 1, 9000), 1)
  assert.equal(take(budget, 100, 12_500), 2, 'of the reserve, one was used')
  assert.equal(take(budget, 100, 1_000_000), 3)
})

test('a budget of nothing allows nothing; one without traffic still allows a few', () => {
  const none = new RetryBudget(0)
  none.onRequest(0)
  assert.equal(take(none, 5, 0), 0)
  assert.equal(take(new RetryBudget(0.1), 5, 123_456), 3)
})
