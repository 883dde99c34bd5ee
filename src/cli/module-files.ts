/**
 * A unit's module with what it imports: all that the control plane needs to build it as it is built here.
 *
 * Most units import nothing but `orla`. A scan of the text sees that in microseconds, so that esbuild (30 ms and a
 * process) is not loaded for them. Imports of types count: the check needs them, though the build drops them.
 */
import { readFile, stat } from 'node:fs/promises'
import { dirname, extname, join, relative, resolve, sep } from 'node:path'
import { EdgeError } from '../base/errors.ts'
import type { ShownFile } from './refusal.ts'

export interface ModuleFiles {
  readonly source: string
  readonly language: 'ts' | 'js'
  /** The path of `source`, from `root`. */
  readonly entry: string
  /** The other files by their path from `root`. */
  readonly files: Readonly<Record<string, string>>
  /** The folder that holds all of them. */
  readonly root: string
  /** The path of the unit's own tests, among `files`. */
  readonly tests?: string
  /** The absolute path of a file that lies where tests would, and cannot be: it imports neither `orla/test` nor anybody's runner. */
  readonly notTests?: string
}

const LANGUAGES: Readonly<Record<string, 'ts' | 'js'>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.tsx': 'ts',
  '.js': 'js',
  '.mjs': 'js',
  '.jsx': 'js',
}

/** With `withTests`, the tests that lie beside it (`gate.test.ts` of `gate.ts`) go along, and what they import. */
export async function collectModule(file: string, withTests = false): Promise<ModuleFiles> {
  const language = LANGUAGES[extname(file)]
  if (language === undefined) {
    throw new EdgeError('file-unreadable', `${file} is neither TypeScript nor JavaScript`, {
      hint: 'a unit is a .ts or .js file',
    })
  }
  const texts = new Map([[file, await readModule(file)]])
  const { tests, notTests } = withTests ? await testsBeside(file) : {}
  if (tests !== undefined) texts.set(tests, await readModule(tests))
  let hasPackages = false
  // The map grows while it is walked: what a module imports is walked after it.
  for (const [importer, text] of texts) {
    for (const specifier of importsOf(text)) {
      if (!specifier.startsWith('.')) hasPackages ||= !isOurs(specifier)
      else await addLocal(resolve(dirname(importer), specifier), texts)
    }
  }
  if (hasPackages) await (await import('./package-files.ts')).addPackages(file, texts)
  return { ...pack(file, tests, language, texts), ...(notTests !== undefined && { notTests }) }
}

/** `gate.test.ts` beside `gate.ts`, where it holds tests for the edge: others, for Node's runner, import no `orla/test`. */
async function testsBeside(file: string): Promise<Pick<ModuleFiles, 'tests' | 'notTests'>> {
  const path = file.replace(/(\.[^.]+)$/, '.test$1')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return {}
  if (/(['"])orla\/test\1/.test(text)) return { tests: path }
  return importsOf(text).every((specifier) => specifier.startsWith('.')) ? { notTests: path } : {}
}

/** A file of the module as its author knows it: from the folder where the command runs. */
export function shownFile(module: ModuleFiles, name: string, cwd: string): ShownFile {
  const text = name === module.entry ? module.source : module.files[name]
  return { path: relative(cwd, join(module.root, name)), text }
}

async function readModule(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'there is no such file' : error.message
    throw new EdgeError('file-unreadable', `${file} cannot be read: ${reason}`, { cause: error })
  })
}

/**
 * The specifiers a text may import. It may find too much (in a comment), never too little: a path that leads nowhere is
 * left to the build, which names the line.
 */
function importsOf(text: string): string[] {
  const found = text.matchAll(
    /\b(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*(['"])([^'"\n]+)\1|\b(?:import|require)\s*\(\s*(['"`])([^'"`\n]+)\3/g,
  )
  return [...found].map((match) => match[2] ?? match[4]!)
}

const isOurs = (specifier: string): boolean => specifier === 'orla' || specifier.startsWith('orla/')

/** What a build tries for `./x`: the path itself, TypeScript behind `.js`, then endings, then a folder's index. */
const KINDS = ['.ts', '.tsx', '.mts', '.js', '.jsx', '.mjs', '.cjs', '.json']
const ENDINGS = ['', ...KINDS, ...KINDS.map((kind) => `/index${kind}`)]

async function addLocal(path: string, texts: Map<string, string>): Promise<void> {
  const typescript = path.replace(/\.([mc]?)js$/, '.$1ts')
  for (const candidate of [...ENDINGS.map((ending) => path + ending), typescript]) {
    if (texts.has(candidate)) return
    const found = await stat(candidate).catch(() => undefined)
    if (!found?.isFile()) continue
    texts.set(candidate, await readModule(candidate))
    return
  }
}

function pack(
  file: string,
  tests: string | undefined,
  language: 'ts' | 'js',
  texts: ReadonlyMap<string, string>,
): ModuleFiles {
  const root = commonFolder([...texts.keys()])
  const name = (path: string) => relative(root, path).replaceAll(sep, '/')
  const others = [...texts].filter(([path]) => path !== file)
  return {
    source: texts.get(file)!,
    language,
    entry: name(file),
    files: Object.fromEntries(others.map(([path, text]) => [name(path), text])),
    root,
    ...(tests !== undefined && { tests: name(tests) }),
  }
}

function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0]!)
  for (const path of paths) {
    while (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) folder = dirname(folder)
  }
  return folder
}
