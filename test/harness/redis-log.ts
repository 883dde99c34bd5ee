import type { TestContext } from 'node:test'
import * as v from 'valibot'
import { type RedisStoreConfig, StoreSchema } from '../../src/config/store-schema.ts'
import type { SharedLog, StoreEngine } from '../../src/contract/shared-log.ts'
import { openEngine } from '../../src/store/engines/open-engine.ts'

/** The key in Redis that says where the log `units` ends. */
export const HEAD = '{orla:units}:head'

/** An engine on Redis, over connections of its own, until the test ends. */
export async function openRedis(t: TestContext, input: object): Promise<StoreEngine> {
  const engine = await openEngine(v.parse(StoreSchema, { kind: 'redis', ...input }) as RedisStoreConfig)
  t.after(() => engine.close())
  return engine
}

/** Its log `units`. */
export const openLog = async (t: TestContext, input: object): Promise<SharedLog> =>
  (await openRedis(t, input)).log('units')
