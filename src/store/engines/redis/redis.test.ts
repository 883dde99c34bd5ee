import { after, before, describe } from 'node:test'
import * as v from 'valibot'
import {
  redisIsMissing,
  sharedBy,
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
} from '../../../../test/harness/redis.ts'
import { type RedisStoreConfig, StoreSchema } from '../../../config/store-schema.ts'
import { sharedLogContract } from '../../shared-log.contract.ts'
import { openEngine } from '../open-engine.ts'

const config = (input: object): RedisStoreConfig =>
  v.parse(StoreSchema, { kind: 'redis', ...input }) as RedisStoreConfig

let stores = 0

describe('redis', { skip: redisIsMissing }, () => {
  const owner = sharedBy(after)
  let server: RedisServer
  before(async () => {
    server = await startRedis(owner)
  })
  sharedLogContract({
    engine: 'redis',
    open: async () => {
      const prefix = `store-${++stores}`
      return () => openEngine(config({ url: server.url, prefix }))
    },
  })
})

describe('redis cluster', { skip: redisIsMissing }, () => {
  const owner = sharedBy(after)
  let cluster: RedisCluster
  before(async () => {
    cluster = await startRedisCluster(owner, { nodeTimeoutMs: 5000 })
  })
  sharedLogContract({
    engine: 'redis cluster',
    open: async () => {
      const prefix = `store-${++stores}`
      return () => openEngine(config({ url: cluster.urls[0], prefix, waitReplicas: 1 }))
    },
  })
})
