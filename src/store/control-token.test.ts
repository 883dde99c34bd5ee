import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openControlToken } from './control-token.ts'

test('a token is made once, kept for its owner alone, and found again', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'orla-token-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const first = openControlToken(directory)
  assert.ok(first.isNew && first.token.length >= 32)
  assert.equal(statSync(first.path).mode & 0o777, 0o600)
  assert.deepEqual(openControlToken(directory), { ...first, isNew: false })

  // Another one, written by hand.
  writeFileSync(first.path, 'a-token-of-our-own\n')
  assert.equal(openControlToken(directory).token, 'a-token-of-our-own')
  for (const bad of ['', 'short', 'with a blank in it, and long']) {
    writeFileSync(first.path, bad)
    assert.throws(() => openControlToken(directory), { code: 'secret-unreadable' })
  }
})
