import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createSharedWords } from '../../base/shared-words.ts'
import { ListenSockets } from '../listen-sockets.ts'
import { FAKE_WORKER } from '../testing/test-node.ts'
import { bareStart } from '../testing/worker-start.ts'
import { Turns } from '../turns.ts'
import { type PoolOptions, WorkerPool } from './worker-pool.ts'

const DYING_WORKER = new URL('../testing/dying-worker.ts', import.meta.url).pathname

const shared = createSharedWords(1)
after(() => shared.unlink())

async function poolOf(entry: string, options: Partial<PoolOptions> = {}): Promise<WorkerPool> {
  const sockets = await ListenSockets.open(['127.0.0.1:0'], 2)
  return new WorkerPool({
    count: 2,
    entry,
    sockets,
    turns: new Turns(),
    log: { info: () => {}, warn: () => {} },
    startMessage: bareStart(sockets, shared),
    onMessage() {},
    onReady() {},
    onGone() {},
    ...options,
  })
}

test('a worker that dies before it is ready ends the start with an error an operator can read', async () => {
  const pool = await poolOf(DYING_WORKER)
  await assert.rejects(pool.start(), {
    name: 'EdgeError',
    code: 'worker-failed',
    message: /^not ready: worker [01] ended \(exit code 3\)$/,
  })
  assert.deepEqual(pool.all(), [])
})

test('a worker whose sockets cannot be opened is tried again', async (t) => {
  const sockets = await ListenSockets.open(['127.0.0.1:0'], 2)
  const pool = await poolOf(FAKE_WORKER, { sockets })
  t.after(() => pool.kill())
  await pool.start()
  const open = sockets.of.bind(sockets)
  let tries = 0
  sockets.of = (worker) => (++tries < 3 ? Promise.reject(new Error('taken')) : open(worker))
  const [worker] = pool.all()
  worker!.kill()
  await worker!.ended
  assert.ok(await pool.whenAllReady(120_000))
  assert.equal(tries, 3)
})

test('a worker that ends while others start is replaced', async (t) => {
  const sockets = await ListenSockets.open(['127.0.0.1:0'], 2)
  const open = sockets.of.bind(sockets)
  const gone = Promise.withResolvers<void>()
  let isFirst = true
  sockets.of = async (worker) => {
    if (worker === 1) await gone.promise
    return open(worker)
  }
  const pool = await poolOf(FAKE_WORKER, {
    sockets,
    onReady: (worker) => {
      if (isFirst) worker.kill()
      isFirst = false
    },
    onGone: () => gone.resolve(),
  })
  t.after(() => pool.kill())
  await pool.start()
  assert.ok(await pool.whenAllReady(120_000))
})

test('a worker that is not ready in time ends the start in the same way, and leaves no process', async () => {
  const pool = await poolOf(FAKE_WORKER, { startMaxMs: 1 })
  await assert.rejects(pool.start(), {
    name: 'EdgeError',
    code: 'worker-failed',
    message: /^not ready: worker [01] did not answer within 1 ms$/,
  })
  assert.deepEqual(pool.all(), [])
})
