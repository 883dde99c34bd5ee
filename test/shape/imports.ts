/** What a file imports, as the compiler reads it: comments and strings that look like imports are none. */
import { dirname, join, normalize } from 'node:path'
import ts from 'typescript'
import { textOf } from './tree.ts'

/** The specifiers as written. Imports of types count: knowing a type is knowing. */
export const specifiersOf = (path: string): string[] =>
  ts.preProcessFile(textOf(path), true, true).importedFiles.map(({ fileName }) => fileName)

export const isRelative = (specifier: string): boolean => specifier.startsWith('.')

/** The path from the root of what a relative specifier means. */
export const targetOf = (path: string, specifier: string): string => normalize(join(dirname(path), specifier))

/** Every specifier that is not one of our files, of all files that these reach. */
export function reachedFrom(entries: readonly string[]): Map<string, string> {
  const outside = new Map<string, string>()
  const reached = new Set(entries)
  // The set grows while it is walked.
  for (const path of reached) {
    for (const specifier of specifiersOf(path)) {
      if (isRelative(specifier)) reached.add(targetOf(path, specifier))
      else outside.set(specifier, path)
    }
  }
  return outside
}
