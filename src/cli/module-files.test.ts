import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { EdgeError } from '../base/errors.ts'
import { collectModule, shownFile } from './module-files.ts'

async function folder(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'orla-module-'))
  t.after(() => rm(root, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), text)
  }
  return root
}

test('a module that imports nothing but orla goes alone', async (t) => {
  const source = "import type { Unit } from 'orla'\nexport default {} satisfies Unit"
  const root = await folder(t, { 'units/a.ts': source, 'units/b.ts': '' })
  assert.deepEqual(await collectModule(join(root, 'units/a.ts')), {
    source,
    language: 'ts',
    entry: 'a.ts',
    files: {},
    root: join(root, 'units'),
  })
})

test('what is imported goes along, also what that imports, whatever form the import has', async (t) => {
  const root = await folder(t, {
    'units/a.ts': [
      'import one, {',
      '  type Two,',
      "} from '../lib/one.js'",
      "import type { Three } from './three.ts'",
      "import './four'",
      "export * from './five'",
      "export const six = () => import('./six.ts')",
      "import data from '../data.json' with { type: 'json' }",
    ].join('\n'),
    'lib/one.ts': "import './../units/a.ts'\nexport { x } from './deep/x'",
    'lib/deep/x/index.ts': 'export const x = 1',
    'units/three.ts': 'export type Three = 3',
    'units/four.mjs': '',
    'units/five.ts': '',
    'units/six.ts': '',
    'data.json': '{}',
    'units/other.ts': '',
  })
  const module = await collectModule(join(root, 'units/a.ts'))
  assert.equal(module.entry, 'units/a.ts')
  assert.equal(module.root, root)
  assert.deepEqual(Object.keys(module.files).toSorted(), [
    'data.json',
    'lib/deep/x/index.ts',
    'lib/one.ts',
    'units/five.ts',
    'units/four.mjs',
    'units/six.ts',
    'units/three.ts',
  ])
  assert.equal(module.files['units/three.ts'], 'export type Three = 3')
})

test('an import that leads nowhere is left to the build, which names the line', async (t) => {
  const root = await folder(t, { 'a.ts': "import './none.ts'\n// see \"from './nowhere'\"" })
  assert.deepEqual((await collectModule(join(root, 'a.ts'))).files, {})
})

test('files of a package go along with its manifest, and only those that are reached', async (t) => {
  const root = await folder(t, {
    'a.ts':
      "import { one } from 'numbers'\nimport { two } from '@scope/more'\nexport default { x: one + two }",
    'node_modules/numbers/package.json': '{"name": "numbers", "type": "module", "exports": "./one.js"}',
    'node_modules/numbers/one.js': 'export const one = 1',
    'node_modules/numbers/unused.js': '',
    'node_modules/@scope/more/package.json': '{"name": "@scope/more", "main": "main.js", "type": "module"}',
    'node_modules/@scope/more/main.js': "export * from './two.js'",
    'node_modules/@scope/more/two.js': 'export const two = 2',
  })
  const module = await collectModule(join(root, 'a.ts'))
  assert.deepEqual(Object.keys(module.files).toSorted(), [
    'node_modules/@scope/more/main.js',
    'node_modules/@scope/more/package.json',
    'node_modules/@scope/more/two.js',
    'node_modules/numbers/one.js',
    'node_modules/numbers/package.json',
  ])
})

test('a file of the module is shown by the path its author would type', async (t) => {
  const root = await folder(t, { 'units/a.ts': "import '../lib/b.ts'", 'lib/b.ts': 'export const b = 1' })
  const module = await collectModule(join(root, 'units/a.ts'))
  assert.deepEqual(shownFile(module, 'lib/b.ts', root), { path: 'lib/b.ts', text: 'export const b = 1' })
  assert.deepEqual(shownFile(module, 'units/a.ts', join(root, 'units')).path, 'a.ts')
})

for (const [name, message] of [
  ['none.ts', /none\.ts cannot be read: there is no such file/],
  ['a.lua', /neither TypeScript nor JavaScript/],
] as const) {
  test(`${name} is refused`, async (t) => {
    const root = await folder(t, { 'a.lua': '' })
    await assert.rejects(
      collectModule(join(root, name)),
      (error) => error instanceof EdgeError && message.test(error.message),
    )
  })
}
