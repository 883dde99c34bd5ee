/** One unit, from what was sent to what can run: bundled and checked, with every problem of both told at once. */
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { bundle, bundleTests } from './bundle.ts'
import { isTestFile, type Files } from './module-paths.ts'
import { SOURCE_CHARACTERS_MAX, type BuildRequest, type BuildResult, type Problem } from './protocol.ts'
import type { Checked, TypeCheck } from './type-check.ts'

const SUITE_SOURCE = readFileSync(new URL('../unit/suite/suite.ts', import.meta.url), 'utf8')

export async function buildUnit(check: TypeCheck, request: BuildRequest): Promise<BuildResult> {
  const { files, entry, problems } = readFiles(request)
  if (problems.length > 0) return { ok: false, problems, buildMs: 0, checkMs: 0 }

  const start = performance.now()
  const bundled = await bundle(files, entry, request.language)
  const built = performance.now()
  const found = check.check(files, entry)
  const times = { buildMs: built - start, checkMs: performance.now() - built }

  const isSound = found.problems.every(({ severity }) => severity === 'warning')
  if (!bundled.ok || !isSound)
    return { ok: false, problems: merged(found, bundled.ok ? [] : bundled.problems), ...times }
  const { code, sourceMap } = bundled
  const warnings = [...bundled.warnings, ...found.problems]
  if (request.tests === undefined) return { ok: true, code, sourceMap, warnings, ...times }

  const tests = await buildTests(check, files, request.tests)
  const all = { buildMs: times.buildMs + tests.buildMs, checkMs: times.checkMs + tests.checkMs }
  if (!tests.ok) return { ...tests, ...all }
  return {
    ok: true,
    code,
    sourceMap,
    warnings: [...warnings, ...tests.warnings],
    tests: { code: tests.code, sourceMap: tests.sourceMap },
    ...all,
  }
}

async function buildTests(check: TypeCheck, files: Files, path: string): Promise<BuildResult> {
  const entry = posix.normalize(path)
  const refuse = (message: string): BuildResult => ({
    ok: false,
    problems: [{ message, severity: 'error' }],
    buildMs: 0,
    checkMs: 0,
  })
  if (!isTestFile(entry)) return refuse(`the tests "${path}" are in no file that ends in .test.ts`)
  if (!files.has(entry)) return refuse(`the tests "${path}" are not among the files`)
  const start = performance.now()
  const bundled = await bundleTests(files, entry, SUITE_SOURCE)
  const built = performance.now()
  const found = check.check(files, entry)
  const times = { buildMs: built - start, checkMs: performance.now() - built }
  const isSound = found.problems.every(({ severity }) => severity === 'warning')
  if (bundled.ok && isSound)
    return { ...bundled, warnings: [...bundled.warnings, ...found.problems], ...times }
  return { ok: false, problems: merged(found, bundled.ok ? [] : bundled.problems), ...times }
}

/** Both see a missing file or a syntax error; of two problems on one line the type checker's stays. */
function merged(checked: Checked, bundled: readonly Problem[]): readonly Problem[] {
  // A parser that lost its way tells a second story about the same slip.
  if (checked.isBroken) return checked.problems
  const lines = new Set(checked.problems.map(({ file, line }) => `${file}:${line}`))
  return [...bundled.filter(({ file, line }) => !lines.has(`${file}:${line}`)), ...checked.problems]
}

/** The files by normal path. What would lead out of the unit's own folder is refused. */
function readFiles(request: BuildRequest): {
  files: Map<string, string>
  entry: string
  problems: Problem[]
} {
  const problems: Problem[] = []
  const refuse = (message: string) => problems.push({ message, severity: 'error' })
  const files = new Map<string, string>()
  let characters = 0
  const isKnown = /\.(?:[mc]?[jt]s|[jt]sx|json)$/
  const normal = (path: string) => posix.normalize(isKnown.test(path) ? path : `${path}.${request.language}`)
  for (const [path, text] of Object.entries(request.files)) {
    const name = normal(path)
    characters += text.length
    if (name.startsWith('/') || name.startsWith('..') || path.includes('\0')) {
      refuse(`"${path}" is no path inside the unit's folder`)
    }
    files.set(name, text)
  }
  const entry = normal(request.entry)
  if (!files.has(entry)) refuse(`the entry "${request.entry}" is not among the files`)
  if (characters > SOURCE_CHARACTERS_MAX) {
    refuse(
      `the files are ${Math.ceil(characters / 2 ** 20)} MB together, at most ${SOURCE_CHARACTERS_MAX / 2 ** 20} MB`,
    )
  }
  return { files, entry, problems }
}
