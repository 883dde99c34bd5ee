import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Effect } from '../contract/store.ts'
import { embeddedLog } from '../store/engines/embedded.ts'
import { openStore } from '../store/sqlite-store.ts'
import { appendPlanned, storeWriter } from './store-writer.ts'

test('writers that write the same in one millisecond are told apart: each counts once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-writer-'))
  const clock = { now: () => 1, monotonic: () => 1 }
  const store = openStore(folder, { clock })
  t.after(() => {
    store.close()
    rmSync(folder, { recursive: true })
  })
  const log = embeddedLog(store)
  let chances = 0
  const random = () => (chances++ % 1000) / 1000
  const parts = { store, log, clock, random, catchUp: async () => {}, onAppended: () => {} }
  const writers = [storeWriter(parts), storeWriter(parts)]
  const increment = (): readonly Effect[] => [
    { operation: 'SET', key: 'count', value: String(Number(store.get('count') ?? 0) + 1) },
  ]
  for (let round = 0; round < 20; round++)
    await Promise.all(writers.map((writer) => appendPlanned(store, writer, increment)))
  assert.equal(store.get('count'), '40')
  assert.equal(store.position().id, 40)
})
