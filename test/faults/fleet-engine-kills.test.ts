import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { etcdIsMissing, startEtcd } from '../harness/etcd.ts'
import { eventually } from '../harness/eventually.ts'
import { assertWhole, failuresAt, startFleet, underPublishes } from '../harness/fleet.ts'
import { redisIsMissing, startRedisCluster } from '../harness/redis.ts'
import { HEAD } from '../harness/redis-log.ts'
import { rounds } from '../harness/rounds.ts'

/** As long as kills go on; a start takes most of it. */
const FOR_MS = 8_000

/** So long after a publish was acknowledged the next one is under way, anywhere. */
const anyMoment = () => sleep(randomInt(60))

async function engineKills(
  t: TestContext,
  store: NonNullable<Parameters<typeof startFleet>[1]['store']>,
  killAndRestart: () => Promise<void>,
): Promise<void> {
  const fleet = await startFleet(t, { store, edges: ['a'] })
  const published = await underPublishes(fleet, {}, async (publisher) => {
    for (const _ of rounds(6, 2, FOR_MS)) {
      await publisher.progress(2)
      await anyMoment()
      await killAndRestart()
    }
    await publisher.progress(2)
  })
  assert.deepEqual(failuresAt(published, 'control', 'a'), [])
  await assertWhole(fleet, published)
}

test(
  'masters of a Redis Cluster that are killed under publishes take nothing with them, and nodes lose no request',
  { skip: redisIsMissing },
  async (t) => {
    const cluster = await startRedisCluster(t)
    const store = { kind: 'redis', url: cluster.urls, waitReplicas: 1 } as const
    await engineKills(t, store, async () => {
      const master = await cluster.masterOf(HEAD)
      await master.kill()
      await eventually(async () => (await cluster.masterOf(HEAD)) !== master)
      await master.start()
      await cluster.settled()
    })
  },
)

test(
  'leaders of etcd that are killed under publishes take nothing with them, and nodes lose no request',
  { skip: etcdIsMissing },
  async (t) => {
    const etcd = await startEtcd(t, { members: 3 })
    await engineKills(t, { kind: 'etcd', url: [...etcd.urls] }, async () => {
      const leader = await etcd.leader()
      await leader.kill()
      await etcd.leader()
      await leader.start()
    })
  },
)
