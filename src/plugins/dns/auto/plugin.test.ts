/** What `auto` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import { zoneFolder } from '../testing/zone-folder.ts'
import auto from './plugin.ts'

const GOOD = [
  'auto example.org {\n directory .\n}',
  'auto {\n directory .\n reload 0\n}',
  'auto {\n directory . (.*) bliep\n}',
  'auto {\n directory . (.*) bliep\n reload 10s\n}',
  'auto {\n directory . (.*) bliep\n upstream 8.8.8.8\n}',
  'auto {\n directory . www\\.db\\.(.*) {1}\n}',
  'auto {\n directory no-such-folder\n}',
  'auto a.example.org {\n directory .\n}\nauto b.example.org {\n directory .\n}',
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [auto], folder: zoneFolder(t).path })
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  ['auto {\n directory .\n no_reload\n}', /Corefile:3 - plugin\/auto: unknown property 'no_reload'/],
  ['auto example.org {\n directory\n}', /wrong argument count/],
  ['auto example.org {\n directory . * {1}\n}', /Nothing to repeat|[Ii]nvalid/],
  ['auto example.org {\n directory . * {1} aa\n}', /one too many/],
  ['auto example.org {\n directory . .* {1}\n}', /need at least one sub expression/],
  ['auto {\n directory . (.*)\n}', /wrong argument count/],
  ['auto {\n directory .\n reload -1s\n}', /less than nothing/],
  ['auto {\n directory file\n}', /file is no directory/],
  ['auto {\n}', /needs a directory/],
  ['auto', /needs a directory/],
]
for (const [text, error] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    const folder = zoneFolder(t)
    folder.write('file', '')
    await assert.rejects(blockOf(t, text, { plugins: [auto], folder: folder.path }), error)
  })
