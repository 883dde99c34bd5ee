import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { systemTimers } from '../base/timers.ts'
import type { SharedLog } from '../contract/shared-log.ts'
import type { Effect } from '../contract/store.ts'
import { embeddedLog } from '../store/engines/embedded.ts'
import { openStore } from '../store/sqlite-store.ts'
import { EngineFollower } from './engine-follower.ts'
import { storeWriter } from './store-writer.ts'

test('a replica never stands in the middle of an append, however small the pieces are that an engine gives', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'orla-follower-'))
  const [there, store] = ['a', 'b'].map((name) => openStore(join(root, name), { clock: systemClock }))
  t.after(() => {
    for (const one of [there, store]) one!.close()
    rmSync(root, { recursive: true })
  })
  const ends: number[] = []
  // The first is where the replica begins.
  for (const [at, size] of [1, 3, 1, 7, 2].entries()) {
    const effects = Array.from({ length: size }, (_, index): Effect => {
      return { operation: 'SET', key: `${index}`, value: `${at}` }
    })
    // Clocks may stand still, or go back.
    const clock = { now: () => 1000 - at, monotonic: () => 0 }
    const writer = storeWriter({
      store: there!,
      log: embeddedLog(there!),
      clock,
      catchUp: async () => {},
      onAppended: () => {},
    })
    ends.push((await writer.append(effects, there!.position())).id)
    if (at === 0) {
      const load = store!.load(there!.position(), 'engine')
      load.add(there!.snapshot().entries)
      load.commit()
    }
  }
  const whole = embeddedLog(there!)
  const log: SharedLog = {
    ...whole,
    async read(after, limit) {
      const entries = await whole.read(after, limit)
      return entries === 'reset' ? entries : entries.slice(0, 2)
    },
  }
  const seen: number[] = []
  const follower = new EngineFollower({
    store: store!,
    log,
    keeper: 'engine',
    timers: systemTimers,
    random: Math.random,
    onAdvanced: () => seen.push(store!.position().id),
    onTrouble: (message) => assert.fail(message),
  })
  await follower.catchUp()
  assert.deepEqual(store!.snapshot(), there!.snapshot())
  assert.deepEqual(
    seen.filter((id) => !ends.includes(id)),
    [],
  )
  assert.ok(seen.length > 1, 'it is read in pieces')
})
