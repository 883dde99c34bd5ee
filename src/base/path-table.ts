/**
 * What belongs to a path, by patterns: the exact path, else the longest prefix, else the rest. Compiled once and asked once a request;
 * nothing is remembered about requests, so no client can make it grow.
 */
import { lookUp, namesOf, type Names } from './names.ts'

export interface PathTable<T> {
  readonly exact: Names<T>
  /** Longest first. */
  readonly prefixes: readonly (readonly [prefix: string, value: T])[]
  /** The same by prefix, with their lengths, longest first: for tables that are long. */
  readonly byPrefix: ReadonlyMap<string, T>
  readonly lengths: readonly number[]
  readonly rest: T
}

/** Up to this many prefixes are tried one by one; more are looked up by length. */
const PREFIXES_TRIED = 12

/** `byPattern` in the form of `matchPattern`, each ending in a star or not; `rest` is for every path that none of them meets. */
export function compilePathTable<T>(byPattern: Iterable<readonly [string, T]>, rest: T): PathTable<T> {
  const exact = new Map<string, T>()
  const byPrefix = new Map<string, T>()
  for (const [pattern, value] of byPattern) {
    if (pattern.endsWith('*')) byPrefix.set(pattern.slice(0, -1), value)
    else exact.set(pattern, value)
  }
  const prefixes = [...byPrefix].toSorted(([a], [b]) => b.length - a.length)
  const lengths = [...new Set(prefixes.map(([prefix]) => prefix.length))]
  return { exact: namesOf(exact), byPrefix, prefixes, lengths, rest }
}

/** `path` in the form of `matchPath`. */
export function choosePath<T>(paths: PathTable<T>, path: string): T {
  const exact = lookUp(paths.exact, path)
  if (exact !== undefined) return exact
  if (paths.prefixes.length <= PREFIXES_TRIED) {
    for (let i = 0; i < paths.prefixes.length; i++) {
      if (path.startsWith(paths.prefixes[i]![0])) return paths.prefixes[i]![1]
    }
    return paths.rest
  }
  for (const length of paths.lengths) {
    const found = length <= path.length ? paths.byPrefix.get(path.slice(0, length)) : undefined
    if (found !== undefined) return found
  }
  return paths.rest
}
