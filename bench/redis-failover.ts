/**
 * What a failover of Redis loses of what it had acknowledged, with and without waiting for replicas.
 *
 *     node bench/redis-failover.ts [--rounds 10]
 *
 * Needs redis-server. Each round kills (`kill -9`) the master that keeps the log while four writers append to it, waits until its replica has
 * taken over, and looks for every acknowledged append. In `behind` the replica stands still for as long as 200 appends of 64 KiB are acknowledged: a replica
 * behind a slow network, in small.
 */
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { type RedisStoreConfig, StoreSchema } from '../src/config/store-schema.ts'
import type { SharedLog } from '../src/contract/shared-log.ts'
import { openEngine } from '../src/store/engines/open-engine.ts'
import { eventually } from '../test/harness/eventually.ts'
import { HEAD } from '../test/harness/redis-log.ts'
import { type RedisCluster, startRedisCluster } from '../test/harness/redis.ts'
import { RelentlessWriter, untilAnswered } from '../test/harness/relentless-writers.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' } } })

const ended: (() => unknown)[] = []
const cluster = await startRedisCluster({ after: (work) => ended.push(work) }, { nodeTimeoutMs: 1000 })

try {
  for (const waitReplicas of [0, 1]) {
    for (const isBehind of [false, true]) {
      // One that waits for its replica acknowledges nothing while that stands still.
      if (waitReplicas > 0 && isBehind) continue
      let acknowledged = 0
      let lost = 0
      let roundsWithLoss = 0
      let twice = 0
      for (let round = 0; round < Number(values.rounds); round++) {
        const result = await oneRound(cluster, `r${waitReplicas}${isBehind}${round}`, waitReplicas, isBehind)
        acknowledged += result.acknowledged
        lost += result.lost
        if (result.lost > 0) roundsWithLoss++
        twice += result.twice
      }
      const what = `waitReplicas ${waitReplicas}, replica ${isBehind ? 'behind' : 'beside'}`
      console.log(
        `${what}: ${values.rounds} rounds, ${acknowledged} appends acknowledged, ${lost} of them lost (in ${roundsWithLoss} rounds), ${twice} ids acknowledged twice`,
      )
    }
  }
} finally {
  await Promise.all(ended.map((work) => work()))
}

async function oneRound(cluster: RedisCluster, prefix: string, waitReplicas: number, isBehind: boolean) {
  const config = v.parse(StoreSchema, {
    kind: 'redis',
    url: cluster.urls,
    prefix,
    waitReplicas,
    timeout: '2s',
  })
  const engine = await openEngine(config as RedisStoreConfig)
  try {
    const log = engine.log('units')
    await log.head()
    const key = HEAD.replace('orla', prefix)
    const master = await cluster.masterOf(key)
    const replica = await cluster.replicaOf(master)
    if (isBehind) replica.signal('SIGSTOP')
    const value = isBehind ? 'x'.repeat(64 * 1024) : 'x'
    const writers = [0, 1, 2, 3].map((n) => new RelentlessWriter(log, `w${n}`, value))
    const running = Promise.all(writers.map((writer) => writer.run()))
    const count = () => writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)
    await eventually(() => count() >= 200, { everyMs: 1 })
    await master.kill()
    replica.signal('SIGCONT')
    await cluster.masterOf(key)
    await master.start()
    await cluster.settled()
    const before = count()
    await eventually(() => count() >= before + 20)
    for (const writer of writers) writer.stop()
    await running
    const positions = writers.flatMap(({ acknowledged }) => acknowledged)
    const hashes = await hashesOf(log)
    const lost = positions.filter(({ id, hash }) => hashes.get(id) !== hash).length
    return {
      acknowledged: positions.length,
      lost,
      twice: positions.length - new Set(positions.map(({ id }) => id)).size,
    }
  } finally {
    await engine.close()
  }
}

async function hashesOf(log: SharedLog): Promise<Map<number, string>> {
  const hashes = new Map<number, string>()
  const head = await untilAnswered(() => log.head())
  let after = { log: head.log, id: 0, hash: '0'.repeat(64) }
  for (;;) {
    const page = await untilAnswered(() => log.read(after, 1000))
    if (page === 'reset' || page.length === 0) return hashes
    for (const { id, hash } of page) hashes.set(id, hash)
    const last = page.at(-1)!
    after = { log: head.log, id: last.id, hash: last.hash }
  }
}
