import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openStore, type SqliteStore } from './sqlite-store.ts'

const root = mkdtempSync(join(tmpdir(), 'orla-search-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** Ten entries, one a second from second 1 on: `even` and `odd` in turn. */
function filled(): SqliteStore {
  let now = 0
  const clock = { now: () => now, monotonic: () => now }
  const store = openStore(mkdtempSync(join(root, 's-')), { clock })
  for (let n = 1; n <= 10; n++) {
    now = n * 1000
    store.append([{ operation: 'SET', key: `${n % 2 === 0 ? 'even' : 'odd'}/${n}`, value: String(n) }])
  }
  return store
}

const ids = (entries: readonly { readonly id: number }[]) => entries.map(({ id }) => id)

test('entries are found by id, by key, and from the end', (t) => {
  const store = filled()
  t.after(() => store.close())
  assert.deepEqual(ids(store.search({ from: 4, limit: 3 })), [4, 5, 6])
  assert.deepEqual(ids(store.search({ from: 4, prefix: 'odd/', limit: 3 })), [5, 7, 9])
  assert.deepEqual(ids(store.search({ limit: 3 })), [8, 9, 10])
  assert.deepEqual(ids(store.search({ prefix: 'even/', limit: 2 })), [8, 10])
  assert.deepEqual(ids(store.search({ from: 11, limit: 3 })), [])
  assert.deepEqual(ids(store.search({ prefix: 'none', limit: 3 })), [])
})

test('what is kept no more is told with where the log begins', (t) => {
  const store = filled()
  t.after(() => store.close())
  store.rotate(6)
  assert.throws(() => store.search({ from: 6, limit: 1 }), {
    code: 'log-trimmed',
    message: 'entry 6 is not kept any more: entries are kept from 7 on',
  })
  assert.deepEqual(ids(store.search({ from: 7, limit: 1 })), [7])
  assert.deepEqual(ids(store.search({ limit: 100 })), [7, 8, 9, 10])
  store.rotate(10)
  assert.throws(() => store.search({ from: 1, limit: 1 }), { message: /no entry is kept$/ })
})

test('a time is the last entry that was written by then', (t) => {
  const store = filled()
  t.after(() => store.close())
  assert.deepEqual(
    [1000, 3999, 4000, 99_000].map((ms) => store.idAt(ms)),
    [1, 3, 4, 10],
  )
  assert.throws(() => store.idAt(999), {
    code: 'log-trimmed',
    message: /begins with entry 1 of 1970-01-01T00:00:01/,
  })
  store.rotate(6)
  assert.throws(() => store.idAt(6500), { code: 'log-trimmed', message: /begins with entry 7/ })
})

test('a replica that stands alone is a log of another name with the same entries, and nobody is its keeper', (t) => {
  const store = filled()
  t.after(() => store.close())
  store.keepFor('control')
  const before = store.position()
  const entries = store.read(0, 99)
  const { log, ...rest } = store.standAlone()
  assert.notEqual(log, before.log)
  assert.deepEqual(rest, { id: before.id, hash: before.hash })
  assert.equal(store.keeper(), undefined)
  assert.deepEqual(store.read(0, 99), entries)
  assert.equal(store.entriesAfter(before, 9), 'reset')
  assert.deepEqual(store.verify(), { ok: true, entries: 10 })
})

test('a store is verified in steps, while it is written to and rotated', async (t) => {
  const store = filled()
  t.after(() => store.close())
  for (let n = 0; n < 40; n++)
    store.append([{ operation: 'SET', key: 'large', value: `${n}`.repeat(150_000) }])
  const verdict = store.verifyGently()
  let turns = 0
  const writing = setInterval(() => {
    turns++
    store.append([{ operation: 'SET', key: 'small', value: String(turns) }])
    if (turns === 2) store.rotate(20)
  }, 0)
  const found = await verdict
  clearInterval(writing)
  assert.ok(turns > 0)
  assert.ok(found.ok && found.entries >= 50, JSON.stringify(found))
})
