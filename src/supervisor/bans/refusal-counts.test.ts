import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RefusalCounts } from './refusal-counts.ts'

const refusals = (count: number, more: object = {}) => ({
  prefix: '192.0.2.7',
  limit: 'login',
  count,
  after: 5,
  withinMs: 60_000,
  forMs: 600_000,
  ...more,
})

test('a client that is refused as often as the limit says, within the time it says, is banned, and begins anew', () => {
  const counts = new RefusalCounts()
  assert.equal(counts.add(refusals(2), 0), false)
  assert.equal(counts.add(refusals(2), 30_000), false)
  assert.equal(counts.add(refusals(1), 55_000), true)
  assert.equal(counts.size, 0)
  assert.equal(counts.add(refusals(4), 56_000), false)
})

test('refusals that lie further apart than that do not come to a ban', () => {
  const counts = new RefusalCounts()
  assert.equal(counts.add(refusals(4), 0), false)
  assert.equal(counts.add(refusals(1), 60_000), false)
  for (let minute = 2; minute < 100; minute++)
    assert.equal(counts.add(refusals(2), minute * 30_000 + 90_000), false)
})

test('each limit counts by itself, and so does each client', () => {
  const counts = new RefusalCounts()
  assert.equal(counts.add(refusals(4), 0), false)
  assert.equal(counts.add(refusals(4, { limit: 'api' }), 0), false)
  assert.equal(counts.add(refusals(4, { prefix: '192.0.2.8' }), 0), false)
  assert.equal(counts.add(refusals(1), 1), true)
})

test('a time of a millisecond and one of a month are counted, and a clock that stands back', () => {
  const counts = new RefusalCounts()
  assert.equal(counts.add(refusals(4, { withinMs: 1 }), 10), false)
  assert.equal(counts.add(refusals(4, { withinMs: 1 }), 11), false)
  assert.equal(counts.add(refusals(1, { withinMs: 1 }), 11), true)
  const month = { withinMs: 30 * 24 * 3_600_000 }
  assert.equal(counts.add(refusals(4, month), 0), false)
  assert.equal(counts.add(refusals(1, month), 29 * 24 * 3_600_000), true)
  assert.equal(counts.add(refusals(4, month), 29 * 24 * 3_600_000), false)
  assert.equal(counts.add(refusals(1, month), 5), true)
})

test('where a limit gets another time, counting begins anew, and ends as that says', () => {
  const counts = new RefusalCounts()
  const now = 1_000_000
  assert.equal(counts.add(refusals(4, { withinMs: 1000 }), now), false)
  assert.equal(counts.add(refusals(3), now + 1000), false)
  assert.equal(counts.add(refusals(3), now + 200_000), false, 'three minutes later the first three are over')
})

test('a flood of clients takes no more memory than its bound, and the last ones are known', () => {
  const counts = new RefusalCounts()
  for (let index = 0; index < 150_000; index++)
    counts.add(refusals(4, { prefix: `2001:db8:${index.toString(16)}::/64` }), 0)
  assert.equal(counts.size, 100_000)
  assert.equal(counts.add(refusals(1, { prefix: `2001:db8:${(149_999).toString(16)}::/64` }), 1), true)
})
