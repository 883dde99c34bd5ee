import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { CorefileLine } from '../../contract/dns.ts'
import { type Corefile, readCorefile } from './corefile.ts'

/** A folder with files, gone with the test. */
function folderWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'orla-corefile-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const read = (text: string, folder = '/nowhere', env: NodeJS.ProcessEnv = {}): Corefile =>
  readCorefile({ text, file: 'Corefile', folder }, env)

/** A line as text, its block in brackets. */
const shown = ({ name, args, block }: CorefileLine): string =>
  [name, ...args].map(({ text }) => text).join(' ') + (block ? ` [${block.map(shown).join('; ')}]` : '')

const blocksOf = (corefile: Corefile): [string[], string[]][] =>
  corefile.blocks.map(({ keys, lines }) => [keys.map(({ text }) => text), lines.map(shown)])

/** Those that the parser of CoreDNS is tested with, among others. */
const GOOD: readonly (readonly [text: string, ...blocks: [string[], string[]][]])[] = [
  ['localhost', [['localhost'], []]],
  ['localhost\n  dir1', [['localhost'], ['dir1']]],
  ['localhost:1234\n dir1 foo bar', [['localhost:1234'], ['dir1 foo bar']]],
  ['localhost {\n dir1\n }', [['localhost'], ['dir1']]],
  ['localhost:1234 {\n dir1 foo bar\n dir2\n}', [['localhost:1234'], ['dir1 foo bar', 'dir2']]],
  ['a b {\n dir1 foo bar\n}', [['a', 'b'], ['dir1 foo bar']]],
  ['a, b {\n dir1\n}', [['a', 'b'], ['dir1']]],
  [
    'a:80, b\n dir1 foo bar\n dir2 baz',
    [
      ['a:80', 'b'],
      ['dir1 foo bar', 'dir2 baz'],
    ],
  ],
  ['a,\n b,\n c', [['a', 'b', 'c'], []]],
  [
    'a, b\n dir1 foo {\n bar baz\n }\n dir2',
    [
      ['a', 'b'],
      ['dir1 foo [bar baz]', 'dir2'],
    ],
  ],
  ['a\n dir1 {\n }', [['a'], ['dir1 []']]],
  ['a\n dir1 { }\n dir2', [['a'], ['dir1 []', 'dir2']]],
  ['a { }', [['a'], []]],
  ['a { dir1\n}', [['a'], ['dir1']]],
  ['a\n dir1 {\n nested {\n foo\n }\n }\n dir2 foo bar', [['a'], ['dir1 [nested [foo]]', 'dir2 foo bar']]],
  ['a {\n}\nb {\n}', [['a'], []], [['b'], []]],
  ['a {\n} b {\n}', [['a'], []], [['b'], []]],
  ['a {\n  dir1 x\n  dir2\n  dir1 y\n}', [['a'], ['dir1 x', 'dir2', 'dir1 y']]],
  [''],
  ['""'],
  ['# nothing but a comment'],
  ['\uFEFFa {\r\n dir1 foo\r\n}\r\n', [['a'], ['dir1 foo']]],
  ['a { # what follows is gone }\n dir1 b#c\n}', [['a'], ['dir1 b']]],
  ['a {\n dir1 "b c" "" "d \\" e" "f\\g" "#h" "{"\n}', [['a'], ['dir1 b c  d " e f\\g #h {']]],
  ['a {\n dir1 "b\nc" d\n dir2\n}', [['a'], ['dir1 b\nc d', 'dir2']]],
]

test('a Corefile is read as CoreDNS reads it', () => {
  for (const [text, ...expected] of GOOD) assert.deepEqual(blocksOf(read(text)), expected, text)
})

const BAD: readonly (readonly [text: string, message: RegExp])[] = [
  ['a, {\n}', /^Corefile:1 - Expected another address but had '\{' - check for extra comma/],
  ['a, b,', /^Corefile:1 - Unexpected EOF: expected another zone/],
  ['. { whoami }', /^Corefile:1 - Unexpected '\}' because no matching opening brace: .* line of its own/],
  ['. {\n log\n whoami }', /^Corefile:3 - Unexpected '\}'/],
  ['a\n dir1 {\n foo', /^Corefile:2 - the block of "dir1" is opened here and never closed/],
  ['a {\n dir1\n', /^Corefile:1 - the server block is opened here and never closed/],
  ['a {\n dir1 {\n }\n', /^Corefile:1 - the server block is opened here and never closed/],
  ['a\n dir1 {\n } }', /^Corefile:3 - Unexpected '\}'/],
  ['a {\n dir1 {\n } foo\n}', /^Corefile:3 - "foo" stands behind "\}"/],
  ['a {\n dir1\n {\n foo\n }\n}', /^Corefile:3 - a line begins with "\{"/],
  ['a {\n}\n}', /^Corefile:3 - Unexpected '\}'/],
  ['{\n whoami\n}', /^Corefile:1 - a server block has no zone/],
  ['a {\n dir1 "b\n}', /^Corefile:2 - a quote is opened here and never closed/],
  ['import', /^Corefile:1 - Wrong argument count/],
  ['import ""', /^Corefile:1 - Import requires a non-empty filepath/],
  ['import not-found', /^Corefile:1 - File to import not found: not-found: there is neither a snippet/],
  ['import /*/*.txt', /may only contain one wildcard/],
  ['import /???/?*?o', /may only contain one wildcard/],
  ['import /[a-z]', /may only contain one wildcard/],
  ['import {$}', /File to import not found/],
  ['import {$NONE}', /Import requires a non-empty filepath/],
  ['import a\0b', /^Corefile:1 - a path has no byte of zero/],
  ['import /etc', /Could not import \/etc: is a directory/],
  ['(a) {\n}\n(a) {\n}', /^Corefile:3 - redeclaration of previously declared snippet a/],
  ['(a) {\n dir1', /^Corefile:1 - the snippet a is opened here and never closed/],
  [
    '(a) {\n import a\n}\n. {\n import a\n}',
    /^Corefile:2 - an import leads to itself: snippet a → snippet a/,
  ],
  ['a {\n'.repeat(40), /more than 32 blocks stand in each other/],
]

test('what CoreDNS refuses is refused, with the line', () => {
  for (const [text, message] of BAD)
    assert.throws(() => read(text), { code: 'corefile-invalid', message }, text)
})

test('snippets and files take the place of their imports, wherever a line begins', (t) => {
  const folder = folderWith(t, {
    'lines.conf': 'dir2 2\ndir3',
    'props.conf': 'prop1 1\nprop2 2',
    'server.conf': 'host1 {\n  import lines.conf\n}',
    'sub/deep.conf': 'import ../lines.conf',
    'zones/a.conf': 'a.example {\n}',
    'zones/b.conf': 'b.example {\n}',
  })
  const cases: [string, ...[string[], string[]][]][] = [
    [
      '(common) {\n gzip foo\n errors stderr\n}\na {\n import common\n}',
      [['a'], ['gzip foo', 'errors stderr']],
    ],
    ['(in) {\n prop\n}\na {\n dir1 {\n import in\n last\n }\n}', [['a'], ['dir1 [prop; last]']]],
    ['a\n dir1\n import lines.conf\n dir4', [['a'], ['dir1', 'dir2 2', 'dir3', 'dir4']]],
    ['a {\n import lines.conf\n}', [['a'], ['dir2 2', 'dir3']]],
    ['a { import lines.conf\n}', [['a'], ['dir2 2', 'dir3']]],
    ['import server.conf', [['host1'], ['dir2 2', 'dir3']]],
    [
      'a {\n proxy {\n import props.conf\n transparent\n }\n}',
      [['a'], ['proxy [prop1 1; prop2 2; transparent]']],
    ],
    ['a {\n import sub/deep.conf\n}', [['a'], ['dir2 2', 'dir3']]],
    [`a {\n import ${folder}/lines.conf\n}`, [['a'], ['dir2 2', 'dir3']]],
    ['import zones/*', [['a.example'], []], [['b.example'], []]],
    ['import zones/?.conf', [['a.example'], []], [['b.example'], []]],
    ['a {\n dir1 import lines.conf\n}', [['a'], ['dir1 import lines.conf']]],
    ['(z) {\n file db.{args[0]} {args.1}\n}\na {\n import z one two\n}', [['a'], ['file db.one two']]],
  ]
  for (const [text, ...expected] of cases) assert.deepEqual(blocksOf(read(text, folder)), expected, text)
  assert.deepEqual(read('import server.conf', folder).files, [
    join(folder, 'server.conf'),
    join(folder, 'lines.conf'),
  ])
})

test('a pattern without a file is a warning, and arguments that nothing uses are an error', (t) => {
  const folder = folderWith(t, { 'lines.conf': 'dir2' })
  assert.deepEqual(read('import none/*', folder).warnings, ['No files matching import glob pattern: none/*'])
  assert.throws(() => read('a {\n import lines.conf other.conf\n}', folder), {
    message: /^Corefile:2 - Import takes only one argument \(glob pattern or file\)/,
  })
  assert.throws(() => read('(z) {\n dir {args[1]}\n}\na {\n import z one\n}'), {
    message: /^Corefile:2 - \{args\[1\]\} has no value: the import gives 1 argument/,
  })
})

test('files that import each other are an error with the way round', (t) => {
  const folder = folderWith(t, {
    Corefile: '. {\n import one.conf\n}',
    'one.conf': 'log\nimport two.conf',
    'two.conf': '# comment\nimport one.conf',
  })
  assert.throws(() => read('. {\n import one.conf\n}', folder), {
    message: `${folder}/two.conf:2 - an import leads to itself: one.conf → two.conf → one.conf`,
  })
  assert.throws(() => read('import Corefile', folder), {
    message: /never closed|one\.conf → two\.conf → one\.conf/,
  })
})

test('imports that grow without a circle end as well', () => {
  const doubling = Array.from({ length: 25 }, (_, at) => `(s${at + 1}) {\n import s${at}\n import s${at}\n}`)
  const text = ['(s0) {\n dir1\n}', ...doubling, 'a {\n import s25\n}'].join('\n')
  assert.throws(() => read(text), { message: /more than 1000 imports/ })
})

test('variables of the environment are replaced within a word', () => {
  const env = { PORT: '8080', ADDRESS: 'servername.com', FOOBAR: 'foobar', SPACES: 'a b\n}' }
  const cases: [string, [string[], string[]]][] = [
    ['{$ADDRESS}', [['servername.com'], []]],
    ['{$ADDRESS}:{$PORT}', [['servername.com:8080'], []]],
    ['{%ADDRESS%}:{$PORT}', [['servername.com:8080'], []]],
    ['{$ADDRESS}:{%PORT%}', [['servername.com:8080'], []]],
    ['a\ndir1 {%ADDRESS%}/{%FOOBAR%}', [['a'], ['dir1 servername.com/foobar']]],
    ['a\ndir1 {%ADDRESS}', [['a'], ['dir1 {%ADDRESS}']]],
    [':{$PORT$}', [[':'], []]],
    ['a\ndir1 "Test {$FOOBAR} test"', [['a'], ['dir1 Test foobar test']]],
    ['a\nanswer "{{ .Name }} {$FOOBAR}"', [['a'], ['answer {{ .Name }} foobar']]],
    ['a {\n dir1 {$SPACES} x\n}', [['a'], ['dir1 a b\n} x']]],
  ]
  for (const [text, expected] of cases) assert.deepEqual(blocksOf(read(text, '/', env)), [expected], text)
})

test('a plugin from outside is a line, outside of blocks or within', () => {
  const { blocks, plugins } = read('plugin foo ./foo.ts before cache\nplugin {\n plugin bar bar\n}')
  assert.deepEqual(plugins.map(shown), ['plugin foo ./foo.ts before cache'])
  assert.deepEqual(
    blocks[0]!.keys.map(({ text }) => text),
    ['plugin'],
  )
  assert.deepEqual(blocks[0]!.lines.map(shown), ['plugin bar bar'])
})

test('whatever stands in a Corefile, it is read or refused with a place', () => {
  const parts = [
    '{',
    '}',
    '\n',
    ' ',
    '"',
    'import',
    'a',
    '(s)',
    '#',
    '.',
    ',',
    '{$X}',
    '{%',
    'plugin',
    '\\',
    '\r',
    '\0',
    '*',
  ]
  let seed = 7
  const next = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: next(25) }, () => parts[next(parts.length)]).join(round % 2 ? ' ' : '')
    try {
      read(text, '/nonexistent')
    } catch (error) {
      assert.equal((error as { readonly code?: string }).code, 'corefile-invalid', JSON.stringify(text))
    }
  }
})
