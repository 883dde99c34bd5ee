/** What `sites[].cache` says, as the cache's parts want to hear it. */
import type { SiteCacheConfig } from '../../config/schema.ts'
import type { StoringRules } from './storing.ts'
import { varyRules, type VaryRules } from './vary-rules.ts'

export function siteRules({ setCookie, stale, vary }: SiteCacheConfig): {
  readonly rules: StoringRules
  readonly vary: VaryRules
} {
  const { whileRevalidate: staleWhileRevalidateMs, ifError: staleIfErrorMs } = stale
  return { rules: { setCookie, staleWhileRevalidateMs, staleIfErrorMs }, vary: varyRules(vary) }
}
