/** `Cache-Status` (RFC 9211) as a line of an answer's head, for sites that tell it. */
import type { ErrorCode } from '../base/error-codes.ts'
import type { HeaderList } from '../wire/http1/message.ts'
import { serialiseHeaders } from '../wire/http1/serialise.ts'
import { appendCacheStatus, forwardStatus, withKey } from './caching/cache-status.ts'
import { notModifiedHeaders } from './caching/conditional.ts'
import { passedHeaders } from './caching/passed-headers.ts'
import type { Exchange } from './exchange.ts'

/**
 * With its end; empty where nothing is to be said. `prior`: what caches before us said. Who may see what ran is told the key, too:
 * others would learn from it how to fill this cache with the same page again and again.
 */
export function cacheStatusLine(exchange: Exchange, prior: string | undefined, member: string): string {
  const told = exchange.site?.config.cache?.statusHeader
  if (told === false) return prior === undefined ? '' : `cache-status: ${prior}\r\n`
  const own = exchange.isDebugShown || told === 'key' ? withKey(member, exchange.cacheKey) : member
  return `cache-status: ${appendCacheStatus(prior, own)}\r\n`
}

/** For an answer that the origin failed to give; empty where no cache was asked. */
export function failedStatusLine(exchange: Exchange, detail: ErrorCode): string {
  const { cacheForward: forward } = exchange
  return forward === undefined ? '' : cacheStatusLine(exchange, undefined, forwardStatus({ forward, detail }))
}

/** The lines of an answer as the origin sent it. `member`: what the cache says of it, if it was asked. */
export function passedFields(exchange: Exchange, headers: HeaderList, member: string | undefined): string {
  if (member === undefined) return serialiseHeaders(headers)
  return serialiseHeaders(passedHeaders(headers)) + cacheStatusLine(exchange, undefined, member)
}

/** The client has what the origin sent: 304, with the headers that describe it. */
export function answerNotModified(exchange: Exchange, headers: HeaderList, member: string): void {
  const fields = passedFields(exchange, notModifiedHeaders(headers), member)
  exchange.answerWhole({ status: 304, reason: 'Not Modified', fields, source: 'origin' }, '')
}
