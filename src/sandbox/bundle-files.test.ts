import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeBundles, runtimeDirectory } from './bundle-files.ts'

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

test('what was bundled is taken again until a source or a bundle is another', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'orla-bundles-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const made = await makeBundles(directory)
  const record = join(
    directory,
    readdirSync(directory).find((name) => name.endsWith('.json'))!,
  )
  const text = readFileSync(record, 'utf8')
  const guest = readFileSync(made.guest, 'utf8')
  // Whoever writes it makes another file.
  const inode = () => statSync(record).ino
  const first = inode()

  assert.deepEqual(await makeBundles(directory), made)
  assert.equal(inode(), first)

  writeFileSync(made.guest, 'another program')
  assert.deepEqual(await makeBundles(directory), made)
  assert.equal(readFileSync(made.guest, 'utf8'), guest)

  const { hashes } = JSON.parse(text) as { hashes: Record<string, string> }
  const withOther = (source: string) => {
    const path = Object.keys(hashes).find((name) => name.endsWith(source)) ?? assert.fail(source)
    return text.replace(hashes[path]!, 'as it was before')
  }
  const others = ['src/sandbox/child.ts', 'src/sandbox/guest/main.ts', 'src/sandbox/bundle.ts'].map(withOther)
  for (const spoilt of [...others, 'not JSON', '']) {
    writeFileSync(record, spoilt)
    assert.deepEqual(await makeBundles(directory), made)
    assert.equal(readFileSync(record, 'utf8'), text)
  }
})
