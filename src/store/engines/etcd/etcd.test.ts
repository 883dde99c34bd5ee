import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import type { SharedLog } from '../../../contract/shared-log.ts'
import type { Effect, LogEntry, Snapshot } from '../../../contract/store.ts'
import { type Etcd, etcdConfig, etcdIsMissing, startEtcd } from '../../../../test/harness/etcd.ts'
import { chain, follow } from '../../chain.ts'
import { sharedLogContract } from '../../shared-log.contract.ts'
import { LogWriter, replay } from '../../testing/log-writer.ts'
import { openEngine } from '../open-engine.ts'
import { openEtcdEngine } from './etcd-engine.ts'

/** Each test has a prefix of its own on the same members. */
let prefixes = 0

if (etcdIsMissing === false) {
  const [single, three] = [await startEtcd({ after }), await startEtcd({ after }, { members: 3 })]
  contract('etcd', single, 600)
  contract('etcd, 3 members', three, 200)
  ownCases(single)
}

function contract(engine: string, etcd: Etcd, racingAppends: number): void {
  sharedLogContract({
    engine,
    racingAppends,
    open: async () => {
      const config = etcdConfig(etcd.urls, { prefix: `orla-${++prefixes}`, timeout: 30_000 })
      return () => openEngine(config)
    },
  })
}

const set = (key: string, value: string): Effect => ({ operation: 'SET', key, value })
const remove = (key: string): Effect => ({ operation: 'DELETE', key })

function ownCases(etcd: Etcd): void {
  function place(t: TestContext) {
    const prefix = `orla-${++prefixes}`
    return {
      prefix,
      connect: (): SharedLog => {
        const engine = openEtcdEngine(etcdConfig(etcd.urls, { prefix, timeout: 30_000 }))
        t.after(() => engine.close())
        return engine.log('units')
      },
      /** Keys in etcd, without what all start with. */
      keys: async (below = ''): Promise<readonly string[]> => {
        const text = await etcd.ctl('get', '--prefix', '--keys-only', `${prefix}/${below}`)
        return text.split('\n').filter((line) => line !== '')
      },
    }
  }

  test('a value of 8 MB and 300 others are one append, in parts that etcd takes', async (t) => {
    const { connect, keys } = place(t)
    const writer = await LogWriter.at(connect())
    const start = writer.position
    const large = 'é'.repeat(4_000_000)
    const others = Array.from({ length: 300 }, (_, n) => set(`k${n}`, `${n}`))
    await writer.append([set('large', large), ...others, remove('k7')])
    assert.equal((await keys()).filter((key) => key.includes('/blob/')).length, 8)
    const reader = new LogWriter(connect(), start)
    await reader.catchUp()
    assert.deepEqual(reader.entries, writer.entries)

    // Folded, the parts of the batch are gone, and the value has parts of its own; a shorter one has fewer.
    await reader.log.trim(writer.position.id)
    assert.deepEqual(
      (await keys()).filter((key) => /blob|batch/.test(key)),
      [],
    )
    assert.equal((await keys()).filter((key) => key.includes('/state/large/')).length, 245)
    assert.deepEqual((await reader.log.snapshot()).entries, replay(writer.entries))
    await writer.append([set('large', 'short'), remove('k8')])
    await reader.log.trim(writer.position.id)
    assert.equal((await keys()).filter((key) => key.includes('/state/large/')).length, 1)
    assert.deepEqual((await reader.log.snapshot()).entries, replay(writer.entries))
  })

  test('an append that is refused leaves no parts behind', async (t) => {
    const { connect, keys } = place(t)
    const [one, other] = [connect(), connect()]
    const start = await one.head()
    assert.deepEqual(await other.head(), start)
    assert.equal(await one.append(start, chain(start, [set('a', '1')], 0)), 'appended')
    // It does not know yet that the head has moved.
    const large = chain(start, [set('large', 'x'.repeat(3_000_000))], 0)
    assert.equal(await other.append(start, large), 'conflict')
    assert.deepEqual(
      (await keys()).filter((key) => key.includes('/blob/')),
      [],
    )
  })

  test('entries that somebody removed are reset, never skipped, and a log that is gone is a new one', async (t) => {
    const { prefix, connect, keys } = place(t)
    const log = connect()
    const writer = await LogWriter.at(log)
    const start = writer.position
    for (let n = 1; n <= 6; n += 1) await writer.append([set('n', `${n}`)])
    const at = (id: number) => follow(start, writer.entries.slice(0, id))
    const third = (await keys()).find((key) => key.endsWith('/batch/0000000000000003'))!
    await etcd.ctl('del', third)
    assert.deepEqual(await log.read(start, 10), writer.entries.slice(0, 2))
    assert.equal(await log.read(at(2), 10), 'reset')
    assert.deepEqual(await log.read(at(3), 10), writer.entries.slice(3))
    // What it adds up to cannot be known any more, and is not made up.
    await assert.rejects(log.snapshot(), {
      code: 'store-corrupt',
      message: /entry 3 of the log "units" is gone/,
    })
    await assert.rejects(log.trim(6), { code: 'store-corrupt' })

    // A control plane has the state, and puts it back.
    const snapshot: Snapshot = { position: writer.position, entries: replay(writer.entries) }
    assert.equal(await log.replace(writer.position, snapshot), 'replaced')
    assert.deepEqual(await connect().snapshot(), snapshot)

    await etcd.ctl('del', '--prefix', `${prefix}/`)
    assert.equal(await log.read(writer.position, 10), 'reset')
    assert.equal(await log.append(at(6), chain(at(6), [set('a', '1')], 0)), 'conflict')
    assert.notEqual((await log.head()).log, start.log)
    assert.equal((await log.snapshot()).entries.size, 0)
  })

  test('snapshots are right while two let go of entries, and two write', async (t) => {
    const { connect } = place(t)
    const writers = await Promise.all([0, 1].map(() => LogWriter.at(connect())))
    const start = writers[0]!.position
    let isWriting = true
    const trimming = [0, 1].map(async (who) => {
      const log = connect()
      while (isWriting) {
        const { id } = await log.head()
        await log.trim(id - 10 * who)
      }
    })
    const entries = new Map<number, LogEntry>()
    const writing = writers.map(async (writer, who) => {
      for (let n = 0; n < 40; n += 1) {
        // As `LogWriter.append`, but who lags behind what was let go begins at the head.
        for (;;) {
          writer.position = await writer.log.head()
          const effects = [
            set(`k${n % 7}`, `${who}-${n}`.repeat(12_000)),
            set(`w${who}`, `${n}`),
            remove(`w${1 - who}`),
          ]
          const next = chain(writer.position, effects, 0)
          if ((await writer.log.append(writer.position, next)) !== 'appended') continue
          for (const entry of next) entries.set(entry.id, entry)
          break
        }
      }
    })
    const log = connect()
    const snapshots: Snapshot[] = []
    const looking = (async () => {
      while (isWriting) snapshots.push(await log.snapshot())
    })()
    await Promise.all(writing)
    isWriting = false
    await Promise.all([...trimming, looking])
    snapshots.push(await log.snapshot())
    assert.equal(entries.size, 240)
    assert.equal(snapshots.at(-1)!.position.id, start.id + 240)
    const all = [...entries].toSorted(([a], [b]) => a - b).map(([, entry]) => entry)
    for (const { position, entries } of snapshots) {
      assert.deepEqual(entries, replay(all.slice(0, position.id)))
    }
  })

  test('two prefixes on one etcd know nothing of each other, also where one begins as the other', async (t) => {
    const { prefix, connect } = place(t)
    const inner = openEtcdEngine(etcdConfig(etcd.urls, { prefix: `${prefix}/units`, timeout: 30_000 }))
    t.after(() => inner.close())
    const writer = await LogWriter.at(inner.log('units'))
    await writer.append([set('a', '1')])
    const log = connect()
    const head = await log.head()
    const snapshot: Snapshot = { position: head, entries: new Map([['b', '2']]) }
    assert.equal(await log.replace(head, snapshot), 'replaced')
    assert.deepEqual((await inner.log('units').snapshot()).entries, new Map([['a', '1']]))
  })
}
