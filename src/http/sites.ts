/**
 * Which site a request belongs to, by host and path as received. Each site says so in pairs of both; of those that meet the request the
 * closest host counts, an exact name before the longest wildcard before `*`; and of its sites the closest path, the exact one before
 * the longest start before the rest.
 */
import { matchPath } from '../base/path-pattern.ts'
import { choosePath, compilePathTable, type PathTable } from '../base/path-table.ts'
import type { RedirectConfig, SiteConfig } from '../config/schema.ts'
import { claimsOf } from '../config/site-claims.ts'
import type { Origin } from '../contract/origin.ts'
import type { AccessLog } from './access-log/access-log.ts'
import type { Compression } from './body/compression.ts'
import type { SiteKey } from './caching/keys/site-key.ts'
import type { ResponseCache } from './caching/response-cache.ts'
import type { CacheStatistics } from './caching/statistics/cache-statistics.ts'
import type { ForwardedMode } from './forwarding/hop.ts'
import type { RequestLimit } from './limits/request-limit.ts'

export interface Site {
  /** How it is called in logs and metrics. */
  readonly name: string
  readonly config: SiteConfig
  readonly origin: Origin
  readonly cache: ResponseCache | undefined
  /** What it did. Where there is a cache. */
  readonly cacheStatistics: CacheStatistics | undefined
  /** What answers are kept under. Where there is a cache. */
  readonly cacheKey: SiteKey | undefined
  /** Headers, by their names in lower case, that are kept from the origin because they would change what everybody gets. Where there is a cache. */
  readonly isUnkeyed: ((name: string) => boolean) | undefined
  /** WebSockets and other protocols that a connection may be upgraded to pass. */
  readonly upgrades: boolean
  readonly compress: Compression | undefined
  /** What its origin is told of clients. */
  readonly forwarded: ForwardedMode
  /** Requests over HTTP are sent to HTTPS. */
  readonly redirect: RedirectConfig | undefined
  /** Edit that adds `Strict-Transport-Security` over HTTPS; empty where there is none. */
  readonly hsts: string
  readonly accessLog: AccessLog | undefined
  /** Those over all sites, then its own. */
  readonly limits: readonly RequestLimit[]
}

/**
 * Whether its origin is asked for plain bodies: one copy of them is compressed for all. But files that lie there compressed are better than
 * what we would make.
 */
export const asksForPlain = ({ compress, static: files }: SiteConfig): boolean =>
  compress !== undefined && files === undefined

/** The sites that have a host. */
interface HostSites {
  /** Undefined where nobody has a part of its paths: then a path is not looked at. */
  readonly byPath: PathTable<Site | undefined> | undefined
  readonly rest: Site | undefined
}

const siteAt = ({ byPath, rest }: HostSites, path: string): Site | undefined =>
  byPath === undefined ? rest : choosePath(byPath, matchPath(path))

export class SiteTable {
  private readonly exact = new Map<string, HostSites>()
  /** `.example.com` for `*.example.com`, longest first. */
  private readonly wildcards: { readonly suffix: string; readonly sites: HostSites }[] = []
  private fallback: HostSites | undefined
  readonly sites: readonly Site[]

  constructor(configs: readonly SiteConfig[], build: (config: SiteConfig) => Site) {
    const hosts = new Map<string, Map<string, Site>>()
    this.sites = configs.map((config) => {
      const site = build(config)
      for (const { host, path } of claimsOf(config)) {
        const paths = hosts.get(host) ?? new Map<string, Site>()
        hosts.set(host, paths)
        if (!paths.has(path)) paths.set(path, site)
      }
      return site
    })
    for (const [host, paths] of hosts) this.add(host, hostSites(paths))
    this.wildcards.sort((a, b) => b.suffix.length - a.suffix.length)
  }

  private add(host: string, sites: HostSites): void {
    if (host === '*') this.fallback = sites
    else if (host.startsWith('*.')) this.wildcards.push({ suffix: host.slice(1), sites })
    else this.exact.set(host, sites)
  }

  /**
   * `host` in lower case and without a port or a dot at its end, `path` as received without the query. Where no site of the closest
   * host has the path, those of the next one are asked.
   */
  find(host: string, path: string): Site | undefined {
    const exact = this.exact.get(host)
    const site = exact && siteAt(exact, path)
    if (site !== undefined) return site
    for (const { suffix, sites } of this.wildcards) {
      const wild = host.endsWith(suffix) ? siteAt(sites, path) : undefined
      if (wild !== undefined) return wild
    }
    return this.fallback && siteAt(this.fallback, path)
  }
}

function hostSites(paths: Map<string, Site>): HostSites {
  const rest = paths.get('/*')
  paths.delete('/*')
  return { byPath: paths.size === 0 ? undefined : compilePathTable(paths, rest), rest }
}
