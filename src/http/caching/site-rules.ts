/** What `sites[].cache` says, as the cache's parts want to hear it. */
import type { SiteCacheConfig } from '../../config/schema.ts'
import type { StoringRules } from './storing.ts'

export const storingRules = ({ setCookie, stale }: SiteCacheConfig): StoringRules => ({
  setCookie,
  staleWhileRevalidateMs: stale.whileRevalidate,
  staleIfErrorMs: stale.ifError,
})
