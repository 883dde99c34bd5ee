import assert from 'node:assert/strict'
import { test } from 'node:test'
import vm from 'node:vm'
import { build } from 'esbuild'
import { DEFAULT_MANIFEST, type UnitVersion } from '../contract/unit.ts'
import { authorPosition, locateInSource, mapStack } from './source-map.ts'

const SOURCE = `interface Request { path: string }

/** Fails on the line that the test names. */
export default {
  access(request: Request) {
    const inner = (): never => {
      throw new Error(request.path)
    }
    return inner()
  },
}
`

/** Builds and runs it as a worker would: the wrapper on the first line of the code. */
async function failing(): Promise<{ unit: UnitVersion; stack: string }> {
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, sourcefile: 'dir/token.ts', loader: 'ts' },
    bundle: true,
    format: 'cjs',
    sourcemap: 'external',
    outfile: 'out.js',
    write: false,
  })
  const text = (ending: string) => outputFiles.find((file) => file.path.endsWith(ending))!.text
  const base = { name: 'token', version: 3, phases: 2, manifest: DEFAULT_MANIFEST, env: {} }
  const unit = { ...base, code: text('.js'), sourceMap: text('.js.map') }
  const run = vm.runInThisContext(`(function (exports, module) {${unit.code}\n})`, { filename: 'token@3.js' })
  const module = { exports: {} as { default: { access(request: unknown): void } } }
  run(module.exports, module)
  try {
    module.exports.default.access({ path: '/x' })
  } catch (error) {
    return { unit, stack: String((error as Error).stack) }
  }
  throw new Error('it did not fail')
}

test("an error's place is the author's file, line and column", async () => {
  const { unit, stack } = await failing()
  assert.equal(locateInSource(unit, stack), 'dir/token.ts:7:13')
  assert.equal(authorPosition(unit.sourceMap, stack), 'dir/token.ts:7:13')
})

test('a stack is rewritten frame by frame, and frames of others stay', async () => {
  const { unit, stack } = await failing()
  const rewritten = mapStack(unit, stack).split('\n')
  assert.match(rewritten[1]!, /at inner \(dir\/token\.ts:7:13\)$/)
  assert.match(rewritten[2]!, /at Object\.access \(dir\/token\.ts:9:12\)$/)
  assert.match(rewritten[3]!, /source-map\.test\.ts:\d+:\d+/)
})

test('frames of the guest around the unit are passed over, and left out of a stack', async () => {
  const { unit, stack } = await failing()
  const under = stack.replace('\n', '\n    at check (orla-guest.js:20:5)\n')
  assert.equal(locateInSource(unit, under), 'dir/token.ts:7:13')
  assert.equal(mapStack(unit, `${under}\n    at async settle (orla-guest.js:3475:22)`), mapStack(unit, stack))
})

test('a text made to be slow to search is searched in time', async () => {
  const { unit } = await failing()
  const long = 8192
  for (const text of ['a'.repeat(long), 'a:1'.repeat(long / 3), '\n    at '.repeat(long / 8)]) {
    // The best of some: on a shared core a try may take many times as long.
    let best = Infinity
    for (let tries = 0; tries < 8 && best >= 50_000; tries++) {
      const start = process.cpuUsage()
      mapStack(unit, `.js:${text}`)
      locateInSource(unit, text)
      best = Math.min(best, process.cpuUsage(start).user)
    }
    assert.ok(best < 50_000, `${best} µs`)
  }
})

test('where there is no map, no frame or no sense, there is no place', async () => {
  const { unit, stack } = await failing()
  assert.equal(locateInSource({ ...unit, sourceMap: '' }, stack), undefined)
  assert.equal(locateInSource({ ...unit, sourceMap: '{' }, stack), undefined)
  assert.equal(locateInSource(unit, 'Error: no frames'), undefined)
  assert.equal(locateInSource({ ...unit, version: 4 }, stack), undefined)
})
