/**
 * Stale answers that go out all the same (RFC 5861): while they are refreshed, and when the origin fails.
 *
 * Whether and how long is in the stored response (`staleWhileRevalidateMs`, `staleIfErrorMs`): never where it has to be validated. A
 * request that asks for something fresher than the cache would give (`no-cache`, `max-age`, `min-fresh`) gets none.
 */
import { answerStored } from './cache-stage.ts'
import { FillJob } from './cache-job.ts'
import { hitStatus } from './caching/cache-status.ts'
import { isNotModified } from './caching/conditional.ts'
import type { Lookup, Stale } from './caching/lookup.ts'
import type { StoredResponse } from './caching/stored-response.ts'
import { withoutClient } from './background-fetch.ts'
import type { Exchange } from './exchange.ts'
import { lead } from './leading.ts'
import type { RequestHead } from '../wire/http1/message.ts'

/** The words of `Cache-Status` and of the metric. */
export type StaleUse = 'stale-while-revalidate' | 'stale-if-error'

/** RFC 5861 §4: the statuses that count as an error. */
const ERROR_STATUSES = new Set([500, 502, 503, 504])

export const isForError = (status: number): boolean => ERROR_STATUSES.has(status)

export function mayServe(found: Lookup, use: StaleUse, nowMs: number): found is Stale {
  if (found.kind !== 'stale' || !found.shared || found.forward !== 'stale') return false
  const { entry } = found
  const windowMs = use === 'stale-if-error' ? entry.staleIfErrorMs : entry.staleWhileRevalidateMs
  return entry.staleAllowed && nowMs >= entry.notBeforeMs && nowMs - entry.freshUntilMs <= windowMs
}

/** Whoever asks holds the body until the answer is out. */
export function sendStale(exchange: Exchange, entry: StoredResponse, use: StaleUse): void {
  const nowMs = exchange.node.now()
  exchange.site!.cache!.count('staleServed')
  const ttlSeconds = Math.floor((entry.freshUntilMs - nowMs) / 1000)
  const member = `${hitStatus(ttlSeconds)}; detail=${use}`
  answerStored(
    exchange,
    entry,
    isNotModified(exchange.headers, entry, nowMs),
    entry.ageSeconds(nowMs),
    member,
  )
}

/** Fetches it anew, unless somebody does: one refresh a key and variant. The client that asked has its answer. */
export function refresh(exchange: Exchange, key: string, head: RequestHead, found: Stale): void {
  const { node, site } = exchange
  if (node.isDraining) return
  const fill = site!.cache!.sharing.lead(key, head, found, node.now())
  if (fill === undefined) return
  const copy = withoutClient(exchange)
  lead(copy, fill, new FillJob(copy, fill, found, undefined), found.forward)
}
