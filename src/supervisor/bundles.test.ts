import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runtimeDirectory } from './bundles.ts'

test('programs are not taken from a directory that somebody else could fill', (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'orla-bundles-'))
  t.after(() => rmSync(parent, { recursive: true }))
  const name = `orla-runtime-${userInfo().uid}`

  const made = runtimeDirectory(parent)
  assert.equal(made, join(parent, name))
  assert.equal(runtimeDirectory(parent), made)

  chmodSync(made, 0o777)
  assert.throws(() => runtimeDirectory(parent), /can be written by others/)

  rmSync(made, { recursive: true })
  mkdirSync(join(parent, 'elsewhere'), { mode: 0o755 })
  symlinkSync(join(parent, 'elsewhere'), made)
  assert.throws(() => runtimeDirectory(parent), /orla-runtime/)
})
