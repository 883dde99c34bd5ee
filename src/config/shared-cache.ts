/** Which sites keep their answers in the store of `edge.cache`. */
import type { Config, SiteConfig } from './schema.ts'

/** Whether a site's answers go to the store that several share. */
export function isShared(site: Pick<SiteConfig, 'cache'>, shared: Config['edge']['cache']): boolean {
  return (
    shared !== undefined &&
    site.cache !== undefined &&
    site.cache.ram === undefined &&
    site.cache.disk === undefined
  )
}
