/**
 * Which units a request meets. Asked once a request, so all thinking is done when a set of units is compiled.
 *
 *     host ── exact name, else the longest wildcard, else the rest ──▶ a table of paths
 *     path ── exact path, else the longest prefix, else the rest ────▶ a choice by method
 *     method ─────────────────────────────────────────────────────────▶ MatchedUnits
 *
 * The longest wildcard or prefix decides alone, because whatever shorter one matches too is known beforehand and is
 * part of its answer. Nothing is remembered about requests, so no client can make the tables grow.
 */
import { lookUp, namesOf, type Names } from '../base/names.ts'
import { matchPath, matchPattern } from '../base/path-pattern.ts'
import { choosePath, compilePathTable, type PathTable } from '../base/path-table.ts'
import type { UnitSet } from '../contract/messages.ts'
import { PHASE_BITS, type UnitVersion } from '../contract/unit.ts'
import { stagedShare } from './rollout/stages.ts'

export interface NodeIdentity {
  readonly name: string
  readonly groups: readonly string[]
}

/** The units of one combination, in the order they run. The same combination is always the same object. */
export interface MatchedUnits {
  readonly units: readonly UnitVersion[]
  readonly rewrite: readonly UnitVersion[]
  readonly access: readonly UnitVersion[]
  /** One answers; it is the first by priority and name. */
  readonly content: UnitVersion | undefined
  readonly headerFilter: readonly UnitVersion[]
  readonly log: readonly UnitVersion[]
  /** Units of which a newer version is on its way: both are among `units` where both match, and a request runs one of them. */
  readonly staged: readonly StagedUnit[]
  readonly isEmpty: boolean
}

export interface StagedUnit {
  readonly next: UnitVersion
  /** Of the clients of this node. */
  readonly share: number
}

export interface UnitMatcher {
  /**
   * `host` in lower case and without a port or a dot at its end, `path` as received without the query, `method` as
   * received. The pattern `/*` is every path, also the `*` of OPTIONS.
   */
  match(host: string, path: string, method: string): MatchedUnits
}

export const NOTHING_MATCHED: MatchedUnits = matchedUnits([])

export function compileUnits(set: UnitSet, node: NodeIdentity): UnitMatcher {
  const staged = stagedUnits(set, node)
  const all = set.enabled ? [...set.units, ...[...staged.values()].map(({ next }) => next)] : []
  const here = all.filter((unit) => meetsRequests(unit) && runsOn(unit, node))
  if (here.length === 0) return { match: () => NOTHING_MATCHED }
  const units = here.toSorted(byPriority)
  const intern = internCombinations(units, staged)
  const hosts = compileHosts(units, intern)
  return {
    match: (host, path, method) => chooseMethod(choosePath(chooseHost(hosts, host), matchPath(path)), method),
  }
}

/** By name: those whose newer version some clients of this node have. */
function stagedUnits(set: UnitSet, node: NodeIdentity): ReadonlyMap<string, StagedUnit> {
  const staged = new Map<string, StagedUnit>()
  for (const [name, rollout] of Object.entries(set.rollouts ?? {})) {
    const share = stagedShare(rollout, node.groups)
    if (share > 0) staged.set(name, { next: rollout.unit, share })
  }
  return staged
}

/** A unit that has a `timer` alone is none of a request's. */
const meetsRequests = ({ phases }: UnitVersion): boolean => (phases & ~PHASE_BITS.timer) !== 0

export function runsOn(unit: UnitVersion, node: NodeIdentity): boolean {
  const { nodes } = unit.manifest
  return (
    nodes.length === 0 ||
    nodes.includes(node.name) ||
    node.groups.some((name) => nodes.includes(`group:${name}`))
  )
}

/** Higher first, then by name; not by locale, so that all nodes agree. */
function byPriority(a: UnitVersion, b: UnitVersion): number {
  return b.manifest.priority - a.manifest.priority || (a.name < b.name ? -1 : 1)
}

/** Units by their index in the order in which they run. A set of them is ascending and without repeats. */
type Indices = readonly number[]
/** Gives the one object of a combination. */
type Intern = (indices: Indices) => MatchedUnits

interface HostTable {
  readonly exact: Names<PathTable<MethodTable>>
  /** By what follows `*.`. */
  readonly wild: ReadonlyMap<string, PathTable<MethodTable>>
  readonly rest: PathTable<MethodTable>
}

interface MethodTable {
  readonly exact: Names<MatchedUnits>
  readonly rest: MatchedUnits
}

function chooseHost(hosts: HostTable, host: string): PathTable<MethodTable> {
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

function chooseMethod(methods: MethodTable, method: string): MatchedUnits {
  return lookUp(methods.exact, method) ?? methods.rest
}

function compileHosts(units: readonly UnitVersion[], intern: Intern): HostTable {
  const { everywhere, named } = collect(units, units.keys(), (unit) => unit.manifest.hosts, '*')
  // Hosts with the same units share one table: a unit with a thousand hosts is compiled once.
  const tables = new Map<string, PathTable<MethodTable>>()
  const tableOf = (indices: Indices): PathTable<MethodTable> =>
    remember(tables, indices, () => compilePaths(units, indices, intern))

  const exact = new Map<string, PathTable<MethodTable>>()
  const wild = new Map<string, PathTable<MethodTable>>()
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

function compilePaths(
  units: readonly UnitVersion[],
  indices: Indices,
  intern: Intern,
): PathTable<MethodTable> {
  const { everywhere, named } = collect(units, indices, (unit) => unit.manifest.paths.map(matchPattern), '/*')
  const tables = new Map<string, MethodTable>()
  const tableOf = (indices: Indices): MethodTable =>
    remember(tables, indices, () => compileMethods(units, indices, intern))
  const prefixLengths = [
    ...new Set([...named.keys()].filter((path) => path.endsWith('*')).map((path) => path.length - 1)),
  ]
  /** Units of all prefixes of `path`, itself among them. */
  const prefixesOf = (path: string): Indices[] =>
    prefixLengths
      .filter((length) => length <= path.length)
      .map((length) => named.get(`${path.slice(0, length)}*`) ?? [])

  const tableFor = (pattern: string, own: Indices): MethodTable => {
    const sets = pattern.endsWith('*') ? prefixesOf(pattern.slice(0, -1)) : [own, ...prefixesOf(pattern)]
    return tableOf(union([everywhere, ...sets]))
  }
  const byPattern = [...named].map(([pattern, own]) => [pattern, tableFor(pattern, own)] as const)
  return compilePathTable(byPattern, tableOf(everywhere))
}

function compileMethods(units: readonly UnitVersion[], indices: Indices, intern: Intern): MethodTable {
  const { everywhere, named } = collect(units, indices, (unit) => withHead(unit.manifest.methods), undefined)
  const exact = new Map([...named].map(([method, own]) => [method, intern(union([everywhere, own]))]))
  return { exact: namesOf(exact), rest: intern(everywhere) }
}

/** RFC 9110 §9.3.2: HEAD asks what GET would say; a guard of GET must not be passed by with it. */
const withHead = (methods: readonly string[]): readonly string[] =>
  methods.includes('GET') && !methods.includes('HEAD') ? [...methods, 'HEAD'] : methods

/** Units by pattern; `everywhere` are those without one, or with the pattern `all`. */
function collect(
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

const union = (sets: readonly Indices[]): Indices => [...new Set(sets.flat())].toSorted((a, b) => a - b)

function internCombinations(units: readonly UnitVersion[], staged: ReadonlyMap<string, StagedUnit>): Intern {
  const known = new Map<string, MatchedUnits>()
  return (indices) => {
    if (indices.length === 0) return NOTHING_MATCHED
    return remember(known, indices, () =>
      matchedUnits(
        indices.map((index) => units[index]!),
        staged,
      ),
    )
  }
}

function remember<T>(known: Map<string, T>, indices: Indices, make: () => T): T {
  const key = indices.join(',')
  let value = known.get(key)
  if (value === undefined) known.set(key, (value = make()))
  return value
}

function matchedUnits(
  units: readonly UnitVersion[],
  staged: ReadonlyMap<string, StagedUnit> = new Map(),
): MatchedUnits {
  const names = new Set(units.map(({ name }) => name))
  const of = (bit: number) => units.filter((unit) => (unit.phases & bit) !== 0)
  return Object.freeze({
    units,
    rewrite: of(PHASE_BITS.rewrite),
    access: of(PHASE_BITS.access),
    content: of(PHASE_BITS.content)[0],
    headerFilter: of(PHASE_BITS.headerFilter),
    log: of(PHASE_BITS.log),
    staged: [...names].flatMap((name) => staged.get(name) ?? []),
    isEmpty: units.length === 0,
  })
}
