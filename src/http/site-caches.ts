/**
 * The caches of a worker's sites: one of its own for a site that gives sizes, and one store for all others where the edge has one.
 *
 * Each worker has a share of the memory: together they hold what was given. The disk is one for all of them.
 */
import { siteName } from '../config/site-name.ts'
import type { SharedCacheConfig, SiteCacheConfig, SiteConfig } from '../config/schema.ts'
import type { DiskTier } from '../contract/disk-tier.ts'
import { ResponseCache } from './caching/response-cache.ts'
import { Shelf } from './caching/shelf.ts'
import { siteRules } from './caching/site-rules.ts'
import { asksForPlain } from './sites.ts'

/** Memory of a cache, where nothing is said. */
const RAM_BYTES = 64 * 1024 * 1024

export interface SiteCachesOptions {
  readonly workers: number
  readonly nowMs: () => number
  /** One store for all sites that give no sizes; absent: each has its own. */
  readonly shared: SharedCacheConfig | undefined
  isShared(site: SiteConfig): boolean
  openOwn(site: SiteConfig): ClosableTier | undefined
  openShared(): ClosableTier | undefined
}

/** A tier that is let go of when its cache is. */
export type ClosableTier = DiskTier & { close(): void }

export class SiteCaches {
  readonly #options: SiteCachesOptions
  #store:
    | { readonly shelf: Shelf; readonly disk: ClosableTier | undefined; readonly bytesMax: number }
    | undefined
  /** Caches in the shared store, by what sites say of them that is not said of the store: mostly there is one. */
  readonly #shared = new Map<string, ResponseCache>()

  constructor(options: SiteCachesOptions) {
    this.#options = options
  }

  of(site: SiteConfig): ResponseCache | undefined {
    const { cache } = site
    if (cache === undefined) return undefined
    if (this.#options.isShared(site)) return this.#sharedOf(site, cache)
    const disk = this.#options.openOwn(site)
    return new ResponseCache({
      bytesMax: this.#share(cache.ram),
      ...optionsOf(site, cache),
      nowMs: this.#options.nowMs,
      policy: cache.policy,
      admission: cache.admission,
      disk,
      onClose: () => disk?.close(),
    })
  }

  /** The name of a site whose answers go to the store that several share. */
  sharedAs(site: SiteConfig): string | undefined {
    return this.#options.isShared(site) ? siteName(site) : undefined
  }

  /** Sites whose caches behave alike have one; all of them have one store. */
  #sharedOf(site: SiteConfig, cache: SiteCacheConfig): ResponseCache {
    const options = optionsOf(site, cache)
    const { objectBytes, vary, stale, setCookie } = cache
    const kind = JSON.stringify([options.asksForPlain, objectBytes, vary, stale, setCookie])
    let made = this.#shared.get(kind)
    if (made !== undefined) return made
    if (this.#store === undefined) {
      const bytesMax = this.#share(this.#options.shared?.ram)
      const { nowMs } = this.#options
      const { policy, admission } = this.#options.shared!
      const shelf = new Shelf(bytesMax, cache.vary.variantsMax, { policy, admission, nowMs })
      this.#store = { bytesMax, shelf, disk: this.#options.openShared() }
    }
    made = new ResponseCache({ ...options, ...this.#store })
    this.#shared.set(kind, made)
    return made
  }

  #share(bytes = RAM_BYTES): number {
    return Math.floor(bytes / this.#options.workers)
  }
}

const optionsOf = (site: SiteConfig, cache: SiteCacheConfig) => ({
  objectBytesMax: cache.objectBytes,
  asksForPlain: asksForPlain(site),
  ...siteRules(cache),
})
