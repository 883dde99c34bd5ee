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
import { PHASE_BITS, PHASES_BESIDE_REQUESTS, type UnitVersion } from '../contract/unit.ts'
import { chooseHost, collect, compileHosts, type Indices, remember, union } from './host-table.ts'
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
  const hosts = compileHosts(units, (indices) => compilePaths(units, indices, intern))
  return {
    match: (host, path, method) => chooseMethod(choosePath(chooseHost(hosts, host), matchPath(path)), method),
  }
}

/** By name: those whose newer version some clients of this node have. */
export function stagedUnits(set: UnitSet, node: NodeIdentity): ReadonlyMap<string, StagedUnit> {
  const staged = new Map<string, StagedUnit>()
  for (const [name, rollout] of Object.entries(set.rollouts ?? {})) {
    const share = stagedShare(rollout, node.groups)
    if (share > 0) staged.set(name, { next: rollout.unit, share })
  }
  return staged
}

/** A unit that has a `timer` alone, or answers DNS alone, is none of a request's. */
const meetsRequests = ({ phases }: UnitVersion): boolean => (phases & ~PHASES_BESIDE_REQUESTS) !== 0

export function runsOn(unit: UnitVersion, node: NodeIdentity): boolean {
  const { nodes } = unit.manifest
  return (
    nodes.length === 0 ||
    nodes.includes(node.name) ||
    node.groups.some((name) => nodes.includes(`group:${name}`))
  )
}

/** Higher first, then by name; not by locale, so that all nodes agree. */
export function byPriority(a: UnitVersion, b: UnitVersion): number {
  return b.manifest.priority - a.manifest.priority || (a.name < b.name ? -1 : 1)
}

/** Gives the one object of a combination. */
type Intern = (indices: Indices) => MatchedUnits

interface MethodTable {
  readonly exact: Names<MatchedUnits>
  readonly rest: MatchedUnits
}

function chooseMethod(methods: MethodTable, method: string): MatchedUnits {
  return lookUp(methods.exact, method) ?? methods.rest
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
