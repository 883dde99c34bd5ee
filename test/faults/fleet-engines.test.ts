import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { etcdIsMissing, startEtcd } from '../harness/etcd.ts'
import { eventually } from '../harness/eventually.ts'
import { assertWhole, failuresAt, type FleetNode, startFleet, underPublishes } from '../harness/fleet.ts'
import { Publisher } from '../harness/publisher.ts'
import { redisIsMissing, startRedis } from '../harness/redis.ts'

interface Engine {
  readonly store: NonNullable<ConfigInput['store']>
  stop(): Promise<unknown>
  again(): Promise<unknown>
  /** As somebody does who did not know what it is for. */
  empty(): Promise<unknown>
}

const ENGINES: readonly {
  readonly name: string
  readonly skip: string | false
  start(t: TestContext): Promise<Engine>
}[] = [
  {
    name: 'Redis',
    skip: redisIsMissing,
    async start(t) {
      const server = await startRedis(t, { appendOnly: true })
      return {
        store: { kind: 'redis', url: server.url, timeout: '1s' },
        stop: () => server.kill(),
        again: () => server.start(),
        empty: () => server.cli('FLUSHALL'),
      }
    },
  },
  {
    name: 'etcd',
    skip: etcdIsMissing,
    async start(t) {
      const etcd = await startEtcd(t)
      const [member] = etcd.members
      return {
        store: { kind: 'etcd', url: [...etcd.urls], timeout: '1s' },
        stop: () => member!.kill(),
        again: () => member!.start(),
        empty: () => etcd.ctl('del', '', '--from-key=true'),
      }
    },
  },
]

for (const { name, skip, start } of ENGINES) {
  test(
    `while ${name} is down, control planes and edges start on what they have, and change things once it is back`,
    { skip },
    async (t) => {
      const engine = await start(t)
      const fleet = await startFleet(t, {
        store: engine.store,
        controls: ['one', 'other'],
        edges: ['a', 'b'],
      })
      const publisher = new Publisher({
        targets: fleet.controls,
        unit: 'one',
        prefix: 'p',
        wait: 'stored',
        timeoutMs: 5000,
      })
      const published = await underPublishes(fleet, { publishers: [publisher] }, async () => {
        await publisher.progress(3)
        await engine.stop()
        const failed = publisher.unacknowledged.length
        for (const node of [fleet.control, fleet.edge('a')]) {
          await node.kill()
          await node.start()
          assert.equal((await node.node.request('/')).status, 200)
        }
        await eventually(() => publisher.unacknowledged.length > failed)
        await engine.again()
        await publisher.progress(3)
      })
      assert.deepEqual(failuresAt(published, 'other', 'b'), [])
      await assertWhole(fleet, published)
    },
  )

  test(
    `when ${name} is emptied, what runs stays, nothing is published, and it is said`,
    { skip },
    async (t) => {
      const engine = await start(t)
      const fleet = await startFleet(t, { store: engine.store, edges: ['a'] })
      const { node } = fleet.control
      const source = 'export default { content: () => new Response("first") }'
      await node.deploy('one', source)
      await engine.empty()
      const answer = await node.api('PUT', '/v1/units/one', { source: source.replace('first', 'second') })
      assert.equal(answer.status >= 400, true, answer.text)
      assert.match(answer.text, /is empty, and this replica has \d+ entries/)
      assert.match(answer.text, /orla store migrate/)
      for (const one of fleet.nodes) assert.equal((await one.node.request('/')).text, 'first')
      for (const one of fleet.nodes) {
        await one.kill()
        await one.start()
        assert.equal((await one.node.request('/')).text, 'first')
      }
    },
  )

  test(
    `two control planes publish through ${name} at once: each one that was acknowledged counts, and edges of one that is killed go to the other`,
    { skip },
    async (t) => {
      const engine = await start(t)
      const fleet = await startFleet(t, { store: engine.store, controls: ['one', 'other'], edges: ['a'] })
      const [one, other] = fleet.controls
      const through = (targets: readonly FleetNode[], unit: string, prefix: string) =>
        new Publisher({ targets, unit, prefix, wait: 'stored', timeoutMs: 30_000 })
      const publishers = [
        through([one!], 'one', 'p'),
        through([other!], 'one', 'q'),
        through([other!], 'two', 'r'),
      ]
      const published = await underPublishes(fleet, { publishers }, async () => {
        for (const publisher of publishers) await publisher.progress(8)
        await one!.kill()
        await publishers[1]!.progress(4)
        // The edge is told by the other one.
        await eventually(async () => (await fleet.edge('a').node.request('/')).text.startsWith('q-'))
        await one!.start()
        await publishers[0]!.progress(2)
      })
      assert.deepEqual(failuresAt(published, 'other', 'a'), [])
      const versions = publishers
        .slice(0, 2)
        .flatMap(({ acknowledged }) => acknowledged.map(({ version }) => version))
      assert.equal(new Set(versions).size, versions.length)
      await assertWhole(fleet, published)
    },
  )
}
