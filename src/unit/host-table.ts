/**
 * Units by host, for whatever is asked by one: an exact name, else the longest wildcard, else the rest.
 *
 * The longest wildcard decides alone, because whatever shorter one matches too is known beforehand and is part of its answer.
 */
import { lookUp, namesOf, type Names } from '../base/names.ts'
import type { UnitVersion } from '../contract/unit.ts'

/** Units by their index in the order in which they run. A set of them is ascending and without repeats. */
export type Indices = readonly number[]
export interface HostTable<T> {
  readonly exact: Names<T>
  /** By what follows `*.`. */
  readonly wild: ReadonlyMap<string, T>
  readonly rest: T
}

export function chooseHost<T>(hosts: HostTable<T>, host: string): T {
  const exact = lookUp(hosts.exact, host)
  if (exact !== undefined) return exact
  if (hosts.wild.size === 0) return hosts.rest
  for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
    const wild = hosts.wild.get(host.slice(dot + 1))
    // ".example.com" has no label before its dot.
    if (wild !== undefined && dot > 0) return wild
  }
  return hosts.rest
}

/** `make` gives what is kept for the units of these indices. */
export function compileHosts<T>(units: readonly UnitVersion[], make: (indices: Indices) => T): HostTable<T> {
  const { everywhere, named } = collect(units, units.keys(), (unit) => unit.manifest.hosts, '*')
  // Hosts with the same units share one table: a unit with a thousand hosts is compiled once.
  const tables = new Map<string, T>()
  const tableOf = (indices: Indices): T => remember(tables, indices, () => make(indices))

  const exact = new Map<string, T>()
  const wild = new Map<string, T>()
  for (const [pattern, indices] of named) {
    const isWild = pattern.startsWith('*.')
    const host = isWild ? pattern.slice(2) : pattern
    const sets = [everywhere, indices]
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      sets.push(named.get(`*${host.slice(dot)}`) ?? [])
    }
    ;(isWild ? wild : exact).set(host, tableOf(union(sets)))
  }
  return { exact: namesOf(exact), wild, rest: tableOf(everywhere) }
}

/** Units by pattern; `everywhere` are those without one, or with the pattern `all`. */
export function collect(
  units: readonly UnitVersion[],
  indices: Iterable<number>,
  patterns: (unit: UnitVersion) => readonly string[],
  all: string | undefined,
): { readonly everywhere: Indices; readonly named: ReadonlyMap<string, Indices> } {
  const everywhere: number[] = []
  const named = new Map<string, number[]>()
  for (const index of indices) {
    const own = patterns(units[index]!)
    if (own.length === 0 || (all !== undefined && own.includes(all))) everywhere.push(index)
    else {
      for (const pattern of own) {
        const list = named.get(pattern)
        if (list) list.push(index)
        else named.set(pattern, [index])
      }
    }
  }
  return { everywhere, named }
}

export const union = (sets: readonly Indices[]): Indices =>
  [...new Set(sets.flat())].toSorted((a, b) => a - b)

export function remember<T>(known: Map<string, T>, indices: Indices, make: () => T): T {
  const key = indices.join(',')
  let value = known.get(key)
  if (value === undefined) known.set(key, (value = make()))
  return value
}
