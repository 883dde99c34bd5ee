/** The programs in the guide on limits are run as they are written, and print what the page shows below them. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { ROOT } from '../shape/tree.ts'
import { blocksOf } from './markdown.ts'
import { folderFor } from './sessions.ts'

const run = promisify(execFile)

test('the programs in the guide on limits print what the page shows', async (t) => {
  const cwd = await folderFor(t)
  await writeFile(join(cwd, 'package.json'), '{ "type": "module" }')
  await mkdir(join(cwd, 'node_modules'))
  await symlink(ROOT, join(cwd, 'node_modules/orla'))
  const blocks = blocksOf('docs/guides/limits.md')
  let programs = 0
  for (const [index, { marker, text, place }] of blocks.entries()) {
    if (marker[0] !== 'program') continue
    programs += 1
    const shown = blocks[index + 1]
    assert.equal(shown?.language, 'text', `${place} is followed by what it prints`)
    await t.test(place, async () => {
      const file = join(cwd, `program-${programs}.ts`)
      await writeFile(file, text)
      const { stdout } = await run(process.execPath, ['--disable-warning=ExperimentalWarning', file])
      assert.equal(stdout, shown?.text)
    })
  }
  assert.ok(programs >= 5, `only ${programs} programs were found`)
})
