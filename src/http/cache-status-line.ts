/** `Cache-Status` (RFC 9211) as a line of an answer's head, for sites that tell it. */
import { appendCacheStatus, withKey } from './caching/cache-status.ts'
import type { Exchange } from './exchange.ts'

/**
 * With its end; empty where nothing is to be said. `prior`: what caches before us said. Who may see what ran is told the key, too:
 * others would learn from it how to fill this cache with the same page again and again.
 */
export function cacheStatusLine(exchange: Exchange, prior: string | undefined, member: string): string {
  if (exchange.site?.config.cache?.statusHeader === false)
    return prior === undefined ? '' : `cache-status: ${prior}\r\n`
  const own = exchange.isDebugShown ? withKey(member, exchange.cacheKey) : member
  return `cache-status: ${appendCacheStatus(prior, own)}\r\n`
}
