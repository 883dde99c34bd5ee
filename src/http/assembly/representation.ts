/** What an answer is put together of: the head of the whole object, as one of its parts told it. */
import { headerValue, type HeaderList } from '../../wire/http1/message.ts'
import { serialiseHeaders } from '../../wire/http1/serialise.ts'
import { cacheStatusLine } from '../cache-status-line.ts'
import type { Validators } from '../caching/conditional.ts'
import { withoutExtents } from '../caching/parts/extents.ts'
import { passedHeaders } from '../caching/passed-headers.ts'
import type { StoredResponse } from '../caching/stored-response.ts'
import type { Exchange } from '../exchange.ts'
import { strongValidator } from '../ranges/range-conditions.ts'

export interface Representation extends Validators {
  readonly status: 200
  /** Without those that speak of length and place. */
  readonly headers: HeaderList
  /** Bytes of all of it. */
  readonly size: number
  /** What tells its parts from those of another; undefined where nothing does. */
  readonly validator: string | undefined
  /** The part that told it, where that is stored. */
  readonly entry: StoredResponse | undefined
}

export const storedRepresentation = (entry: StoredResponse, size: number): Representation =>
  representation(entry.headers, size, entry)

/** By the head of a part that is on its way. */
export const arrivingRepresentation = (headers: HeaderList, size: number): Representation =>
  representation(headers, size, undefined)

function representation(
  headers: HeaderList,
  size: number,
  entry: StoredResponse | undefined,
): Representation {
  const validators = {
    etag: headerValue(headers, 'etag'),
    lastModified: headerValue(headers, 'last-modified'),
    date: headerValue(headers, 'date'),
  }
  const own = { headers: withoutExtents(headers), size, entry }
  return { status: 200, ...validators, ...own, validator: strongValidator(validators) }
}

/** The header lines of the answer, with `added` in place of their namesakes, and what this cache says. */
export function answerFields(
  exchange: Exchange,
  { headers, entry }: Representation,
  added: HeaderList,
  nowMs: number,
  member: string,
): string {
  const names = new Set(added.filter((_, i) => i % 2 === 0))
  const kept = passedHeaders(headers).filter((_, i, all) => !names.has(all[i - (i % 2)]!))
  return serialiseHeaders([...kept, ...added]) + statusFields(exchange, entry, nowMs, member)
}

/** `age` and `cache-status`. What has just come says its age itself. */
export function statusFields(
  exchange: Exchange,
  entry: StoredResponse | undefined,
  nowMs: number,
  member: string,
): string {
  if (entry === undefined) return cacheStatusLine(exchange, undefined, member)
  const ageSeconds = (exchange.cacheAge = entry.ageSeconds(nowMs))
  return `age: ${ageSeconds}\r\n${cacheStatusLine(exchange, entry.priorCacheStatus, member)}`
}
