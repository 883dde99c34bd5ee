import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { stop } from 'esbuild'
import { bundle } from './bundle.ts'

after(() => stop())

test('a file of the same name in the working directory is not mistaken for the entry', async (t) => {
  const before = process.cwd()
  const folder = mkdtempSync(join(tmpdir(), 'orla-bundle-'))
  t.after(() => {
    process.chdir(before)
    rmSync(folder, { recursive: true })
  })
  writeFileSync(join(folder, 'token.ts'), 'export default "from the disk"')
  process.chdir(folder)
  const bundled = await bundle(new Map([['token.ts', 'export default "as sent"']]), 'token.ts', 'ts')
  assert.ok(bundled.ok)
  assert.match(bundled.code, /"as sent"/)
  assert.deepEqual((JSON.parse(bundled.sourceMap) as { sources: string[] }).sources, ['token.ts'])
})
