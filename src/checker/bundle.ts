/**
 * From an author's files to the one script that a unit is: imports bundled, types stripped, as the body of a CommonJS
 * function. esbuild runs as a service of its own; it asks back for every path, and sees only the files that were sent.
 */
import { build, type BuildOptions, type Loader, type Message, type Plugin } from 'esbuild'
import { resolveImport, SUITE, type Files } from './module-paths.ts'
import { CODE_BYTES_MAX, type Problem } from './protocol.ts'

export type Bundled =
  | {
      readonly ok: true
      readonly code: string
      readonly sourceMap: string
      readonly warnings: readonly Problem[]
    }
  | { readonly ok: false; readonly problems: readonly Problem[] }

const NAMESPACE = 'unit'

const LOADERS: Readonly<Record<string, Loader>> = {
  ts: 'ts',
  mts: 'ts',
  tsx: 'tsx',
  js: 'js',
  mjs: 'js',
  cjs: 'js',
  jsx: 'jsx',
  json: 'json',
}

export function bundle(files: Files, entry: string, language: 'ts' | 'js'): Promise<Bundled> {
  return bundleFrom(entry, filesOf(files, entry, language))
}

/** The tests of a unit as a unit of their own, `suite` being the source of `orla/test`. */
export function bundleTests(files: Files, entry: string, suite: string): Promise<Bundled> {
  // The suite is evaluated after the tests have noted themselves down: imports keep their order. All three exports may be absent, and of
  // `tests.env` the build would say so to an author who wrote no such line.
  const main = `import * as tests from ${JSON.stringify(`./${entry}`)}
import { suite } from ${JSON.stringify(SUITE)}
const { env, fetches, limits } = { ...tests }
export default { ...suite, env, fetches, limits }`
  const start = 'orla.test.ts'
  return bundleFrom(start, filesOf(new Map([...files, [start, main]]), start, 'ts', suite))
}

async function bundleFrom(entry: string, plugin: Plugin): Promise<Bundled> {
  try {
    const result = await build({
      ...OPTIONS,
      entryPoints: [entry],
      plugins: [plugin],
    })
    const text = (ending: string) => result.outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? ''
    const code = text('.js')
    const bytes = Buffer.byteLength(code)
    if (bytes > CODE_BYTES_MAX) return { ok: false, problems: [tooLarge(bytes)] }
    const warnings = result.warnings.map((message) => problemOf(message, 'warning'))
    return { ok: true, code, sourceMap: authorsMap(text('.js.map')), warnings }
  } catch (error) {
    if (!isBuildFailure(error)) throw error
    return { ok: false, problems: error.errors.map((message) => problemOf(message, 'error')) }
  }
}

const OPTIONS = {
  bundle: true,
  write: false,
  outfile: 'unit.js',
  format: 'cjs',
  platform: 'neutral',
  target: 'es2024',
  sourcemap: 'external',
  // The files are stored beside the map.
  sourcesContent: false,
  legalComments: 'none',
  jsx: 'automatic',
  // Packages ask for it; there is no `process` in a unit.
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'silent',
  // Else it would look for a tsconfig.json on the disk.
  tsconfigRaw: { compilerOptions: { target: 'es2024', useDefineForClassFields: true } },
} as const satisfies BuildOptions

/** Serves every path from the files that were sent. */
function filesOf(files: Files, entry: string, language: 'ts' | 'js', suite = ''): Plugin {
  return {
    name: 'files',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, importer, kind }) => {
        // Not `path`: where a file of that name happens to lie in the working directory, esbuild puts `./` before it.
        if (kind === 'entry-point') return { path: entry, namespace: NAMESPACE }
        const found = resolveImport(files, importer, path, kind.startsWith('require'))
        if (found.kind === 'file') return { path: found.path, namespace: NAMESPACE }
        if (found.kind === 'orla') return { path: 'orla', namespace: 'orla' }
        if (found.kind === 'suite') return { path: SUITE, namespace: 'suite' }
        return { errors: [{ text: found.message }] }
      })
      build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
        // A line for the shell would no longer be the first one in a bundle.
        contents: (files.get(path) ?? '').replace(/^#!/, '//'),
        loader: LOADERS[path.slice(path.lastIndexOf('.') + 1)] ?? language,
      }))
      build.onLoad({ filter: /.*/, namespace: 'suite' }, () => ({ contents: suite, loader: 'ts' }))
      build.onLoad({ filter: /.*/, namespace: 'orla' }, () => ({ contents: '', loader: 'js' }))
    },
  }
}

/** esbuild puts the namespace before each path. */
function authorsMap(text: string): string {
  const map = JSON.parse(text) as { sources: string[] }
  map.sources = map.sources.map(authorsPath)
  return JSON.stringify(map)
}

const authorsPath = (path: string) =>
  path.startsWith(`${NAMESPACE}:`) ? path.slice(NAMESPACE.length + 1) : path

function problemOf(message: Message, severity: Problem['severity']): Problem {
  const text = explained(message.text)
  const { location } = message
  if (!location) return { message: text, severity }
  // esbuild counts columns in bytes from 0.
  const column = Buffer.from(location.lineText).subarray(0, location.column).toString().length + 1
  return { file: authorsPath(location.file), line: location.line, column, message: text, severity }
}

function explained(text: string): string {
  return /top-level await/i.test(text)
    ? 'a unit has no top-level await: its top level runs in one synchronous step when it is loaded; await in a handler'
    : text
}

function tooLarge(bytes: number): Problem {
  // Upwards: "1.0 MB, at most 1 MB" would puzzle.
  const size = (Math.ceil((bytes / 1024 / 1024) * 10) / 10).toFixed(1)
  return { message: `unit is ${size} MB, at most ${CODE_BYTES_MAX / 1024 / 1024} MB`, severity: 'error' }
}

const isBuildFailure = (error: unknown): error is { errors: Message[] } =>
  error instanceof Error && 'errors' in error && Array.isArray(error.errors)
