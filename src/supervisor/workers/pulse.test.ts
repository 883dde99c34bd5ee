import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSharedWords } from '../../base/shared-words.ts'
import { ListenSockets } from '../listen-sockets.ts'
import { MetricSums } from '../metrics/metric-sums.ts'
import { Pulse } from './pulse.ts'
import { eventually, FAKE_WORKER } from '../testing/test-node.ts'
import { bareStart } from '../testing/worker-start.ts'
import { Turns } from '../turns.ts'
import { WorkerPool } from './worker-pool.ts'

test('a worker that answers nothing at all is ended and replaced', async (t) => {
  const shared = createSharedWords(1)
  t.after(() => shared.unlink())
  const lines: string[] = []
  const log = { info: (line: string) => void lines.push(line), warn: (line: string) => void lines.push(line) }
  const sockets = await ListenSockets.open(['127.0.0.1:0'], 1)
  t.after(() => sockets.close())
  const pool = new WorkerPool({
    sockets,
    count: 1,
    entry: FAKE_WORKER,
    turns: new Turns(),
    log,
    startMessage: bareStart(sockets, shared),
    onMessage() {},
    onReady() {},
    onGone() {},
  })
  await pool.start()
  t.after(() => pool.kill())
  await new Pulse(pool, new MetricSums(), log).take()
  assert.deepEqual(lines, [], 'a worker that answers is left alone')

  const [worker] = pool.ready()
  process.kill(worker!.pid, 'SIGSTOP')
  await new Pulse(pool, new MetricSums(), log, 300).take()
  await worker!.ended
  const [next] = await eventually(
    () => pool.ready(),
    (ready) => ready.length === 1,
  )
  assert.notEqual(next!.pid, worker!.pid)
  assert.match(lines[0]!, /worker 0 did not answer within 300 ms: it is ended/)
})
