/** What every engine of the store must do, whatever it is made of. An engine's test calls this and adds its own cases. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Effect, Store } from '../contract/store.ts'
import { entryHash, GENESIS } from './chain.ts'

const set = (key: string, value: string): Effect => ({ operation: 'SET', key, value })
const remove = (key: string): Effect => ({ operation: 'DELETE', key })

/** `open` gives an empty store; `reopen` closes the one it is given and opens it again. */
export function storeContract(open: () => Store, reopen: (store: Store) => Store): void {
  test('an empty store stands at position 0 of a log with a name', () => {
    const store = open()
    const { log, id, hash } = store.position()
    assert.match(log, /^[0-9a-f]{16,}$/)
    assert.deepEqual([id, hash], [0, GENESIS])
    assert.deepEqual(store.read(0, 10), [])
    assert.equal(store.snapshot().entries.size, 0)
    store.close()
  })

  test('what was set is read, and gone when it was deleted', () => {
    const store = open()
    store.append([set('a', '1'), set('b', 'dois')])
    store.append([set('a', '2'), remove('b')])
    assert.equal(store.get('a'), '2')
    assert.equal(store.get('b'), undefined)
    store.close()
  })

  test('ids have no gap, and each entry carries the hash over the one before', () => {
    const store = open()
    store.append([set('a', '1')])
    store.append([set('b', '2'), remove('a'), set('a', '')])
    const entries = store.read(0, 100)
    assert.deepEqual(
      entries.map(({ id, operation, key, value }) => [id, operation, key, value]),
      [
        [1, 'SET', 'a', '1'],
        [2, 'SET', 'b', '2'],
        [3, 'DELETE', 'a', ''],
        [4, 'SET', 'a', ''],
      ],
    )
    let hash = GENESIS
    for (const entry of entries) {
      hash = entryHash(hash, entry)
      assert.equal(entry.hash, hash)
    }
    assert.deepEqual(store.position(), { log: store.position().log, id: 4, hash })
    store.close()
  })

  test('append answers with the new position, and nothing appended moves nothing', () => {
    const store = open()
    const position = store.append([set('a', '1'), set('a', '2')])
    assert.equal(position.id, 2)
    assert.deepEqual(store.append([]), position)
    assert.deepEqual(store.position(), position)
    store.close()
  })

  test('a list holds the keys with the prefix, in order, and no neighbours', () => {
    const store = open()
    store.append(
      ['unit/b', 'unit/a', 'unit', 'unit0', 'units/x', 'unit/ção', 'a'].map((key) => set(key, key)),
    )
    assert.deepEqual(
      store.list('unit/').map(([key]) => key),
      ['unit/a', 'unit/b', 'unit/ção'],
    )
    assert.equal(store.list('').length, 7)
    store.close()
  })

  test('reading goes on after an id, at most so many', () => {
    const store = open()
    store.append(Array.from({ length: 10 }, (_, n) => set(`k${n}`, String(n))))
    assert.deepEqual(
      store.read(3, 4).map((entry) => entry.id),
      [4, 5, 6, 7],
    )
    assert.deepEqual(store.read(10, 5), [])
    store.close()
  })

  test('any text comes back as it went in', () => {
    const store = open()
    const texts = ['', '\0 zero \0', 'linha\r\n', '😀 é', '\ud800 alone', 'x'.repeat(2_000_000)]
    store.append(texts.map((text, n) => set(`t${n}`, text)))
    const again = reopen(store)
    for (const [n, text] of texts.entries()) assert.equal(again.get(`t${n}`), text.toWellFormed())
    assert.equal(again.read(0, 100).length, texts.length)
    again.close()
  })

  test('all of it is there after closing and opening', () => {
    const store = open()
    store.append([set('a', '1'), set('b', '2'), remove('a')])
    const before = { position: store.position(), entries: store.read(0, 10), snapshot: store.snapshot() }
    const again = reopen(store)
    assert.deepEqual(
      { position: again.position(), entries: again.read(0, 10), snapshot: again.snapshot() },
      before,
    )
    again.append([set('c', '3')])
    assert.equal(again.position().id, 4)
    again.close()
  })

  test('the log adds up to the snapshot', () => {
    const store = open()
    for (let n = 0; n < 50; n++) store.append([set(`k${n % 7}`, String(n)), remove(`k${(n * 3) % 5}`)])
    const state = new Map<string, string>()
    for (const entry of store.read(0, 1000)) {
      if (entry.operation === 'SET') state.set(entry.key, entry.value)
      else state.delete(entry.key)
    }
    const snapshot = store.snapshot()
    assert.deepEqual(new Map([...snapshot.entries].toSorted()), new Map([...state].toSorted()))
    assert.deepEqual(snapshot.position, store.position())
    store.close()
  })
}
