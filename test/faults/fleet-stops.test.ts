import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { etcdIsMissing, startEtcd } from '../harness/etcd.ts'
import { eventually } from '../harness/eventually.ts'
import { assertWhole, failuresAt, type FleetOptions, startFleet, underPublishes } from '../harness/fleet.ts'
import type { TestNode } from '../harness/node.ts'
import { redisIsMissing, startRedis } from '../harness/redis.ts'
import { rounds } from '../harness/rounds.ts'

interface Late {
  readonly code: string
  readonly outcome: string
  readonly laggards: readonly { readonly who: string; readonly reason: string }[]
}

/** A change that not all run in time. */
async function late(node: TestNode, timeoutMs: number): Promise<Late> {
  const source = 'export default { paths: ["/late"], content: () => new Response("late") }'
  const body = { source, language: 'js', timeoutMs }
  const { status, text } = await node.api('PUT', '/v1/units/another', body)
  assert.equal(status, 504, text)
  return JSON.parse(text) as Late
}

test('an edge that stands still holds up nobody but who waits for all, is named, and catches up', async (t) => {
  const fleet = await startFleet(t, { edges: ['a', 'b'] })
  const a = fleet.edge('a')
  const published = await underPublishes(fleet, { wait: 'stored' }, async (publisher) => {
    for (const _ of rounds(5, 2, 8000)) {
      a.freeze()
      await publisher.progress(3)
      const { outcome, laggards } = await late(fleet.control.node, 700)
      assert.equal(outcome, 'kept')
      assert.deepEqual(
        laggards.map(({ who }) => who),
        ['edge a'],
      )
      a.go()
      await publisher.progress(2)
    }
  })
  assert.deepEqual(failuresAt(published, 'control', 'a', 'b'), [])
  await assertWhole(fleet, published)
})

test('a worker of an edge that stands still keeps that edge on what it ran, and is named', async (t) => {
  const fleet = await startFleet(t, { edges: ['a', 'b'] })
  const { node } = fleet.edge('a')
  const watched = [fleet.control, fleet.edge('b')]
  const published = await underPublishes(fleet, { wait: 'stored', watched }, async (publisher) => {
    for (const round of rounds(4, 2, 8000)) {
      const worker = node.processes().workers[round % 2]!
      process.kill(worker, 'SIGSTOP')
      await publisher.progress(3)
      const { laggards } = await late(fleet.control.node, 700)
      assert.deepEqual(
        laggards.map(({ who }) => who),
        ['edge a'],
      )
      process.kill(worker, 'SIGCONT')
      await publisher.progress(2)
    }
  })
  assert.deepEqual(failuresAt(published, 'control', 'b'), [])
  await assertWhole(fleet, published)
  assert.doesNotMatch(node.stderr(), /is not run/)
})

test('a control plane that stands still is no trouble to edges, and goes on', async (t) => {
  const fleet = await startFleet(t, { edges: ['a'] })
  const watched = [fleet.edge('a')]
  const published = await underPublishes(fleet, { watched }, async (publisher) => {
    for (const _ of rounds(6, 2, 6000)) {
      await publisher.progress(2)
      fleet.control.freeze()
      // The edge goes on answering, whatever it is asked.
      for (let n = 0; n < 20; n++) assert.equal((await fleet.edge('a').node.request('/')).status, 200)
      assert.equal((await fleet.edge('a').node.api('GET', '/v1/edges')).status, 200)
      fleet.control.go()
    }
    await publisher.progress(2)
  })
  assert.deepEqual(failuresAt(published, 'a'), [])
  await assertWhole(fleet, published)
})

interface Engine {
  readonly store: NonNullable<FleetOptions['store']>
  stop(): void
  go(): void
}

/** Changes are refused in time while the engine stands still, whatever becomes of them; nothing else is. */
async function engineStops(t: TestContext, { store, stop, go }: Engine): Promise<void> {
  const fleet = await startFleet(t, { store: { ...store, timeout: '500ms' } as typeof store, edges: ['a'] })
  const published = await underPublishes(fleet, {}, async (publisher) => {
    for (const _ of rounds(5, 2, 10_000)) {
      await publisher.progress(2)
      const before = publisher.unacknowledged.length
      stop()
      await eventually(() => publisher.unacknowledged.length > before)
      go()
      await publisher.progress(2)
    }
    for (const { status, answer } of publisher.unacknowledged) assert.equal(status, 503, answer)
  })
  assert.deepEqual(failuresAt(published, 'control', 'a'), [])
  await assertWhole(fleet, published)
}

test(
  'Redis that stands still has changes refused in time, and what it does with them later is no gap',
  { skip: redisIsMissing },
  async (t) => {
    const server = await startRedis(t)
    const stop = () => server.signal('SIGSTOP')
    const go = () => server.signal('SIGCONT')
    await engineStops(t, { store: { kind: 'redis', url: server.url }, stop, go })
  },
)

test(
  'etcd that stands still has changes refused in time, and what it does with them later is no gap',
  { skip: etcdIsMissing },
  async (t) => {
    const etcd = await startEtcd(t)
    const [member] = etcd.members
    const stop = () => member!.stop()
    const go = () => member!.go()
    await engineStops(t, { store: { kind: 'etcd', url: [...etcd.urls] }, stop, go })
  },
)
