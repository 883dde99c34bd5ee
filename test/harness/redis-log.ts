import type { TestContext } from 'node:test'
import * as v from 'valibot'
import { type RedisStoreConfig, StoreSchema } from '../../src/config/store-schema.ts'
import type { SharedLog } from '../../src/contract/shared-log.ts'
import { openEngine } from '../../src/store/engines/open-engine.ts'

/** The key in Redis that says where the log `units` ends. */
export const HEAD = '{orla:units}:head'

/** The log `units` in Redis, over connections of its own, until the test ends. */
export async function openLog(t: TestContext, input: object): Promise<SharedLog> {
  const config = v.parse(StoreSchema, { kind: 'redis', ...input }) as RedisStoreConfig
  const engine = await openEngine(config)
  t.after(() => engine.close())
  return engine.log('units')
}
