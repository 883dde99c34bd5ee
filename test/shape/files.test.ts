/** What holds for every file: how long it may be, and what it may not carry. */
import assert from 'node:assert/strict'
import { homedir, hostname } from 'node:os'
import { test } from 'node:test'
import { filesBelow, ROOT, textOf } from './tree.ts'

const LINES_MAX = 400
/** Tests are mostly tables, which are long and yet quickly read. */
const TEST_LINES_MAX = 500

/** Longer files, each with the reason why it is one story. */
const LONGER: Readonly<Record<string, string>> = {
  'src/unit/types/globals.d.ts':
    'the global names of units, one after the other: an editor is pointed at one file',
  'src/unit/types/orla.d.ts':
    'what units import from "orla", which is one file for an editor and the checker',
}

const files = filesBelow()

const linesMax = (path: string): number => (path.endsWith('.test.ts') ? TEST_LINES_MAX : LINES_MAX)

test('no file of code is longer than 400 lines, or 500 for a test, without a reason', () => {
  const long = files
    .filter((path) => /\.(?:ts|js|mjs|css|html)$/.test(path))
    .filter((path) => textOf(path).split('\n').length - 1 > linesMax(path))
  assert.deepEqual(long.toSorted(), Object.keys(LONGER).toSorted())
})

test('no file carries a path of this machine', () => {
  // A home such as `/root/` is a path that addresses in tests have too.
  const marks = [ROOT, `${homedir()}/`].filter((mark) => mark.split('/').length > 3)
  const carries = (path: string, mark: string) => textOf(path).includes(mark)
  const found = files.flatMap((path) =>
    marks.filter((mark) => carries(path, mark)).map((mark) => [path, mark]),
  )
  assert.deepEqual(found, [])
})

test('no file names this machine or the registry that packages come from', () => {
  const registry = process.env['npm_config_registry']
  const host = registry === undefined ? undefined : new URL(registry).host
  const name = hostname()
  const marks = [host, name.length > 8 ? name : undefined].filter((mark) => mark !== undefined)
  const found = files.filter((path) => marks.some((mark) => textOf(path).includes(mark)))
  assert.deepEqual(found, [])
})

interface Locked {
  readonly resolved?: string
  readonly integrity?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const { packages } = JSON.parse(textOf('package-lock.json')) as { packages: Record<string, Locked> }

test('the lock file pins contents and not the place they come from', () => {
  const installed = Object.entries(packages).filter(([path]) => path !== '')
  assert.deepEqual(
    installed.filter(([, { resolved, integrity }]) => resolved !== undefined || integrity === undefined),
    [],
  )
})

test('the lock file holds every package that it names, also those of other platforms: else npm ci fails', () => {
  const held = new Set(
    Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 13)),
  )
  const named = Object.values(packages).flatMap(({ dependencies = {}, optionalDependencies = {} }) =>
    Object.keys({ ...dependencies, ...optionalDependencies }),
  )
  assert.deepEqual(
    named.filter((name) => !held.has(name)),
    [],
  )
})
