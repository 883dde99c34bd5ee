import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as v from 'valibot'
import { createSharedWords } from '../base/shared-words.ts'
import { ConfigSchema } from '../config/schema.ts'
import { FAKE_WORKER } from './testing/test-node.ts'
import { Turns } from './turns.ts'
import { type PoolOptions, WorkerPool } from './worker-pool.ts'

const DYING_WORKER = new URL('testing/dying-worker.ts', import.meta.url).pathname

const shared = createSharedWords(1)
after(() => shared.unlink())

function poolOf(entry: string, options: Partial<PoolOptions> = {}): WorkerPool {
  return new WorkerPool({
    count: 2,
    entry,
    turns: new Turns(),
    log: { info: () => {}, warn: () => {} },
    startMessage: (worker) => ({
      kind: 'start',
      identity: 'node',
      worker,
      config: v.parse(ConfigSchema, {}),
      listen: ['127.0.0.1:0'],
      tls: undefined,
      units: { epoch: 0, enabled: true, units: [], lastGood: {} },
      quarantined: [],
      shared: shared.path,
      bundles: { sandbox: '', guest: '' },
      kv: { kv: '', cache: '' },
      isTracing: false,
      stdout: 1,
    }),
    onMessage() {},
    onReady() {},
    onGone() {},
    ...options,
  })
}

test('a worker that dies before it is ready ends the start with an error an operator can read', async () => {
  const pool = poolOf(DYING_WORKER)
  await assert.rejects(pool.start(), {
    name: 'EdgeError',
    code: 'worker-failed',
    message: 'not ready: worker 0 ended (exit code 3)',
  })
  assert.deepEqual(pool.all(), [])
})

test('a worker that is not ready in time ends the start in the same way, and leaves no process', async () => {
  const pool = poolOf(FAKE_WORKER, { startMaxMs: 1 })
  await assert.rejects(pool.start(), {
    name: 'EdgeError',
    code: 'worker-failed',
    message: 'not ready: worker 0 did not answer within 1 ms',
  })
  assert.deepEqual(pool.all(), [])
})
