import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { Effect } from '../../contract/store.ts'
import { embeddedLog } from '../../store/engines/embedded.ts'
import { openStore, type SqliteStore } from '../../store/sqlite-store.ts'
import { LogKeeper, type LogKeeperParts } from './log-keeper.ts'

const root = mkdtempSync(join(tmpdir(), 'orla-keeper-'))
after(() => rmSync(root, { recursive: true, force: true }))

function filled(entries: number, bytes = 10): SqliteStore {
  const store = openStore(mkdtempSync(join(root, 's-')), { clock: systemClock })
  const effects = Array.from({ length: entries }, (_, n): Effect => ({
    operation: 'SET',
    key: `k${n % 50}`,
    value: `${n} ${'x'.repeat(bytes)}`,
  }))
  store.append(effects)
  return store
}

const keeperOf = (store: SqliteStore, more: Partial<LogKeeperParts> = {}) =>
  new LogKeeper({
    store,
    keep: 10,
    keepForEdges: 50,
    neededFrom: () => undefined,
    live: () => store.position().id,
    monotonic: () => performance.now(),
    log: { info: () => {}, warn: (line) => assert.fail(line) },
    ...more,
  })

for (const [what, more, base] of [
  ['no edge is known', {}, 90],
  ['all edges have everything', { neededFrom: () => 100 }, 90],
  ['an edge lags within the bound', { neededFrom: () => 60 }, 60],
  ['an edge lags beyond the bound', { neededFrom: () => 20 }, 50],
  ['more is kept anyway than for edges', { keep: 70, neededFrom: () => 20 }, 30],
  ['there is less than is kept', { keep: 500 }, 0],
  ['what is live is older', { live: () => 75 }, 75],
] as const) {
  test(`the log lets go of the right entries where ${what}`, async (t) => {
    const store = filled(100)
    t.after(() => store.close())
    const before = store.snapshot()
    const keeper = keeperOf(store, more)
    keeper.start()
    await keeper.rotate()
    keeper.stop()
    assert.equal(store.base().id, base)
    assert.deepEqual(store.snapshot(), before)
    assert.deepEqual(store.verify(), { ok: true, entries: 100 })
  })
}

test('it looks again and again, and rests while it is stopped', async (t) => {
  const store = filled(20)
  t.after(() => store.close())
  const keeper = keeperOf(store, { everyMs: 1 })
  keeper.start()
  await keeper.rotate()
  assert.equal(store.base().id, 10)
  store.append([{ operation: 'SET', key: 'a', value: '1' }])
  while (store.base().id < 11) await new Promise((resolve) => setTimeout(resolve, 1))
  keeper.stop()
  store.append([{ operation: 'SET', key: 'a', value: '2' }])
  await keeper.rotate()
  assert.equal(store.base().id, 11)
})

test('a long log is let go of in slices, and other work has its turn between them', async (t) => {
  const store = filled(5000, 2000)
  t.after(() => store.close())
  const spans: number[] = []
  const rotate = (id: number) => {
    const start = performance.now()
    store.rotate(id)
    spans.push(performance.now() - start)
  }
  let turns = 0
  const watch = setInterval(() => turns++, 1)
  const keeper = keeperOf(store, { store: { position: store.position, base: store.base, rotate } })
  keeper.start()
  await keeper.rotate()
  clearInterval(watch)
  keeper.stop()
  assert.equal(store.base().id, 4990)
  const sorted = spans.toSorted((a, b) => a - b)
  t.diagnostic(
    `${spans.length} slices, p50 ${sorted[spans.length >> 1]!.toFixed(1)} ms, max ${sorted.at(-1)!.toFixed(1)} ms`,
  )
  assert.ok(spans.length > 20, `${spans.length} slices`)
  assert.ok(turns >= 5, `${turns} turns of others`)
})

test('what cannot be rotated is told, and tried again', async (t) => {
  const store = filled(100)
  t.after(() => store.close())
  const warnings: string[] = []
  let isFull = true
  const keeper = keeperOf(store, {
    store: {
      position: store.position,
      base: store.base,
      rotate(id) {
        if (isFull) throw new Error('the disk is full')
        store.rotate(id)
      },
    },
    log: { info: () => {}, warn: (line) => void warnings.push(line) },
  })
  keeper.start()
  await keeper.rotate()
  assert.deepEqual(warnings, ['the log lets go of nothing: the disk is full'])
  isFull = false
  await keeper.rotate()
  keeper.stop()
  assert.equal(store.base().id, 90)
})

test('the engine behind a replica lets go of the same, and is told again where it did not answer', async (t) => {
  const [store, behind] = [filled(100), filled(100)]
  t.after(() => [store, behind].map((one) => one.close()))
  let isAway = true
  const keeper = keeperOf(store, {
    trimEngine(id) {
      if (isAway) return Promise.reject(new EdgeError('store-unavailable', 'no answer'))
      return embeddedLog(behind).trim(id)
    },
  })
  keeper.start()
  await keeper.rotate()
  assert.deepEqual([store.base().id, behind.base().id], [90, 0])
  isAway = false
  await keeper.rotate()
  keeper.stop()
  assert.equal(behind.base().id, 90)
})
