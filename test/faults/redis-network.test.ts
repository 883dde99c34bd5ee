/** A network between a control plane and Redis that cuts, stalls and disturbs: what was acknowledged is there, and counts once. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { type Direction, type LaneMode, startFaultProxy } from '../harness/fault-proxy.ts'
import { openLog } from '../harness/redis-log.ts'
import { redisIsMissing, startRedis } from '../harness/redis.ts'
import { assertKept, everything, progress, underWrites } from '../harness/relentless-writers.ts'

const MODES: Readonly<Record<string, readonly [LaneMode, Direction]>> = {
  'is cut in the middle of what is sent': [{ kind: 'cut-after', bytes: { min: 1, max: 6000 } }, 'toTarget'],
  'is cut in the middle of an answer': [{ kind: 'cut-after', bytes: { min: 1, max: 9000 } }, 'toClient'],
  'disturbs answers': [{ kind: 'garbage', bytes: 3 }, 'toClient'],
  'takes everything and passes nothing on': [{ kind: 'stall' }, 'toTarget'],
  'brings no answer': [{ kind: 'stall' }, 'toClient'],
}

describe('the way to Redis', { skip: redisIsMissing, concurrency: true }, () => {
  for (const [what, [mode, direction]] of Object.entries(MODES)) {
    test(`${what}: what was acknowledged is there, and counts once`, async (t) => {
      const server = await startRedis(t)
      const proxy = await startFaultProxy(t, { target: { port: server.port } })
      const url = `redis://${proxy.address}`
      const logs = await Promise.all([0, 1].map(() => openLog(t, { url, timeout: '2s' })))
      const writers = await underWrites(logs, async (writing) => {
        for (let round = 0; round < 2; round++) {
          await progress(writing, 10)
          const { accepted } = proxy.counts
          proxy.set(mode, direction)
          // Both left the connection that was disturbed, and came again.
          await eventually(() => proxy.counts.accepted >= accepted + 2)
          proxy.set({ kind: 'pass' }, direction)
        }
        await progress(writing, 10)
      })
      const direct = await openLog(t, { url: server.url })
      await assertKept(direct, writers)
      // Each writer sets keys one after the other, and each of them once.
      const keys = (await everything(direct)).map(({ key }) => key).filter((key) => key !== 'last')
      assert.equal(new Set(keys).size, keys.length)
    })
  }
})
