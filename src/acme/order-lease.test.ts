import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../base/clock.ts'
import type { Effect } from '../contract/store.ts'
import { openStore, type SqliteStore } from '../store/sqlite-store.ts'
import { OrderLease } from './order-lease.ts'

/** A log, and control planes that share it, each with a clock of its own. */
function stand(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'orla-lease-'))
  const store: SqliteStore = openStore(directory, { clock: systemClock })
  t.after(() => {
    store.close()
    rmSync(directory, { recursive: true })
  })
  const times = { monotonic: 0 }
  const lease = (holder: string, nowMs = 0) => {
    const made = new OrderLease({
      store,
      holder,
      clock: { now: () => nowMs, monotonic: () => times.monotonic },
      write: async (plan: () => readonly Effect[]) => void store.append(plan()),
      warn: (line) => assert.fail(line),
    })
    t.after(() => made.stop())
    return made
  }
  return { store, times, lease }
}

test('one has it at a time, and gives it back', async (t) => {
  const { lease, store } = stand(t)
  const [one, other] = [lease('one'), lease('other')]
  assert.deepEqual(await Promise.all([one.take(), other.take()]), [true, false])
  assert.equal(await other.take(), false)
  await other.release()
  assert.equal(await other.take(), false, 'it is not his to give back')
  await one.release()
  assert.equal(store.get('acme-lease'), undefined)
  assert.equal(await other.take(), true)
})

test('the same node has it again after a restart, and what was pending is done with', async (t) => {
  const { lease, store } = stand(t)
  store.append([{ operation: 'SET', key: 'pending', value: '' }])
  assert.equal(await lease('one').take(), true)
  const again = lease('one')
  assert.equal(await again.take(() => [{ operation: 'DELETE', key: 'pending' }]), true)
  assert.equal(store.get('pending'), undefined)
})

test('it is lost by time, as whoever waits has seen it stand still, whatever their clocks say', async (t) => {
  const { lease, times } = stand(t)
  const hours = 3_600_000
  const [gone, waiting] = [lease('gone', 5 * hours), lease('waiting', -5 * hours)]
  assert.equal(await gone.take(), true)
  // Nobody waited before: the time counts from the first look.
  times.monotonic = hours
  assert.equal(await waiting.take(), false)
  times.monotonic += 69_000
  assert.equal(await waiting.take(), false)
  // It was renewed meanwhile.
  assert.equal(await gone.take(), true)
  times.monotonic += 60_000
  assert.equal(await waiting.take(), false)
  times.monotonic += 71_000
  assert.equal(await waiting.take(), true)
  assert.equal(await gone.take(), false)
})
