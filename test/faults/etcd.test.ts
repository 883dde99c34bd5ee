/** An etcd that is compacted, full or badly connected. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { EdgeError } from '../../src/base/errors.ts'
import type { StoreEngine } from '../../src/contract/shared-log.ts'
import type { Effect, Position } from '../../src/contract/store.ts'
import { chain, follow } from '../../src/store/chain.ts'
import { openEtcdEngine } from '../../src/store/engines/etcd/etcd-engine.ts'
import { LogWriter, replay } from '../../src/store/testing/log-writer.ts'
import { type Etcd, etcdConfig, etcdIsMissing, startEtcd } from '../harness/etcd.ts'
import { eventually } from '../harness/eventually.ts'
import { startFaultProxy } from '../harness/fault-proxy.ts'
import { assertKept, everything, progress, underWrites } from '../harness/relentless-writers.ts'

const skip = etcdIsMissing
const set = (key: string, value: string): Effect => ({ operation: 'SET', key, value })

function connect(t: TestContext, urls: readonly string[], timeout = 5000): StoreEngine {
  const engine = openEtcdEngine(etcdConfig(urls, { timeout }), { pollMs: 300 })
  t.after(() => engine.close())
  return engine
}

test(
  'who lags behind a compaction misses nothing, whether it reads, watches or takes a snapshot',
  { skip },
  async (t) => {
    const etcd = await startEtcd(t)
    const proxy = await startFaultProxy(t, { target: { port: etcd.members[0]!.port } })
    const log = connect(t, [`http://${proxy.address}`], 60_000).log('units')
    let calls = 0
    const stop = log.watch(() => (calls += 1))
    t.after(stop)
    const reader = await LogWriter.at(log)
    await eventually(() => calls > 0)

    proxy.set({ kind: 'hold' })
    const writer = await LogWriter.at(connect(t, etcd.urls).log('units'))
    for (let n = 1; n <= 50; n += 1) await writer.append([set(`k${n % 7}`, String(n))])
    await compact(etcd)
    calls = 0
    proxy.set({ kind: 'pass' })
    await eventually(() => calls > 0)
    await reader.catchUp()
    assert.deepEqual(reader.entries, writer.entries)

    let isOver = false
    const compacting = (async () => {
      while (!isOver) await compact(etcd)
    })()
    try {
      for (let n = 1; n <= 10; n += 1) {
        const before = writer.position
        await writer.append([set('n', String(n))])
        const snapshot = await log.snapshot()
        assert.deepEqual(snapshot.position, follow(before, writer.entries.slice(-1)))
        assert.deepEqual(snapshot.entries, replay(writer.entries))
      }
    } finally {
      isOver = true
      await compacting
    }
  },
)

async function compact(etcd: Etcd): Promise<void> {
  const text = await etcd.ctl('endpoint', 'status', '--write-out', 'json')
  const revision = /"revision":(\d+)/.exec(text)![1]!
  // Somebody may have been faster.
  await etcd.ctl('compact', '--physical', revision).catch(() => {})
}

test('connections are cut in the middle of requests and answers: nothing is doubled', { skip }, async (t) => {
  const etcd = await startEtcd(t)
  const proxy = await startFaultProxy(t, { target: { port: etcd.members[0]!.port } })
  const writers = await underWrites(
    [connect(t, [`http://${proxy.address}`]).log('units')],
    async (writers) => {
      for (const direction of ['toTarget', 'toClient'] as const) {
        proxy.set({ kind: 'cut-after', bytes: { min: 1, max: 3000 } }, direction)
        const before = proxy.counts.cut
        await eventually(() => proxy.counts.cut > before + 5)
        await progress(writers, 5)
        proxy.set({ kind: 'pass' }, direction)
      }
    },
  )
  const log = connect(t, etcd.urls).log('units')
  await assertKept(log, writers)
  // A key of its own and `last`, for each that was acknowledged.
  assert.equal((await everything(log)).length, 2 * writers[0]!.acknowledged.length)
})

test('a half-open connection is given up in time', { skip }, async (t) => {
  const etcd = await startEtcd(t)
  const proxy = await startFaultProxy(t, { target: { port: etcd.members[0]!.port } })
  const log = connect(t, [`http://${proxy.address}`], 1000).log('units')
  const start = await log.head()
  proxy.set({ kind: 'stall' })
  const startMs = performance.now()
  await assert.rejects(log.append(start, chain(start, [set('a', '1')], 0)), { code: 'store-unavailable' })
  assert.ok(performance.now() - startMs < 30_000)
  proxy.set({ kind: 'pass' })
  assert.equal(await log.append(start, chain(start, [set('a', '1')], 0)), 'appended')
})

for (const others of [0, 1]) {
  const outcome = others === 0 ? 'appended' : 'conflict'
  test(
    `an append that arrives when it was given up, behind ${others} others, is: ${outcome}`,
    { skip },
    async (t) => {
      const etcd = await startEtcd(t)
      const proxy = await startFaultProxy(t, { target: { port: etcd.members[0]!.port } })
      const log = connect(t, [`http://${proxy.address}`], 600).log('units')
      const start = await log.head()
      const entries = chain(start, [set('late', '1')], 0)
      proxy.set({ kind: 'hold' }, 'toTarget')
      await assert.rejects(log.append(start, entries), { code: 'store-unavailable' })

      const other = await LogWriter.at(connect(t, etcd.urls).log('units'))
      if (others > 0) await other.append([set('other', '1')])
      const before = proxy.counts.passedBytes.toTarget
      proxy.set({ kind: 'pass' })
      // Every try arrives now, and nobody waits for what etcd answers.
      await eventually(() => proxy.counts.passedBytes.toTarget > before && proxy.connections.length === 0)
      assert.equal(await eventually(() => log.append(start, entries)), outcome)
      assert.deepEqual(
        (await eventually(() => everything(log))).map(({ key }) => key),
        [others > 0 ? 'other' : 'late'],
      )
    },
  )
}

test(
  'an etcd that is full says so and what to do, is still read, and takes writes again',
  { skip },
  async (t) => {
    const etcd = await startEtcd(t, { args: ['--quota-backend-bytes', '6000000'] })
    const engine = connect(t, etcd.urls, 30_000)
    const log = engine.log('units')
    const writer = await LogWriter.at(log)
    let position: Position = writer.position
    const filling = async () => {
      for (;;) position = await writer.append([set('big', 'x'.repeat(700_000))])
    }
    await assert.rejects(filling(), (error: EdgeError) => {
      assert.equal(error.code, 'store-refused')
      assert.match(error.message, /database space exceeded/)
      assert.match(error.hint, /compact and defragment/)
      return true
    })
    assert.deepEqual(await log.head(), position)
    assert.equal((await log.snapshot()).entries.get('big')!.length, 700_000)
    const status = await engine.status()
    assert.deepEqual([status.isHealthy, /NOSPACE/.test(status.problem ?? '')], [false, true])

    // As the hint says. What is not let go is not free: here it is removed by hand.
    await etcd.ctl('del', '--prefix', 'orla/')
    await compact(etcd)
    await etcd.ctl('defrag')
    await etcd.ctl('alarm', 'disarm')
    assert.equal(await log.read(position, 10), 'reset')
    const again = await LogWriter.at(log)
    await again.append([set('small', 'x')])
    assert.equal((await engine.status()).isHealthy, true)
  },
)
