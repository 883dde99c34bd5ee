import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import { redisIsMissing, startRedis } from '../../../../test/harness/redis.ts'
import { LogWriter } from '../../testing/log-writer.ts'
import { Connections } from './connections.ts'
import { RedisLog } from './redis-log.ts'
import { Router } from './router.ts'

const set = (key: string, value: string) => ({ operation: 'SET', key, value }) as const

/** Has something happen before a request, by its number. */
class Eventful extends Router {
  #asked = 0
  before: Record<number, () => Promise<unknown>> = {}

  override async run<T>(...args: Parameters<Router['run']>): Promise<T> {
    await this.before[++this.#asked]?.()
    return super.run(...args) as Promise<T>
  }
}

test(
  'a snapshot that a failover falls into has nothing of what was lost by it',
  { skip: redisIsMissing },
  async (t) => {
    const [first, second] = [await startRedis(t), await startRedis(t)]
    const connections = new Connections({})
    t.after(() => connections.close())
    const logAt = (router: Router) =>
      new RedisLog('units', router, { prefix: 'p', waitReplicas: 0, channel: 'c', watch: () => () => {} })
    const routerTo = (...addresses: string[]) => new Eventful(connections, addresses, 5000)
    const before = await LogWriter.at(logAt(routerTo(first.address)))
    await before.append([set('x', 'before'), set('y', 'before')])
    await second.cli('REPLICAOF', '127.0.0.1', String(first.port))
    await eventually(async () => (await second.cli('HGET', '{p:units}:head', 'id')) === '2')
    await second.cli('REPLICAOF', 'NO', 'ONE')
    const after = await LogWriter.at(logAt(routerTo(second.address)))

    const router = routerTo(first.address, second.address)
    router.before = {
      // The head was read, and its state comes next.
      2: () => before.append([set('x', 'lost')]),
      // Then what came since; of the new master.
      async 3() {
        await first.kill()
        await after.append([set('y', 'kept')])
      },
    }
    const { position, entries } = await logAt(router).snapshot()
    assert.deepEqual(position, after.position)
    assert.deepEqual(Object.fromEntries(entries), { x: 'before', y: 'kept' })
  },
)
