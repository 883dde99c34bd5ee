/** Masters of a Redis Cluster that die, stand still or hand over a slot: what was acknowledged is there, and what is lost without waiting for replicas. */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import type { Effect } from '../../src/contract/store.ts'
import { chain } from '../../src/store/chain.ts'
import { LogWriter } from '../../src/store/testing/log-writer.ts'
import { eventually } from '../harness/eventually.ts'
import { HEAD, openLog, openRedis } from '../harness/redis-log.ts'
import {
  redisIsMissing,
  type RedisCluster,
  type RedisServer,
  sharedBy,
  startRedisCluster,
} from '../harness/redis.ts'
import { assertKept, progress, underWrites, untilAnswered } from '../harness/relentless-writers.ts'

const set = (key: string, value = 'x'): Effect => ({ operation: 'SET', key, value })

describe('a cluster of Redis', { skip: redisIsMissing }, () => {
  const owner = sharedBy(after)
  let cluster: RedisCluster
  before(async () => {
    cluster = await startRedisCluster(owner, { nodeTimeoutMs: 1000 })
  })
  const logs = (t: TestContext, input: object = {}) =>
    Promise.all([0, 1].map(() => openLog(t, { url: cluster.urls, waitReplicas: 1, timeout: '2s', ...input })))

  test('masters are killed under writes, and what their replica had acknowledged is there', async (t) => {
    const both = await logs(t)
    const writers = await underWrites(both, async (writing) => {
      for (let round = 0; round < 2; round++) {
        await progress(writing, 20 + round * 13)
        const master = await cluster.masterOf(HEAD)
        await master.kill()
        assert.notEqual(await cluster.masterOf(HEAD), master)
        // The new master has no replica yet that could take what waits.
        await master.start()
        await progress(writing, 5)
        await cluster.settled()
      }
    })
    await assertKept(both[0]!, writers)
  })

  test('a master that stands still loses its place, and what it had acknowledged is there', async (t) => {
    const both = await logs(t)
    const writers = await underWrites(both, async (writing) => {
      await progress(writing, 20)
      const master = await cluster.masterOf(HEAD)
      master.signal('SIGSTOP')
      const others = cluster.members.filter((member) => member !== master)
      await eventually(async () => {
        const roles = await Promise.all(others.map((member) => member.info('role')))
        return roles.filter((role) => role === 'master').length === 3
      })
      master.signal('SIGCONT')
      await eventually(async () => (await master.info('role')) === 'slave')
      await cluster.settled()
      await progress(writing, 20)
    })
    await assertKept(both[0]!, writers)
  })

  test('a slot that moves to another master takes its log along, under writes', async (t) => {
    const both = await logs(t)
    const writers = await underWrites(both, async (writing) => {
      await progress(writing, 20)
      const from = await cluster.masterOf(HEAD)
      const to = await anotherMaster(cluster, from)
      await moveSlot(from, to)
      await progress(writing, 20)
      assert.equal(await cluster.masterOf(HEAD), to)
    })
    await assertKept(both[0]!, writers)
  })

  test('where nobody waits for replicas, a failover loses what was acknowledged, and one id is acknowledged twice', async (t) => {
    const [log, other] = await logs(t, { waitReplicas: 0 })
    const writer = await LogWriter.at(log!)
    await writer.append([set('shared')])
    const master = await cluster.masterOf(HEAD)
    const replica = await cluster.replicaOf(master)
    const shared = writer.position
    replica.signal('SIGSTOP')
    // More than the sockets in between hold for it.
    const value = 'x'.repeat(64 * 1024)
    for (let n = 0; n < 500; n++) await writer.append([set('a', `${n} ${value}`)])
    await master.kill()
    const engine = await openRedis(t, { url: cluster.urls })
    await eventually(async () => {
      const { isHealthy, problem, members } = await engine.status()
      const dead = members.find(({ address }) => address === master.address)
      return !isHealthy && problem !== undefined && dead?.isHealthy === false
    })
    replica.signal('SIGCONT')
    assert.equal(await cluster.masterOf(HEAD), replica)
    const head = await untilAnswered(() => other!.head())
    assert.equal(head.log, shared.log)
    assert.ok(head.id >= shared.id && head.id < writer.position.id, `the log ends at ${head.id}`)
    t.diagnostic(`${writer.position.id - head.id} of 500 acknowledged entries are lost`)
    // Who has what was lost is told so, and writes nothing behind it.
    assert.equal(await log!.read(writer.position, 10), 'reset')
    assert.equal(await log!.append(writer.position, chain(writer.position, [set('b')], 1)), 'conflict')
    const next = chain(head, [set('c')], 1)
    assert.equal(await other!.append(head, next), 'appended')
    const first = writer.entries.find(({ id }) => id === head.id + 1)!
    assert.deepEqual([next[0]!.id, next[0]!.hash === first.hash], [first.id, false])
    await master.start()
    await cluster.settled()
    assert.equal((await engine.status()).isHealthy, true)
  })
})

async function anotherMaster(cluster: RedisCluster, than: RedisServer): Promise<RedisServer> {
  const masters = await Promise.all(['a', 'b', 'c', 'd'].map((key) => cluster.masterOf(key)))
  return masters.find((master) => master !== than)!
}

/** As `redis-cli --cluster reshard` does it, key by key. */
async function moveSlot(from: RedisServer, to: RedisServer): Promise<void> {
  const slot = await from.cli('CLUSTER', 'KEYSLOT', HEAD)
  const [source, target] = await Promise.all([from.cli('CLUSTER', 'MYID'), to.cli('CLUSTER', 'MYID')])
  await to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source)
  await from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target)
  for (const key of (await from.cli('CLUSTER', 'GETKEYSINSLOT', slot, '100')).split('\n')) {
    assert.equal(await from.cli('MIGRATE', '127.0.0.1', String(to.port), key, '0', '5000'), 'OK')
  }
  await to.cli('CLUSTER', 'SETSLOT', slot, 'NODE', target)
  await from.cli('CLUSTER', 'SETSLOT', slot, 'NODE', target)
}
