import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openIndexForWriting } from './index-file.ts'
import { STATEMENTS } from './tier-index.ts'

test('no statement of the keeper walks through all objects: each finds its rows by an index', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-index-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const db = openIndexForWriting(folder, 100)
  t.after(() => db.close())
  for (const [name, sql] of Object.entries(STATEMENTS)) {
    const steps = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[]
    for (const { detail } of steps) assert.doesNotMatch(detail, /^SCAN (?:object|tag)|TEMP B-TREE/, name)
  }
})
