/** Which site a request belongs to, by its host: an exact name first, then the longest wildcard, then `*`. */
import type { RedirectConfig, SiteConfig } from '../config/schema.ts'
import type { Origin } from '../contract/origin.ts'
import type { AccessLog } from './access-log/access-log.ts'
import type { Compression } from './body/compression.ts'
import type { ResponseCache } from './caching/response-cache.ts'
import type { ForwardedMode } from './forwarding/hop.ts'

export interface Site {
  /** How it is called in logs and metrics. */
  readonly name: string
  readonly config: SiteConfig
  readonly origin: Origin
  readonly cache: ResponseCache | undefined
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
}

/**
 * Whether its origin is asked for plain bodies: one copy of them is compressed for all. But files that lie there compressed are better than
 * what we would make.
 */
export const asksForPlain = ({ compress, static: files }: SiteConfig): boolean =>
  compress !== undefined && files === undefined

export class SiteTable {
  private readonly exact = new Map<string, Site>()
  /** `.example.com` for `*.example.com`, longest first. */
  private readonly wildcards: { readonly suffix: string; readonly site: Site }[] = []
  private fallback: Site | undefined
  readonly sites: readonly Site[]

  constructor(configs: readonly SiteConfig[], build: (config: SiteConfig) => Site) {
    this.sites = configs.map((config) => {
      const site = build(config)
      for (const host of config.hosts) this.add(host.toLowerCase(), site)
      return site
    })
    this.wildcards.sort((a, b) => b.suffix.length - a.suffix.length)
  }

  private add(host: string, site: Site): void {
    if (host === '*') this.fallback ??= site
    else if (host.startsWith('*.')) this.wildcards.push({ suffix: host.slice(1), site })
    else if (!this.exact.has(host)) this.exact.set(host, site)
  }

  find(host: string): Site | undefined {
    const exact = this.exact.get(host)
    if (exact !== undefined) return exact
    for (const { suffix, site } of this.wildcards) if (host.endsWith(suffix)) return site
    return this.fallback
  }
}
