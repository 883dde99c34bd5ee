/**
 * Where an import leads among the files that were sent, and nowhere else: a unit's build never looks at a disk.
 *
 * The rules are those that bundlers share: relative paths with or without ending, `.js` for a `.ts`, a folder's index,
 * and packages by their `exports` or main fields (https://nodejs.org/api/packages.html#package-entry-points).
 */
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'

export type Files = ReadonlyMap<string, string>

export type Resolution =
  | { readonly kind: 'file'; readonly path: string }
  /** `orla` is types alone: there is nothing in it to run. */
  | { readonly kind: 'orla' }
  /** What tests import. */
  | { readonly kind: 'suite' }
  | { readonly kind: 'problem'; readonly message: string }

const ENDINGS = ['', '.ts', '.tsx', '.mts', '.js', '.jsx', '.mjs', '.cjs', '.json']
const MAIN_FIELDS = ['module', 'main']

export const SUITE = 'orla/test'

/** `gate.test.ts` holds the tests of `gate.ts`. */
export const isTestFile = (path: string): boolean => /\.test\.[mc]?[jt]sx?$/.test(path)

/** `require` is true for `require()`, which a package may answer with another file than `import`. */
export function resolveImport(
  files: Files,
  importer: string,
  specifier: string,
  require: boolean,
): Resolution {
  if (specifier === 'orla') return { kind: 'orla' }
  if (specifier === SUITE) {
    return isTestFile(importer)
      ? { kind: 'suite' }
      : problem(`"${SUITE}" is for the tests of a unit, in a file that ends in .test.ts`)
  }
  if (isBuiltin(specifier)) {
    return problem(
      `"${specifier}" is a module of Node: a unit has no files, processes or sockets, only the web's globals`,
    )
  }
  if (/^[a-z][a-z0-9+.-]*:/i.test(specifier)) {
    return problem(`"${specifier}" is not sent with the unit: a unit imports nothing over the network`)
  }
  if (/^\.{0,2}\//.test(specifier) || specifier === '.' || specifier === '..') {
    const path = posix.join(posix.dirname(importer), specifier)
    const found = findFile(files, path)
    return found ? file(found) : problem(`there is no "${specifier}" among the files of the unit`)
  }
  return resolvePackage(files, importer, specifier, require)
}

function resolvePackage(files: Files, importer: string, specifier: string, require: boolean): Resolution {
  const [first = '', second = ''] = specifier.split('/')
  const name = first.startsWith('@') ? `${first}/${second}` : first
  const subpath = `.${specifier.slice(name.length)}`
  for (let folder = posix.dirname(importer); ; folder = posix.dirname(folder)) {
    const root = posix.join(folder, 'node_modules', name)
    const text = files.get(`${root}/package.json`)
    if (text !== undefined) {
      const found = inPackage(files, root, text, subpath, require)
      return found ? file(found) : problem(`the package "${name}" has no "${subpath}", or it was not sent`)
    }
    if (folder === '.' || folder === '/') break
  }
  return problem(`the package "${name}" was not sent with the unit: is it installed beside it?`)
}

function inPackage(
  files: Files,
  root: string,
  text: string,
  subpath: string,
  require: boolean,
): string | undefined {
  const manifest = parseManifest(text)
  if (manifest['exports'] !== undefined) {
    const target = exported(manifest['exports'], subpath, new Set(conditions(require)))
    return target === undefined ? undefined : findFile(files, posix.join(root, target))
  }
  if (subpath !== '.') return findFile(files, posix.join(root, subpath))
  for (const field of MAIN_FIELDS) {
    const main = manifest[field]
    const found = typeof main === 'string' ? findFile(files, posix.join(root, main)) : undefined
    if (found) return found
  }
  return findFile(files, root)
}

/** A unit's world is the web's, so what a package made for workers or browsers is taken before what it made for Node. */
const conditions = (require: boolean): readonly string[] => [
  'workerd',
  'worker',
  'browser',
  'module',
  require ? 'require' : 'import',
  'default',
]

function exported(exports: unknown, subpath: string, wanted: ReadonlySet<string>): string | undefined {
  const isTable = isObject(exports) && Object.keys(exports).some((key) => key.startsWith('.'))
  const table = isTable ? exports : { '.': exports }
  if (subpath in table) return target(table[subpath], '', wanted)
  // `./x/*`: the pattern with the longest part before its star.
  const patterns = Object.keys(table).filter((key) => key.includes('*'))
  for (const pattern of patterns.toSorted((a, b) => b.indexOf('*') - a.indexOf('*'))) {
    const [before = '', after = ''] = pattern.split('*')
    if (!subpath.startsWith(before) || !subpath.endsWith(after)) continue
    if (subpath.length < before.length + after.length) continue
    return target(table[pattern], subpath.slice(before.length, subpath.length - after.length), wanted)
  }
  return undefined
}

/** The first condition in the package's order that is wanted, down to a path. */
function target(value: unknown, star: string, wanted: ReadonlySet<string>): string | undefined {
  if (typeof value === 'string') return value.replaceAll('*', () => star)
  if (Array.isArray(value)) {
    for (const one of value) {
      const found = target(one, star, wanted)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (!isObject(value)) return undefined
  for (const [condition, inner] of Object.entries(value)) {
    const found = wanted.has(condition) ? target(inner, star, wanted) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

function findFile(files: Files, path: string): string | undefined {
  for (const ending of ENDINGS) if (files.has(path + ending)) return path + ending
  const typescript = path.replace(/\.([mc]?)js(x?)$/, '.$1ts$2')
  if (files.has(typescript)) return typescript
  for (const ending of ENDINGS) {
    const index = posix.join(path, `index${ending}`)
    if (ending !== '' && files.has(index)) return index
  }
  return undefined
}

function parseManifest(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const file = (path: string): Resolution => ({ kind: 'file', path })
const problem = (message: string): Resolution => ({ kind: 'problem', message })
