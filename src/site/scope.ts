/**
 * What lies within some of the sites: hosts and paths whose requests would all be theirs.
 *
 * A request belongs to the site that it is routed to, so `tv.example.org` is not within `*.example.org` where another site has
 * that name; `*.example.org` is within a site only if no other one has a host below; and a host whose paths several sites share is
 * within one of them where the paths are.
 */
import { matchPattern } from '../base/path-pattern.ts'
import { ALL_PATHS, claimsOf, plainHost } from '../config/site-claims.ts'

export interface ScopedSite {
  readonly name: string
  readonly hosts: readonly string[]
  readonly paths: readonly string[]
}

/** What of a unit, or of a site, says which requests it meets. An empty list means all. */
export interface Reach {
  readonly hosts: readonly string[]
  readonly paths: readonly string[]
}

interface OwnedPath {
  readonly path: string
  readonly isMine: boolean
}

/** Undefined where all are within, else the first host that is not, with its path where the reach has some. */
export function outside(
  { hosts, paths }: Reach,
  mine: readonly string[],
  sites: readonly ScopedSite[],
): string | undefined {
  const owned = new Map<string, OwnedPath[]>()
  for (const site of sites) {
    for (const { host, path } of claimsOf(site)) {
      const list = owned.get(host) ?? []
      owned.set(host, list)
      list.push({ path, isMine: mine.includes(site.name) })
    }
  }
  const wantedPaths = paths.length === 0 ? ALL_PATHS : paths.map(matchPattern)
  for (const host of hosts.length === 0 ? ['*'] : hosts.map(plainHost)) {
    const levels = [host, ...wildcardsAbove(host)].map((pattern) => owned.get(pattern) ?? [])
    const below = [...owned].flatMap(([other, list]) => (isBelow(other, host) ? list : []))
    const path = wantedPaths.find((wanted) => !isWithin(wanted, levels, below))
    if (path !== undefined) return path === '/*' ? host : host + path
  }
  return undefined
}

/**
 * The sites that have requests which the reach meets, by name: of a host those that it is routed to, and of one that stands for several those of each.
 */
export function sitesMet({ hosts, paths }: Reach, sites: readonly ScopedSite[]): readonly string[] {
  const claims = sites.flatMap((site) =>
    claimsOf(site).map(({ host, path }) => ({ host, path, site: site.name })),
  )
  const byHost = Map.groupBy(claims, ({ host }) => host)
  const wantedPaths = paths.length === 0 ? ALL_PATHS : paths.map(matchPattern)
  const met = new Set<string>()
  /** True where nothing of the path is left to other hosts. */
  const meet = (host: string, wanted: string): boolean => {
    const here = byHost.get(host) ?? []
    for (const { path, site } of here) if (path !== wanted && covers(wanted, path)) met.add(site)
    const [closest] = here
      .filter(({ path }) => covers(path, wanted))
      .toSorted(
        (a, b) => Number(b.path === wanted) - Number(a.path === wanted) || b.path.length - a.path.length,
      )
    if (closest !== undefined) met.add(closest.site)
    return closest !== undefined
  }
  for (const host of hosts.length === 0 ? ['*'] : hosts.map(plainHost)) {
    for (const wanted of wantedPaths) {
      for (const other of byHost.keys()) if (isBelow(other, host)) meet(other, wanted)
      for (const level of [host, ...wildcardsAbove(host)]) if (meet(level, wanted)) break
    }
  }
  return sites.flatMap(({ name }) => (met.has(name) ? [name] : []))
}

/** `levels` are the sites of the host itself, and of the patterns above it, the closest first; `below` are those of hosts that it stands for. */
function isWithin(
  wanted: string,
  levels: readonly (readonly OwnedPath[])[],
  below: readonly OwnedPath[],
): boolean {
  if (below.some(({ path, isMine }) => !isMine && (covers(path, wanted) || covers(wanted, path))))
    return false
  for (const level of levels) {
    // What others have of it is theirs, whoever has the rest.
    if (level.some(({ path, isMine }) => !isMine && path !== wanted && covers(wanted, path))) return false
    const covering = level
      .filter(({ path }) => covers(path, wanted))
      .toSorted((a, b) => b.path.length - a.path.length)
    const closest = covering.find(({ path }) => path === wanted) ?? covering[0]
    if (closest !== undefined) return closest.isMine
  }
  return false
}

/** Whether all that `inner` matches is matched by `outer`. */
const covers = (outer: string, inner: string): boolean =>
  outer === inner || (outer.endsWith('*') && inner.startsWith(outer.slice(0, -1)))

/** The patterns that a host falls to, the closest first: `a.b.c` gives `*.b.c`, `*.c`, `*`. */
function wildcardsAbove(host: string): readonly string[] {
  if (host === '*') return []
  const labels = host.replace(/^\*\./, '').split('.')
  const from = host.startsWith('*.') ? 0 : 1
  const names = labels.slice(from).map((_, index) => `*.${labels.slice(from + index).join('.')}`)
  return [...names.filter((name) => name !== host), '*']
}

/** Whether requests for `other` match the pattern too. */
function isBelow(other: string, pattern: string): boolean {
  if (other === pattern) return false
  if (pattern === '*') return true
  return pattern.startsWith('*.') && other.replace(/^\*/, '').endsWith(pattern.slice(1))
}
