/**
 * The caches of a worker's sites: one of its own for a site that gives sizes, and one store for all others where the edge has one.
 *
 * Each worker has a share of the memory: together they hold what was given. No cache gives up what it has while it is live, so where a
 * change brings sites of another kind to a shared store, those get what is left, or a little more than that. The disk is one for all.
 */
import { siteName } from '../config/site-name.ts'
import type { SharedCacheConfig, SiteCacheConfig, SiteConfig } from '../config/schema.ts'
import type { DiskTier } from '../contract/disk-tier.ts'
import type { PurgeScope } from '../contract/purge.ts'
import type { CachePurger } from './cache-purger.ts'
import { ResponseCache } from './caching/response-cache.ts'
import { siteRules } from './caching/site-rules.ts'
import { asksForPlain } from './sites.ts'

/** Of its even part of a shared store a kind of sites has so much at least, whatever others had before it came. */
const LEAST_SHARE = 1 / 8

/** Memory of a cache, where nothing is said. */
const RAM_BYTES = 64 * 1024 * 1024

export interface SiteCachesOptions {
  readonly workers: number
  readonly nowMs: () => number
  /** One store for all sites that give no sizes; absent: each has its own. */
  readonly shared: SharedCacheConfig | undefined
  /** Of this worker. */
  purging(): Pick<CachePurger, 'number' | 'invalidated'>
  isShared(site: SiteConfig): boolean
  openOwn(site: SiteConfig): ClosableTier | undefined
  openShared(): ClosableTier | undefined
}

/** Of all sites of one kind. */
interface KindCache {
  readonly cache: ResponseCache
  readonly bytesMax: number
  readonly sites: Set<string>
}

/** A tier that is let go of when its cache is. */
export type ClosableTier = DiskTier & { close(): void }

export class SiteCaches {
  readonly #options: SiteCachesOptions
  #disk: ClosableTier | undefined
  /** Caches of the shared store: mostly there is one. */
  readonly #shared = new Map<string, KindCache>()

  constructor(options: SiteCachesOptions) {
    this.#options = options
  }

  /** `sites`: all that will be live with it. */
  of(site: SiteConfig, sites: readonly SiteConfig[]): ResponseCache | undefined {
    const { cache } = site
    if (cache === undefined) return undefined
    if (this.#options.isShared(site)) return this.#sharedOf(site, cache, sites)
    const disk = this.#options.openOwn(site)
    const { policy, admission } = cache
    return new ResponseCache({
      bytesMax: this.#share(cache.ram),
      ...this.#optionsOf(site, cache, new Set([siteName(site)])),
      policy,
      admission,
      disk,
      onClose: () => disk?.close(),
    })
  }

  /** The name of a site whose answers go to the store that several share. */
  sharedAs(site: SiteConfig): string | undefined {
    return this.#options.isShared(site) ? siteName(site) : undefined
  }

  /** Sites whose caches behave alike have one. Where they do not, each kind has its part of the memory; all have one disk. */
  #sharedOf(site: SiteConfig, cache: SiteCacheConfig, sites: readonly SiteConfig[]): ResponseCache {
    const kind = kindOf(site)
    const known = this.#shared.get(kind)
    if (known !== undefined) {
      known.sites.add(siteName(site))
      return known.cache
    }
    const { ram, policy, admission } = this.#options.shared!
    const bytesMax = this.#left(this.#share(ram), sites)
    const names = new Set([siteName(site)])
    this.#disk ??= this.#options.openShared()
    const made = new ResponseCache({
      bytesMax,
      ...this.#optionsOf(site, cache, names),
      policy,
      admission,
      disk: this.#disk,
      onClose: () => this.#shared.delete(kind),
    })
    this.#shared.set(kind, { cache: made, bytesMax, sites: names })
    return made
  }

  /**
   * For one more kind: an even part of the store, as far as those that stay have left it. What leaves when these sites come is gone soon,
   * and counts for nothing.
   */
  #left(share: number, sites: readonly SiteConfig[]): number {
    const kinds = new Set(sites.filter((site) => this.#options.isShared(site)).map(kindOf))
    let left = share
    for (const [kind, { bytesMax }] of this.#shared) if (kinds.has(kind)) left -= bytesMax
    const even = Math.floor(share / Math.max(1, kinds.size))
    return Math.max(Math.min(even, left), Math.floor(even * LEAST_SHARE))
  }

  #optionsOf(site: SiteConfig, cache: SiteCacheConfig, names: ReadonlySet<string>) {
    const { nowMs, purging } = this.#options
    return {
      objectBytesMax: cache.objectBytes,
      asksForPlain: asksForPlain(site),
      ...siteRules(cache),
      nowMs,
      purges: purging(),
      later: (work: () => void) => void setImmediate(work),
      onInvalidate: (what: PurgeScope) => {
        for (const name of names) purging().invalidated(name, what)
      },
    }
  }

  #share(bytes = RAM_BYTES): number {
    return Math.floor(bytes / this.#options.workers)
  }
}

/** What sites say of their caches that is not said of the store. */
const kindOf = (site: SiteConfig): string => {
  const { objectBytes, vary, stale, setCookie } = site.cache!
  return JSON.stringify([asksForPlain(site), objectBytes, vary, stale, setCookie])
}
