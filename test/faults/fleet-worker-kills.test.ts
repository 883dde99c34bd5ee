import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertWhole, failuresAt, startFleet, underPublishes } from '../harness/fleet.ts'
import { rounds } from '../harness/rounds.ts'

/** As long as kills go on; a start takes most of it. */
const FOR_MS = 8_000

test('workers of an edge that are killed under publishes have no good change rejected', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const { node } = fleet.edge('a')
  const published = await underPublishes(fleet, {}, async (publisher) => {
    for (const round of rounds(40, 4, FOR_MS)) {
      await publisher.progress(1)
      await sleep(randomInt(30))
      const { workers } = node.processes()
      // One, or all of them: then nobody is there to try what is new.
      for (const pid of round % 2 === 0 ? workers.slice(0, 1) : workers) process.kill(pid, 'SIGKILL')
    }
    await publisher.progress(2)
  })
  assert.deepEqual(published.publishers[0]!.unacknowledged, [])
  assert.deepEqual(failuresAt(published, 'control'), [])
  await assertWhole(fleet, published)
})

test('clients of four workers see nothing older after something newer, over dozens of publishes and kills of workers', async (t) => {
  const fleet = await startFleet(t, { edges: [], config: { edge: { workers: 4 } } })
  const { control } = fleet
  const watched = [control, control, control]
  const published = await underPublishes(fleet, { watched }, async (publisher) => {
    for (const _ of rounds(12, 2, FOR_MS)) {
      await publisher.progress(5)
      const { workers } = control.node.processes()
      process.kill(workers[randomInt(workers.length)]!, 'SIGKILL')
    }
    await publisher.progress(5)
  })
  assert.ok(published.publishers[0]!.acknowledged.length > 12)
  await assertWhole(fleet, published)
})
