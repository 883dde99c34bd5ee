/**
 * What an answer that is not stored means for what is: a write makes it out of date (RFC 9111 §4.4), and a HEAD says whether it still
 * is as it was (§4.3.5).
 */
import type { HeaderList, RequestHead } from '../wire/http1/message.ts'
import { targetsToInvalidate } from './caching/invalidation.ts'
import { readTerms } from './caching/request-terms.ts'
import { groupsToInvalidate } from './caching/purging/response-tags.ts'
import { addressesOf } from './cache-key.ts'
import type { Exchange } from './exchange.ts'

interface Answered {
  readonly status: number
  readonly headers: HeaderList
}

export function invalidateAfter(exchange: Exchange, head: RequestHead, response: Answered): void {
  const { site, node, cacheKey } = exchange
  const cache = site!.cache!
  for (const target of targetsToInvalidate(head, response)) {
    const addresses = addressesOf(exchange, head, target)
    for (const address of addresses) cache.invalidate(address)
    node.siblings?.invalidated(site!.name, addresses)
  }
  const groups = groupsToInvalidate(head.method, response, cacheKey)
  if (groups.length > 0) cache.invalidateTags(groups, node.now())
}

/** `askedMs`, `purgeNumber`: as it was when the HEAD went to the origin. */
export function learnFromHead(
  exchange: Exchange,
  head: RequestHead,
  response: Answered,
  { askedMs, purgeNumber }: { readonly askedMs: number; readonly purgeNumber: number },
): void {
  // What is said to one person says nothing of what all are given.
  if (response.status !== 200 || readTerms(head).hasAuthorization) return
  const { site, plan, cacheKey, node } = exchange
  // What units make of a stored response they make of the whole: of this they have seen no more than a head.
  const update = plan.originResponse.length === 0
  const at = { askedMs, purgeNumber, nowMs: node.now(), update }
  const became = site!.cache!.learnFromHead(cacheKey, head, response.headers, at)
  if (became === 'dropped') node.siblings?.invalidated(site!.name, [cacheKey])
}
