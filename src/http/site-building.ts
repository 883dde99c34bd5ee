/** How a site is made of its configuration, and of the site that stood there before. */
import type { RedirectConfig, SiteConfig } from '../config/schema.ts'
import { siteName } from '../config/site-name.ts'
import { Compression } from './body/compression.ts'
import { createFilesOrigin } from './files/files-origin.ts'
import { hstsEdit } from './listener-facts.ts'
import { createOrigin, type OriginDeps } from './origin/origin.ts'
import { siteCacheParts } from './site-cache.ts'
import type { SiteCaches } from './site-caches.ts'
import { asksForPlain, type Site } from './sites.ts'

/** Of the site before, what is configured the same is taken over: its kept connections, and what it has cached. */
export function buildSite(
  site: SiteConfig,
  before: Site | undefined,
  caches: SiteCaches,
  sites: readonly SiteConfig[],
  platform: Required<OriginDeps>,
): Omit<Site, 'accessLog' | 'limits'> {
  const keeps = (key: 'origin' | 'static' | 'cache' | 'compress') =>
    before !== undefined && isSame(site[key], before.config[key])
  return {
    name: siteName(site),
    config: site,
    forwarded: site.forwarded,
    upgrades: site.upgrades,
    origin:
      keeps('origin') && keeps('static')
        ? before!.origin
        : site.static === undefined
          ? createOrigin(site.origin!, platform)
          : createFilesOrigin(site.static, platform),
    redirect: site.redirectHttps === false ? undefined : (site.redirectHttps as RedirectConfig),
    hsts: hstsEdit(site.hsts),
    compress: site.compress && new Compression(site.compress),
    ...siteCacheParts(
      site.cache,
      platform.random,
      keeps('cache') ? before!.cacheStatistics : undefined,
      caches.sharedAs(site),
    ),
    cache:
      keeps('cache') && keeps('compress') && asksForPlain(before!.config) === asksForPlain(site)
        ? before!.cache
        : caches.of(site, sites),
  }
}

/** Of configuration: plain values, whose keys stand in the order of the schema. */
const isSame = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)
