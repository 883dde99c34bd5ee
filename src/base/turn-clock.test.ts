import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TurnClock } from './turn-clock.ts'

test('a turn clock stands still within a turn and goes on with the next', async () => {
  const clock = new TurnClock()
  const before = performance.now()
  const first = clock.now()
  assert.ok(first >= before)
  while (performance.now() - first < 1);
  assert.equal(clock.now(), first)
  await nextTurn()
  const second = clock.now()
  assert.ok(second >= first + 1 && second <= performance.now())
})
