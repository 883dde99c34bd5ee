import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Effect } from '../contract/store.ts'
import { embeddedLog } from './engines/embedded.ts'
import { migrateLog, movedStore, type MovedLog } from './migration.ts'
import { openStore } from './sqlite-store.ts'

const root = mkdtempSync(join(tmpdir(), 'orla-migration-'))
after(() => rmSync(root, { recursive: true, force: true }))
// Appends of one moment go over together: here each has its own.
let moment = 0
const clock = { now: () => ++moment, monotonic: () => moment }
const open = () => openStore(mkdtempSync(join(root, 's-')), { clock })
const set = (key: string, value: string): Effect => ({ operation: 'SET', key, value })

function filled(entries: number) {
  const store = open()
  // As they come: what was appended at once goes over at once.
  for (let n = 0; n < entries; n += 10)
    store.append(Array.from({ length: 10 }, (_, more) => set(`k${(n + more) % 7}`, String(n + more))))
  return store
}

const quiet = { force: false, onProgress: () => {} }
const moved = (store: ReturnType<typeof open>): MovedLog => movedStore(store, 'a directory')
/** As an engine is seen, which does not say what stood before its first entry. */
const asEngine = (store: ReturnType<typeof open>): MovedLog => ({
  log: embeddedLog(store),
  address: 'an engine',
})

for (const [what, rotated, view, base] of [
  ['a directory with all its entries', 0, moved, 0],
  ['a directory that has let go of some', 500, moved, 500],
  ['an engine with all its entries', 0, asEngine, 0],
  ['an engine that has let go of some: its state goes over', 500, asEngine, 1200],
] as const) {
  test(`a log goes over whole from ${what}`, async (t) => {
    const [from, to] = [filled(1200), open()]
    t.after(() => [from, to].map((store) => store.close()))
    from.rotate(rotated)
    const told: number[] = []
    const result = await migrateLog(view(from), moved(to), {
      ...quiet,
      onProgress: (id) => void told.push(id),
    })
    assert.deepEqual(to.snapshot(), from.snapshot())
    assert.deepEqual(to.read(base, 2000), from.read(base, 2000))
    assert.deepEqual([to.base().id, to.base().log], [base, from.base().log])
    assert.deepEqual([result.position, result.entries, result.keys], [from.position(), 1200 - base, 7])
    assert.deepEqual(told.at(-1) ?? base, 1200)
    // Whoever stood there goes on there.
    assert.deepEqual(to.entriesAfter(from.position(), 5), [])
    assert.deepEqual(to.verify(), { ok: true, entries: 1200 })
  })
}

test('what is written meanwhile goes over, too', async (t) => {
  const [from, to] = [filled(1200), open()]
  t.after(() => [from, to].map((store) => store.close()))
  let left = 3
  const onProgress = () => {
    if (left-- > 0) from.append([set('late', String(left))])
  }
  const result = await migrateLog(moved(from), moved(to), { force: false, onProgress })
  assert.equal(result.position.id, 1203)
  assert.deepEqual(to.snapshot(), from.snapshot())
})

test('a copy that was cut goes on where it was', async (t) => {
  const [from, to] = [filled(1200), open()]
  t.after(() => [from, to].map((store) => store.close()))
  const cut = () => {
    throw new Error('cut')
  }
  await assert.rejects(migrateLog(moved(from), moved(to), { force: false, onProgress: cut }), /cut/)
  assert.equal(to.position().id, 500)
  const result = await migrateLog(moved(from), moved(to), quiet)
  assert.deepEqual([result.entries, result.position.id], [700, 1200])
  // And once more there is nothing to do.
  assert.equal((await migrateLog(moved(from), moved(to), quiet)).entries, 0)
})

test('another log is in the way, unless it may go', async (t) => {
  const [from, to] = [filled(20), filled(30)]
  t.after(() => [from, to].map((store) => store.close()))
  const before = to.snapshot()
  await assert.rejects(migrateLog(moved(from), moved(to), quiet), {
    code: 'store-foreign',
    message: 'a directory holds another log, up to entry 30',
  })
  assert.deepEqual(to.snapshot(), before)
  await migrateLog(moved(from), moved(to), { ...quiet, force: true })
  assert.deepEqual(to.snapshot(), from.snapshot())
})

test('somebody else who writes to the target is found out', async (t) => {
  const [from, to] = [filled(1200), open()]
  t.after(() => [from, to].map((store) => store.close()))
  const onProgress = () => void to.append([set('other', 'writer')])
  await assert.rejects(migrateLog(moved(from), moved(to), { force: false, onProgress }), {
    code: 'store-conflict',
  })
})
