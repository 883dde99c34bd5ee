/** What a node makes of purges in its log: each once, in order, the disk before the workers, and all of it where it cannot be told what was missed. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import type { ToWorker } from '../../contract/messages.ts'
import {
  type NumberedPurge,
  type Purge,
  PURGE_FLOOR_KEY,
  PURGE_KEPT_MS,
  type PurgedTier,
  type PurgedTo,
  purgeKey,
  PURGES_KEPT_MAX,
} from '../../contract/purge.ts'
import { storeWriter } from '../../replication/store-writer.ts'
import { embeddedLog } from '../../store/engines/embedded.ts'
import { openStore, type SqliteStore } from '../../store/sqlite-store.ts'
import { NodePurges } from './node-purges.ts'
import { PurgeLedger } from './purge-ledger.ts'
import { behindPurges, PurgeWriter } from './purge-writer.ts'
import type { ToldWorker } from '../workers/told-worker.ts'

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orla-purges-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A worker or a tier that notes what it is told, in one list. */
class Witness {
  readonly told: string[] = []
  purgedTo: PurgedTo | undefined
  #gate: Promise<void> = Promise.resolve()

  /** Answers of the tier wait until the function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gate = promise
    return resolve
  }

  readonly worker: ToldWorker = {
    phase: 'ready',
    ask: async (message: ToWorker) => {
      if (message.kind !== 'purge') throw new Error(message.kind)
      for (const { purge } of message.purges) this.told.push(`worker ${nameOf(purge)}`)
      return { kind: 'purged', id: message.id, objects: message.purges.map(() => 1) } as never
    },
  }

  tier(purgedTo?: PurgedTo): PurgedTier {
    const tier: PurgedTier = {
      purgedTo,
      purge: async (purges: readonly NumberedPurge[]) => {
        await this.#gate
        for (const { purge } of purges) this.told.push(`tier ${nameOf(purge)}`)
        return purges.map(() => 10)
      },
      reached: (position) => void (this.purgedTo = position),
    }
    return tier
  }
}

const nameOf = ({ tags, soft }: Purge): string => `${tags?.join() ?? 'all'}${soft ? ' softly' : ''}`
const purgeOf = (tag: string): Purge => ({ tags: [tag], soft: false, at: Date.now() })

function nodeOf(store: SqliteStore, witness: Witness, tier?: PurgedTier) {
  const warned: string[] = []
  const purges = new NodePurges({
    store,
    clock: systemClock,
    log: { info: () => {}, warn: (line: string) => void warned.push(line) } as never,
    workers: () => [witness.worker],
    tier,
    onApplied: () => {},
  })
  return { purges, warned }
}

const writerOf = (store: SqliteStore, ledger: PurgeLedger, onAppended: () => void) =>
  new PurgeWriter({
    store,
    clock: systemClock,
    ledger,
    writer: storeWriter({
      store,
      log: embeddedLog(store),
      clock: systemClock,
      catchUp: async () => {},
      onAppended,
    }),
  })

test('purges are applied once, in order, on the disk before the workers, and counted', async (t) => {
  const store = openStore(await folderFor(t), { clock: systemClock })
  t.after(() => store.close())
  const witness = new Witness()
  const { purges } = nodeOf(store, witness, witness.tier())
  const writer = writerOf(store, purges.ledger, () => purges.advanced())
  const positions = await Promise.all(['a', 'b', 'c'].map((tag) => writer.write(purgeOf(tag))))
  assert.deepEqual(
    positions.map(({ id }) => id - positions[0]!.id),
    [0, 1, 2],
  )
  for (const position of positions) assert.equal(await purges.applied(position), 11)
  purges.advanced()
  assert.deepEqual(witness.told, ['tier a', 'worker a', 'tier b', 'tier c', 'worker b', 'worker c'])
  assert.equal(witness.purgedTo?.id, positions[2]!.id)
  assert.deepEqual(
    purges.state.objects,
    positions.map(({ id }) => [id, 11]),
  )
})

test('a purge is not said to be applied before the disk has it, nor are those behind it', async (t) => {
  const store = openStore(await folderFor(t), { clock: systemClock })
  t.after(() => store.close())
  const witness = new Witness()
  const { purges } = nodeOf(store, witness, witness.tier())
  const writer = writerOf(store, purges.ledger, () => purges.advanced())
  const before = purges.state.id
  const release = witness.hold()
  const position = await writer.write(purgeOf('slow'))
  assert.equal(purges.state.id, before)
  release()
  await purges.applied(position)
  assert.equal(purges.state.id, position.id)
})

test('what was purged while the program was away is purged on the disk when it is back', async (t) => {
  const folder = await folderFor(t)
  const store = openStore(folder, { clock: systemClock })
  t.after(() => store.close())
  const writer = writerOf(store, new PurgeLedger(), () => {})
  const { log, id } = await writer.write(purgeOf('known'))
  const last = await writer.write(purgeOf('missed'))
  const witness = new Witness()
  const { purges } = nodeOf(store, witness, witness.tier({ log, id }))
  await purges.start()
  assert.deepEqual(witness.told, ['tier missed', 'worker missed'])
  assert.equal(witness.purgedTo?.id, last.id)
})

test('where it is not known what was missed, all that is on the disk is stale', async (t) => {
  const folder = await folderFor(t)
  const store = openStore(folder, { clock: systemClock })
  t.after(() => store.close())
  const writer = writerOf(store, new PurgeLedger(), () => {})
  const { log } = await writer.write(purgeOf('old'))
  store.append([{ operation: 'SET', key: PURGE_FLOOR_KEY, value: '9' }])
  for (const purgedTo of [
    { log, id: 3 },
    { log: 'another', id: 100 },
  ]) {
    const witness = new Witness()
    await nodeOf(store, witness, witness.tier(purgedTo)).purges.start()
    assert.deepEqual(witness.told.slice(0, 1), ['tier all softly'])
  }
})

test('a replica that takes a snapshot applies the purges in it that it does not know', async (t) => {
  const [here, there] = [await folderFor(t), await folderFor(t)]
  const source = openStore(there, { clock: systemClock })
  t.after(() => source.close())
  const written = writerOf(source, new PurgeLedger(), () => {})
  await written.write(purgeOf('known'))
  const store = openStore(here, { clock: systemClock })
  t.after(() => store.close())
  const take = () => {
    const { position, entries } = source.snapshot()
    const load = store.load(position, 'control')
    load.add(entries)
    load.commit()
  }
  take()
  const witness = new Witness()
  const { purges } = nodeOf(store, witness)
  const last = await written.write(purgeOf('new'))
  take()
  purges.advanced()
  assert.equal(await purges.applied(last), 1)
  assert.deepEqual(witness.told, ['worker new'])

  // The one between was let go of before this replica saw it.
  source.append([
    { operation: 'SET', key: purgeKey(100), value: JSON.stringify(purgeOf('later')) },
    { operation: 'SET', key: PURGE_FLOOR_KEY, value: '99' },
  ])
  take()
  purges.advanced()
  await purges.applied(source.position())
  assert.deepEqual(witness.told.slice(1), ['worker all softly', 'worker later'])
})

test('a purge that another program wrote in another way means nothing here, and is told', async (t) => {
  const store = openStore(await folderFor(t), { clock: systemClock })
  t.after(() => store.close())
  const witness = new Witness()
  const { purges, warned } = nodeOf(store, witness)
  store.append([{ operation: 'SET', key: purgeKey(1), value: '{"everyth' }])
  purges.advanced()
  await purges.applied(store.position())
  assert.deepEqual(witness.told, [])
  assert.match(warned.join(), /the purge at position 1 of the log cannot be read/)
})

test('a worker that ends, or has not started yet, holds up no purge', async (t) => {
  const store = openStore(await folderFor(t), { clock: systemClock })
  t.after(() => store.close())
  const asked: number[] = []
  const gone: ToldWorker = { phase: 'ready', ask: async () => Promise.reject(new Error('it has ended')) }
  const starting: ToldWorker = {
    phase: 'starting',
    ask: async (_message, _isAnswer, timeoutMs) => {
      asked.push(timeoutMs)
      throw new Error('it has not answered')
    },
  }
  const purges = new NodePurges({
    store,
    clock: systemClock,
    log: console as never,
    workers: () => [gone, starting],
    onApplied: () => {},
  })
  const writer = writerOf(store, purges.ledger, () => purges.advanced())
  assert.equal(await purges.applied(await writer.write(purgeOf('a'))), 0)
  assert.deepEqual(asked, [1000])
})

test('old purges are let go of: by age, by number and by what they take', () => {
  const now = Date.UTC(2026, 0, 1)
  const textAt = (at: number, characters = 0) =>
    JSON.stringify({ at, soft: false, tags: ['x'.repeat(characters)] })
  const noted = (...texts: readonly string[]) => {
    const ledger = new PurgeLedger()
    for (const [index, value] of texts.entries())
      ledger.note({ key: purgeKey(index + 1), operation: 'SET', value })
    return ledger
  }
  const floors = (ledger: PurgeLedger) => ledger.outdated(now, [textAt(now)]).map(({ key }) => key)
  assert.deepEqual(floors(noted(textAt(now))), [])
  assert.deepEqual(floors(noted(textAt(now - PURGE_KEPT_MS - 1), textAt(now))), [
    purgeKey(1),
    PURGE_FLOOR_KEY,
  ])
  assert.deepEqual(floors(noted(textAt(now, 20_000_000), textAt(now, 20_000_000))), [
    purgeKey(1),
    PURGE_FLOOR_KEY,
  ])
  const full = noted(...Array.from({ length: PURGES_KEPT_MAX + 5 }, () => textAt(now)))
  const effects = full.outdated(now, [textAt(now)])
  assert.equal(effects.length, 7)
  assert.deepEqual(effects.at(-1), { operation: 'SET', key: PURGE_FLOOR_KEY, value: '6' })
  for (const effect of effects)
    full.note({ ...effect, value: effect.operation === 'SET' ? effect.value : '' })
  assert.equal(full.size, PURGES_KEPT_MAX - 1)
})

test('a change goes behind purges that came since it was planned, and behind nothing else', async (t) => {
  const store = openStore(await folderFor(t), { clock: systemClock })
  t.after(() => store.close())
  const planned = store.append([{ operation: 'SET', key: 'unit/x', value: '1' }])
  assert.deepEqual(behindPurges(store, planned), planned)
  const purged = store.append([{ operation: 'SET', key: purgeKey(2), value: '{}' }])
  assert.deepEqual(behindPurges(store, planned), purged)
  store.append([{ operation: 'SET', key: 'unit/y', value: '1' }])
  assert.deepEqual(behindPurges(store, planned), planned)
})
