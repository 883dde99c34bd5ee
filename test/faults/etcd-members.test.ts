/** Members of etcd die and stand still. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { StoreEngine } from '../../src/contract/shared-log.ts'
import type { Effect } from '../../src/contract/store.ts'
import { chain } from '../../src/store/chain.ts'
import { openEtcdEngine } from '../../src/store/engines/etcd/etcd-engine.ts'
import { LogWriter } from '../../src/store/testing/log-writer.ts'
import { type Etcd, etcdConfig, etcdIsMissing, startEtcd } from '../harness/etcd.ts'
import { eventually } from '../harness/eventually.ts'
import { rounds } from '../harness/rounds.ts'
import {
  assertKept,
  everything,
  progress,
  type RelentlessWriter,
  underWrites,
  untilAnswered,
} from '../harness/relentless-writers.ts'

const skip = etcdIsMissing
const set = (key: string, value: string): Effect => ({ operation: 'SET', key, value })

function connect(t: TestContext, urls: readonly string[], timeout = 5000): StoreEngine {
  const engine = openEtcdEngine(etcdConfig(urls, { timeout }), { pollMs: 300 })
  t.after(() => engine.close())
  return engine
}

/** Two control planes write without a pause while `work` is done; then the log is held against what they were told. */
async function whileTwoWrite(
  t: TestContext,
  etcd: Etcd,
  work: (writers: readonly RelentlessWriter[]) => Promise<void>,
) {
  const logs = [0, 1].map(() => connect(t, etcd.urls).log('units'))
  const writers = await underWrites(logs, work)
  const log = connect(t, etcd.urls, 30_000).log('units')
  await assertKept(log, writers)
  const keys = (await everything(log)).map(({ key }) => key).filter((key) => key !== 'last')
  assert.equal(new Set(keys).size, keys.length, 'an entry is in the log twice')
}

test('leaders are killed under writes: nothing acknowledged is lost or doubled', { skip }, async (t) => {
  const etcd = await startEtcd(t, { members: 3 })
  await whileTwoWrite(t, etcd, async (writers) => {
    for (const _ of rounds(4, 2, 2500)) {
      await progress(writers, 10)
      const leader = await etcd.leader()
      await leader.kill()
      await progress(writers, 10)
      await leader.start()
    }
  })
})

test(
  'a leader that stands still is given up in time, and harms nothing when it wakes',
  { skip },
  async (t) => {
    const etcd = await startEtcd(t, { members: 3 })
    await whileTwoWrite(t, etcd, async (writers) => {
      for (const _ of rounds(2, 1, 1500)) {
        await progress(writers, 10)
        const leader = await etcd.leader()
        leader.stop()
        await progress(writers, 10)
        leader.go()
      }
    })
  },
)

test(
  'where a minority is left, writes are refused in time, and go on when it is a majority',
  { skip },
  async (t) => {
    const etcd = await startEtcd(t, { members: 3 })
    const engine = connect(t, etcd.urls, 1000)
    const log = engine.log('units')
    const writer = await LogWriter.at(log)
    await writer.append([set('a', '1')])
    const [first, second] = etcd.members
    await Promise.all([first!.kill(), second!.kill()])

    const startMs = performance.now()
    const entries = chain(writer.position, [set('b', '2')], 0)
    await assert.rejects(log.append(writer.position, entries), { code: 'store-unavailable' })
    await assert.rejects(log.head(), { code: 'store-unavailable' })
    await assert.rejects(log.read(writer.position, 1), { code: 'store-unavailable' })
    assert.ok(performance.now() - startMs < 30_000)
    const status = await engine.status()
    assert.equal(status.isHealthy, false)
    assert.match(status.problem ?? '', /etcd at .*:/)
    assert.deepEqual(
      status.members.filter(({ note = '' }) => /ECONNREFUSED/.test(note)).map(({ isHealthy }) => isHealthy),
      [false, false],
    )

    await Promise.all([first!.start(), second!.start()])
    // Whether the first try is in the log is found out by saying it again.
    assert.equal(await eventually(() => log.append(writer.position, entries)), 'appended')
    assert.equal((await eventually(() => log.head())).id, 2)
    await eventually(async () => (await engine.status()).isHealthy)
  },
)

test('a watch goes on when the member that it hangs on is killed, or stands still', { skip }, async (t) => {
  const etcd = await startEtcd(t, { members: 3 })
  const log = connect(t, etcd.urls, 3000).log('units')
  const writer = await LogWriter.at(connect(t, etcd.urls).log('units'))
  let calls = 0
  t.after(log.watch(() => (calls += 1)))
  await eventually(() => calls > 0)
  const [first, , third] = etcd.members
  for (const [harm, mend] of [
    [() => first!.kill(), () => first!.start()],
    [() => third!.stop(), () => third!.go()],
  ] as const) {
    await harm()
    for (let n = 0; n < 3; n += 1) {
      calls = 0
      await untilAnswered(() => writer.append([set('n', String(n))]))
      await eventually(() => calls > 0)
    }
    await mend()
  }
})
