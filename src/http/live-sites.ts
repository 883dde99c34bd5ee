/**
 * The sites that are live on this worker, and how they change: built aside, then swapped in the turn in which the units are.
 *
 * What did not change is taken over as it is: a site with all it holds, else its origin with the kept connections, else its
 * cache. A request keeps the site it found; what only old requests still use closes when they are done.
 */
import { siteName } from '../config/site-name.ts'
import type { Served } from '../contract/messages.ts'
import type { SiteConfig } from '../config/schema.ts'
import { SiteTable, type Site } from './sites.ts'

/** Sites that were made ready and are not live yet. */
export interface PreparedSites {
  readonly served: Served
  readonly table: SiteTable
}

export interface LiveSitesOptions {
  /** Makes a site of the set; of the one before, which has its name, it takes over what is configured the same. */
  build(config: SiteConfig, before: Site | undefined, served: Served): Site
  /** Other sites and limits hold from now on. */
  onActive(served: Served): void
  /** Resolves when what sites that were built last rely on is there, or is known not to be. Absent: at once. */
  ready?: (() => Promise<void>) | undefined
}

export class LiveSites {
  private readonly options: LiveSitesOptions
  private current: PreparedSites

  constructor(served: Served, options: LiveSitesOptions) {
    this.options = options
    this.current = {
      served,
      table: new SiteTable(served.sites, (config) => options.build(config, undefined, served)),
    }
  }

  get table(): SiteTable {
    return this.current.table
  }

  get served(): Served {
    return this.current.served
  }

  /** Throws where a site cannot be built: then nothing of it is left. */
  prepare(served: Served): PreparedSites {
    const before = new Map(this.table.sites.map((site) => [site.name, site]))
    const built: Site[] = []
    try {
      const table = new SiteTable(served.sites, (config) => {
        const site = this.options.build(config, before.get(siteName(config)), served)
        built.push(site)
        return site
      })
      return { served, table }
    } catch (error) {
      this.close(built, this.table.sites)
      throw error
    }
  }

  /** To be waited for between `prepare` and `activate`. */
  async ready(): Promise<void> {
    await this.options.ready?.()
  }

  activate(next: PreparedSites): void {
    const before = this.current.table.sites
    this.current = next
    this.options.onActive(next.served)
    this.close(before, next.table.sites)
  }

  discard({ table }: PreparedSites): void {
    this.close(table.sites, this.table.sites)
  }

  /** Ends what `sites` hold and `kept` do not. What is in use is finished first. */
  private close(sites: readonly Site[], kept: readonly Site[]): void {
    const inUse = new Set<unknown>(kept.flatMap(({ origin, cache }) => [origin, cache]))
    for (const { origin, cache } of sites) {
      if (!inUse.has(origin)) origin.close()
      // Large bodies stand in files, which go back at once.
      if (cache !== undefined && !inUse.has(cache)) cache.close()
    }
  }
}
