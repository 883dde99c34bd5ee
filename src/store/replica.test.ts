import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import type { Effect, LogEntry } from '../contract/store.ts'
import { openStore } from './sqlite-store.ts'

const root = mkdtempSync(join(tmpdir(), 'orla-replica-'))
after(() => rmSync(root, { recursive: true, force: true }))
const folder = () => mkdtempSync(join(root, 's-'))
const open = (directory = folder()) => openStore(directory, { clock: systemClock })
const set = (key: string, value: string): Effect => ({ operation: 'SET', key, value })
const remove = (key: string): Effect => ({ operation: 'DELETE', key })

function filled(entries = 40) {
  const store = open()
  for (let n = 0; n < entries / 2; n++) store.append([set(`k${n % 7}`, String(n)), remove(`k${(n * 3) % 5}`)])
  return store
}

function joined(source: ReturnType<typeof open>, directory = folder()) {
  const replica = open(directory)
  const { position, entries } = source.snapshot()
  const load = replica.load(position, 'control')
  load.add(entries)
  load.commit()
  return replica
}

test('the example of the model: john, eli, none', () => {
  const store = open()
  store.append([set('name', 'john')])
  store.append([set('name', 'eli')])
  store.append([remove('name')])
  assert.deepEqual(
    [1, 2, 3].map((id) => store.at(id).get('name')),
    ['john', 'eli', undefined],
  )
  assert.deepEqual(
    store.read(0, 9).map(({ id, operation }) => [id, operation]),
    [
      [1, 'SET'],
      [2, 'SET'],
      [3, 'DELETE'],
    ],
  )
  store.close()
})

test('a snapshot and what comes after it are the whole, at any position', () => {
  const source = filled()
  for (let id = 0; id <= source.position().id; id++) {
    const replica = open()
    const past = source.at(id)
    const load = replica.load(past.position(), 'control')
    load.add(past.list(''))
    load.commit()
    const entries = source.entriesAfter(replica.position(), 1000)
    assert.ok(entries !== 'reset')
    replica.apply(entries)
    assert.deepEqual(replica.snapshot(), source.snapshot())
    assert.deepEqual(replica.verify(), { ok: true, entries: source.position().id })
    replica.close()
  }
  source.close()
})

test('rotation keeps the state, what at says of later ids, and tells who stands before it to start anew', () => {
  const store = filled()
  const before = store.snapshot()
  const past = store.at(25).list('')
  const early = store.at(10).position()
  const late = store.at(20).position()
  store.rotate(20)
  assert.deepEqual(store.snapshot(), before)
  assert.equal(store.base().id, 20)
  assert.deepEqual(store.at(25).list(''), past)
  assert.throws(() => store.at(19), { code: 'store-diverged' })
  assert.equal(store.entriesAfter(early, 5), 'reset')
  assert.equal((store.entriesAfter(late, 5) as LogEntry[])[0]!.id, 21)
  assert.equal(store.read(0, 1)[0]!.id, 21)
  store.rotate(10_000)
  assert.equal(store.base().id, store.position().id)
  assert.deepEqual(store.verify(), { ok: true, entries: store.position().id })
  store.append([set('z', '1')])
  assert.deepEqual(store.verify(), { ok: true, entries: store.position().id })
  store.close()
})

test('a rotated store is the same after closing and opening', () => {
  const path = folder()
  const store = open(path)
  store.append([set('a', '1'), set('b', '2'), remove('a')])
  store.rotate(3)
  const before = store.snapshot()
  store.close()
  const again = open(path)
  assert.deepEqual(again.snapshot(), before)
  assert.equal(again.append([set('c', '3')]).id, 4)
  again.close()
})

test('what is told of a log never ends in the middle of an append', () => {
  let at = 0
  const source = openStore(folder(), { clock: { now: () => at, monotonic: () => 0 } })
  const ends = [0]
  for (const size of [3, 1, 5, 2, 4]) {
    at += 1
    ends.push(source.append(Array.from({ length: size }, (_, n) => set(`k${n}`, String(at)))).id)
  }
  for (const end of ends.slice(0, -1)) {
    for (let limit = 1; limit < 9; limit++) {
      const entries = source.entriesAfter(source.at(end).position(), limit) as LogEntry[]
      assert.ok(entries.length >= Math.min(limit, source.position().id - end))
      assert.ok(ends.includes(entries.at(-1)!.id), `${limit} after ${end}: up to ${entries.at(-1)!.id}`)
    }
  }
  source.close()
})

test('who stands on another history is told so, and never skips', () => {
  const [one, other] = [filled(), filled()]
  assert.equal(one.entriesAfter(other.position(), 5), 'reset')
  assert.equal(one.entriesAfter({ ...one.at(5).position(), hash: 'f'.repeat(64) }, 5), 'reset')
  assert.equal(one.entriesAfter({ ...one.position(), id: one.position().id + 1 }, 5), 'reset')
  assert.deepEqual(one.entriesAfter(one.position(), 5), [])
  one.close()
  other.close()
})

test('entries that do not come next are refused with nothing changed', () => {
  const source = filled()
  const replica = joined(source)
  source.append([set('x', '1'), set('y', '2'), set('z', '3')])
  const entries = source.read(replica.position().id, 9)
  const before = replica.snapshot()
  const [first, second, third] = entries as [LogEntry, LogEntry, LogEntry]
  const wrong: readonly (readonly LogEntry[])[] = [
    [second],
    [first, third],
    [first, { ...second, value: 'other' }],
    [second, first],
    [first, first],
  ]
  for (const batch of wrong) assert.throws(() => replica.apply(batch), { code: 'store-diverged' })
  assert.deepEqual(replica.snapshot(), before)
  replica.apply(entries)
  assert.deepEqual(replica.snapshot(), source.snapshot())
  // What was applied before is no second time: the position says so.
  assert.throws(() => replica.apply(entries), { code: 'store-diverged' })
  for (const store of [source, replica]) store.close()
})

test('a snapshot that is cut changes nothing, also where the process ends', () => {
  const source = filled()
  const path = folder()
  const replica = joined(source, path)
  const before = replica.snapshot()
  source.append([set('x', 'y')])
  const load = replica.load(source.position(), 'another')
  load.add([['half', 'of it']])
  replica.close()
  const again = open(path)
  assert.deepEqual(again.snapshot(), before)
  assert.equal(again.keeper(), 'control')
  const cut = again.load(source.position(), 'another')
  cut.add([['half', 'of it']])
  cut.abort()
  assert.deepEqual(again.snapshot(), before)
  const whole = again.load(source.position(), 'another')
  whole.add(source.snapshot().entries)
  whole.commit()
  assert.deepEqual(again.snapshot(), source.snapshot())
  assert.equal(again.keeper(), 'another')
  source.close()
  again.close()
})

test('a file of the format before is taken over as it is', () => {
  const path = folder()
  const store = open(path)
  store.append([set('a', '1'), set('a', '2')])
  const before = store.snapshot()
  store.close()
  const db = new DatabaseSync(join(path, 'orla.db'))
  db.exec(`DROP TABLE base; DELETE FROM meta WHERE key = 'base'; PRAGMA user_version = 1`)
  db.close()
  const again = open(path)
  assert.deepEqual(again.snapshot(), before)
  assert.deepEqual(again.verify(), { ok: true, entries: 2 })
  again.close()
})
