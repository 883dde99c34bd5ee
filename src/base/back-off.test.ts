import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backOffMs } from './back-off.ts'

test('waits grow to a bound, and chance takes up to half of each', () => {
  const most = [1, 2, 3, 4, 100, 1e6].map((failures) =>
    backOffMs(failures, () => 1, { firstMs: 50, maxMs: 300 }),
  )
  assert.deepEqual(most, [50, 100, 200, 300, 300, 300])
  assert.equal(
    backOffMs(3, () => 0),
    200,
  )
  assert.equal(
    backOffMs(99, () => 1),
    10_000,
  )
})
