import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import vm from 'node:vm'
import { stop } from 'esbuild'
import { authorPosition } from '../unit/source-map.ts'
import { FIXTURE_TYPES } from './testing/types.ts'
import type { BuildResult } from './protocol.ts'
import { TypeCheck } from './type-check.ts'
import { buildUnit } from './unit-build.ts'

const check = new TypeCheck(FIXTURE_TYPES)
after(() => stop())

type Files = Readonly<Record<string, string>>
const build = (
  files: Files | string,
  entry = 'token.ts',
  language: 'ts' | 'js' = 'ts',
): Promise<BuildResult> =>
  buildUnit(check, {
    name: 'token',
    entry,
    language,
    files: typeof files === 'string' ? { [entry]: files } : files,
  })

/** `file:line:column message` of each problem; what has no place is the message alone. */
async function problems(...args: Parameters<typeof build>): Promise<string[]> {
  const result = await build(...args)
  if (result.ok) return []
  return result.problems.map(({ file, line, column, message }) =>
    file === undefined ? message : `${file}:${line}:${column} ${message}`,
  )
}

interface Loaded {
  readonly exports: Record<string, unknown>
  readonly result: Extract<BuildResult, { ok: true }>
}

/** Builds and runs the code the way a sandbox does. */
async function load(...args: Parameters<typeof build>): Promise<Loaded> {
  const result = await build(...args)
  assert.ok(result.ok, JSON.stringify(result))
  const module = { exports: {} as Record<string, unknown> }
  const run = vm.runInThisContext(`(function (exports, module) {${result.code}\n})`, {
    filename: 'token@1.js',
  })
  run(module.exports, module)
  return { exports: module.exports, result }
}

test('a unit becomes the body of a CommonJS function whose default export is the unit', async () => {
  const { exports } = await load(`import type { Unit } from "orla"
export default { hosts: ["a.example"], access(request) { request.path = "/x" } } satisfies Unit`)
  const unit = exports['default'] as { hosts: string[]; access(request: { path: string }): void }
  const request = { path: '/' }
  unit.access(request)
  assert.deepEqual([unit.hosts, request.path], [['a.example'], '/x'])
})

test('a first line for the shell is no part of the unit', async () => {
  const { exports } = await load('#!/usr/bin/env orla\nexport default { content: () => new Response("hi") }')
  assert.deepEqual(Object.keys(exports['default'] as object), ['content'])
})

test('the source map names the author’s file, line and column', async () => {
  const { exports, result } = await load(
    '\nexport default {\n  access() {\n    throw new Error("x")\n  },\n}\n',
  )
  try {
    ;(exports['default'] as { access(): void }).access()
    assert.fail('it did not throw')
  } catch (error) {
    assert.equal(
      authorPosition(result.sourceMap, String((error as Error).stack), 'token@1.js'),
      'token.ts:4:11',
    )
  }
})

test('the code is plain ASCII, which V8 keeps in half the memory', async () => {
  const { result } = await load('export default { hosts: ["çã"], access() { console.log("é 😀") } }')
  assert.match(result.code, /^[\0-\x7f]*$/)
})

test('files import each other: without ending, by folder, as JSON, in a circle', async () => {
  const { exports } = await load(
    {
      'units/token.ts': `import { a } from "./lib"
import { b } from "../shared/b.js"
import data from "../data.json"
export const own = 1
export default { hosts: [a, b, data.host], access() {} }`,
      'units/lib/index.ts':
        'import { own } from "../token"; export const a: string = "a"; export const later = () => own',
      'shared/b.ts': 'export const b: string = "b"',
      'data.json': '{ "host": "c" }',
    },
    'units/token.ts',
  )
  assert.deepEqual((exports['default'] as { hosts: string[] }).hosts, ['a', 'b', 'c'])
})

test('an npm package that was sent is bundled, by its exports for workers', async () => {
  const { exports } = await load({
    'token.ts': `import { h } from "@scope/pkg/deep/x"; import main from "old"
export default { hosts: [h, main], access() {} }`,
    'node_modules/@scope/pkg/package.json': JSON.stringify({
      exports: {
        './deep/*': {
          types: './none.d.ts',
          node: './node.js',
          worker: { import: './w/*.js' },
          default: './d.js',
        },
      },
    }),
    'node_modules/@scope/pkg/w/x.js': 'export const h = "worker"',
    'node_modules/@scope/pkg/node.js': 'export const h = "node"',
    'node_modules/@scope/pkg/d.js': 'export const h = "default"',
    'node_modules/old/package.json': '{ "main": "./lib/index" }',
    'node_modules/old/lib/index.js': 'module.exports = "old"',
  })
  assert.deepEqual((exports['default'] as { hosts: string[] }).hosts, ['worker', 'old'])
})

test('a JavaScript unit is built unchecked by types, in either module format', async () => {
  const es = await load('export default { access(request) { request.anything() } }', 'a.mjs', 'js')
  assert.ok('access' in (es.exports['default'] as object))
  const cjs = await load('module.exports = { access() {} }', 'a.js', 'js')
  assert.ok('access' in cjs.exports)
})

test('a module without a default export is the unit itself', async () => {
  const { exports } = await load(
    'export const hosts = ["a"]\nexport function access() { return new Response("x") }',
  )
  assert.deepEqual(Object.keys(exports).toSorted(), ['access', 'hosts'])
})

const ACCEPTED: Readonly<Record<string, string>> = {
  'handlers get their types without saying so':
    'export default { access(request, response, edge) { request.path = edge.env.A ?? "" } }',
  'a named object does, too': 'const unit = { access(request) { request.path = "/x" } }\nexport default unit',
  'and one that is exported by another name':
    'const unit = { access(request) { request.path = "/x" } }\nexport { unit as default }',
  'a worker with fetch':
    'export default { async fetch(request, env) { return new Response(request.url + env.A) } }',
  'an app that is an instance of a class':
    'class App { #x = 1; get(path: string) { return this.#x }; fetch = (request: Request): Response => new Response() }\nconst app = new App()\napp.get("/")\nexport default app',
  'the result of a call': 'function make() { return { access() {}, other: 1 } }\nexport default make()',
  'a choice':
    'const x = 1 as number\nexport default x > 0 ? { access() {} } : { content() { return new Response() } }',
  'an import() in quotes of a file of its own':
    'export default { async access() { await import("./token") } }',
  'enums and helpers without annotations':
    'enum E { A }\nfunction f(x) { return x }\nexport default { access() { f(E.A) } }',
}
for (const [what, source] of Object.entries(ACCEPTED)) {
  test(`accepted: ${what}`, async () => assert.deepEqual(await problems(source), []))
}

const REFUSED: readonly (readonly [what: string, source: string, ...expected: RegExp[]])[] = [
  [
    'a type error, at its place',
    'export default {\n  access(request) {\n    const n: number = request.path\n  },\n}',
    /^token\.ts:3:11 error TS2322: Type 'string' is not assignable to type 'number'\.$/,
  ],
  [
    'what a phase may not do',
    'export default { content(request, edge) { request.path = "/x"; return new Response() } }',
    /^token\.ts:1:51 error TS2540: Cannot assign to 'path' because it is a read-only property\.$/,
  ],
  ['a wrong answer', 'export default { access() { return 5 } }', /^token\.ts:1:\d+ error TS2322/],
  [
    'a slip in a handler, with what was meant',
    'export default {\n  acess() {},\n}',
    /^token\.ts:2:3 error TS2561: .*'acess'.*Did you mean to write 'access'\?$/s,
  ],
  [
    'a slip where the unit is a named object',
    'const unit = {\n  acess() {} }\nexport default unit',
    /^token\.ts:2:3 error TS2561/,
  ],
  [
    'a wrong field of a named object',
    'const u = { hosts: 5, access() {} }\nexport { u as default }',
    /^token\.ts:1:13 error TS2322/,
  ],
  ['a default that is no unit', 'const u = 5\nexport { u as default }', /^token\.ts:2:10 error TS2559/],
  [
    'a wrong answer of a module that is the unit itself',
    'export const a = 1\nexport function access() { return 5 }',
    /^token\.ts:1:1 error TS1360: Type 'typeof import\("token"\)' does not satisfy/,
  ],
  [
    'no handler',
    'export default { hosts: ["a"] }',
    /^token\.ts:1:1 no handler: export at least one of rewrite, access,/,
  ],
  ['an empty unit', 'export default {}', /^token\.ts:1:1 no handler/],
  ['no export', 'const x = 5', /^token\.ts:1:1 no handler/],
  ['an empty file', '', /^token\.ts:1:1 no handler/],
  [
    'a function as default',
    'export default function access() {}',
    /^token\.ts:1:1 the default export is a function or class/,
  ],
  [
    'a class as default',
    'export default class { access() {} }',
    /^token\.ts:1:1 the default export is a function or class/,
  ],
  [
    'a syntax error, told once',
    'export default { access() { ( }\n',
    /^token\.ts:1:31 error TS1109/,
    /error TS1005/,
  ],
  [
    'modules of Node',
    'import { readFileSync } from "node:fs"\nimport os from "os"\nexport default { access() { readFileSync("/etc/passwd"); os } }',
    /^token\.ts:1:30 "node:fs" is a module of Node/,
    /^token\.ts:2:16 "os" is a module of Node/,
  ],
  [
    'globals of Node',
    'export default { access() { process.exit() } }',
    /^token\.ts:1:29 error TS2591: process belongs to Node/,
  ],
  [
    'a file that is not there',
    'import { x } from "./x"\nexport default { access() { x } }',
    /^token\.ts:1:19 there is no "\.\/x" among the files/,
  ],
  [
    'a package that was not sent',
    'import { x } from "nope"\nexport default { access() { x } }',
    /^token\.ts:1:19 the package "nope" was not sent/,
  ],
  [
    'a file of the machine',
    'import x from "/etc/hostname.json"\nexport default { access() { x } }',
    /^token\.ts:1:15 there is no "\/etc\/hostname\.json"/,
  ],
  [
    'an address',
    'import x from "https://example.org/x.js"\nexport default { access() { x } }',
    /imports nothing over the network/,
  ],
  [
    'top-level await',
    'await Promise.resolve()\nexport default { access() {} }',
    /^token\.ts:1:1 a unit has no top-level await/,
  ],
  [
    'a computed import()',
    'export default { async access(r) { await import(r.path) } }',
    /^token\.ts:1:42 import\(\) takes a path in quotes/,
  ],
  [
    'a place after letters of several bytes',
    'const é = "😀"; export default { access() { é.x } }',
    /^token\.ts:1:47 error TS2339/,
  ],
]
for (const [what, source, ...expected] of REFUSED) {
  test(`refused: ${what}`, async () => {
    const told = await problems(source)
    assert.equal(told.length, expected.length, JSON.stringify(told))
    for (const [n, pattern] of expected.entries()) assert.match(told[n]!, pattern)
  })
}

test('every file of the unit is checked, and a problem names the one it is in', async () => {
  const told = await problems({
    'token.ts': 'import { x } from "./x"\nexport default { access() { x.y } }',
    'x.ts': '\nexport const x: number = "5"',
  })
  assert.deepEqual(told.map((text) => text.split(' ')[0]).toSorted(), ['token.ts:2:31', 'x.ts:2:14'])
})

test('a JavaScript unit with a syntax error, a missing file or no handler is refused', async () => {
  assert.match((await problems('export default { access( {', 'a.js', 'js')).join(), /^a\.js:1:\d+ /)
  assert.match(
    (await problems('import x from "./x"\nexport default { access() { x } }', 'a.js', 'js')).join(),
    /^a\.js:1:15 there is no/,
  )
  assert.match((await problems('export default { hosts: [] }', 'a.js', 'js')).join(), /^a\.js:1:1 no handler/)
})

test('code of more than a megabyte is refused with its size', async () => {
  const big = (bytes: number) => `export default { access() { console.log("${'x'.repeat(bytes)}") } }`
  assert.deepEqual(await problems(big(1_300_000)), ['unit is 1.3 MB, at most 1 MB'])
  assert.deepEqual(await problems(big(1_000_000)), [])
})

test('paths that lead out of the unit and an entry that was not sent are refused', async () => {
  assert.match((await problems({ 'token.ts': '', '../x.ts': '' })).join(), /^"\.\.\/x\.ts" is no path inside/)
  assert.match(
    (await problems({ 'token.ts': '', '/etc/x.ts': '' })).join(),
    /^"\/etc\/x\.ts" is no path inside/,
  )
  assert.match(
    (await problems({ 'x.ts': '' }, 'token.ts')).join(),
    /^the entry "token\.ts" is not among the files$/,
  )
})

test('an entry without an ending is what the deploy says it is', async () => {
  await load({ token: 'export default { access(request: { path: string }) {} }' }, 'token', 'ts')
  await load({ token: 'export default { access() {} }' }, 'token', 'js')
})

test('one unit leaves nothing behind for the next', async () => {
  await load({
    'token.ts': 'import "./x"\nexport default { access() {} }',
    'x.ts': 'declare global { var LEAK: number }',
  })
  assert.match((await problems('export default { access() { LEAK } }')).join(), /Cannot find name 'LEAK'/)
  assert.match((await problems('import "./x"\nexport default { access() {} }')).join(), /there is no "\.\/x"/)
})

test('what only null checks see is a warning; a real error beside it still refuses', async () => {
  const source = (more: string) => `export default { access(request) {
  const first = request.query.get("a").length
  ${more}
} }`
  const result = await build(source('void first'))
  assert.ok(result.ok, JSON.stringify(result))
  assert.deepEqual(
    result.warnings.map(({ line, severity }) => [line, severity]),
    [[2, 'warning']],
  )
  const refused = await build(source('request.pathh = first'))
  assert.ok(!refused.ok)
  assert.deepEqual(
    refused.problems.map(({ line, severity }) => [line, severity]),
    [
      [2, 'warning'],
      [3, 'error'],
    ],
  )
})
