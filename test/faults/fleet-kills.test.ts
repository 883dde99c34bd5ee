import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertWhole, failuresAt, startFleet, underPublishes } from '../harness/fleet.ts'
import { rounds } from '../harness/rounds.ts'

/** As long as kills go on; a start takes most of it. */
const FOR_MS = 8_000

/** So long after a publish was acknowledged the next one is under way, anywhere. */
const anyMoment = () => sleep(randomInt(60))

test('a control plane that is killed under publishes loses nothing that it acknowledged, and edges no request', async (t) => {
  const fleet = await startFleet(t, { edges: ['a', 'b'] })
  const published = await underPublishes(fleet, {}, async (publisher) => {
    for (const _ of rounds(12, 2, FOR_MS)) {
      await publisher.progress(2)
      await anyMoment()
      await fleet.control.kill()
      await fleet.control.start()
    }
    await publisher.progress(2)
  })
  assert.deepEqual(failuresAt(published, 'a', 'b'), [])
  await assertWhole(fleet, published)
})

test('an edge that is killed under publishes starts on what it had, and others lose no request', async (t) => {
  const fleet = await startFleet(t, { edges: ['a', 'b'] })
  const published = await underPublishes(fleet, {}, async (publisher) => {
    for (const _ of rounds(12, 2, FOR_MS)) {
      await publisher.progress(2)
      await anyMoment()
      await fleet.edge('a').kill()
      await fleet.edge('a').start()
    }
    await publisher.progress(2)
  })
  assert.deepEqual(failuresAt(published, 'control', 'b'), [])
  await assertWhole(fleet, published)
})
