import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import type { Effect } from '../../contract/store.ts'
import { chain } from '../chain.ts'
import { openStore } from '../sqlite-store.ts'
import { embeddedLog } from './embedded.ts'

test('what only begins like something that is there is a conflict, and what is there already was appended', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-embedded-'))
  const store = openStore(folder, { clock: systemClock })
  t.after(() => {
    store.close()
    rmSync(folder, { recursive: true })
  })
  const log = embeddedLog(store)
  const start = await log.head()
  const set = (key: string): Effect => ({ operation: 'SET', key, value: '1' })
  const two = chain(start, [set('a'), set('b')], 1)
  assert.equal(await log.append(start, two), 'appended')
  assert.equal(await log.append(start, two), 'appended')
  assert.equal(await log.append(start, chain(start, [set('a'), set('c')], 1)), 'conflict')
  assert.equal(await log.append(start, chain(start, [set('a'), set('b'), set('c')], 1)), 'conflict')
  assert.equal((await log.head()).id, 2)
})
