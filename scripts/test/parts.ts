/**
 * What of the suite runs in one process.
 *
 * To start a process costs more than most tests do: the files of a folder share one. Alone are those that start whole nodes, and
 * those with hooks outside of a `describe`, which would be hooks of their neighbours' tests as well.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Made anew each time: modules that import the test files of a part. */
const FOLDER = join(ROOT, 'node_modules/.cache/orla-tests')
const SHARED = /^(src|units)\//
const OWN_HOOKS = /^(before|after)(Each)?\(/m
const FILES_MAX = 10

/** Test files that run in one process, in this order. */
export interface Part {
  /** For people: a file, or a folder. */
  readonly name: string
  /** What the process runs. */
  readonly path: string
}

/** First those that share, then the others in the order in which they are worth to be run, where there is not time for all. */
export function partsOf(patterns: readonly string[]): Part[] {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  const files = globSync([...patterns], { cwd: ROOT, exclude: ['**/node_modules/**'] }).toSorted()
  const isShared = (file: string) =>
    SHARED.test(file) && !OWN_HOOKS.test(readFileSync(join(ROOT, file), 'utf8'))
  const shared = Object.entries(Object.groupBy(files.filter(isShared), (file) => dirname(file)))
  const alone = files.filter((file) => !isShared(file)).toSorted((a, b) => rankOf(a) - rankOf(b))
  return [
    ...shared.flatMap(([folder, members]) => chunksOf(members!).map((chunk) => partOf(folder, chunk))),
    ...alone.map((file) => ({ name: file, path: join(ROOT, file) })),
  ]
}

/** First what is quick, then whole nodes. */
function rankOf(file: string): number {
  const rank = [SHARED, /^test\/shape\//, /^test\/scenarios\//, /^test\/faults\//].findIndex((one) =>
    one.test(file),
  )
  return rank < 0 ? 9 : rank
}

function chunksOf(files: readonly string[]): string[][] {
  const chunks: string[][] = []
  for (let at = 0; at < files.length; at += FILES_MAX) chunks.push(files.slice(at, at + FILES_MAX))
  return chunks
}

let written = 0

function partOf(folder: string, files: readonly string[]): Part {
  if (files.length === 1) return { name: files[0]!, path: join(ROOT, files[0]!) }
  const path = join(FOLDER, `${++written}-${folder.replaceAll('/', '-')}.test.mjs`)
  const imports = files.map((file) => `import '${pathToFileURL(join(ROOT, file)).href}'\n`)
  writeFileSync(path, imports.join(''))
  return { name: `${folder} (${files.length} files)`, path }
}
