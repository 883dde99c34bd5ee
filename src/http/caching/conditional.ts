/**
 * Conditions on a GET (RFC 9110 §13, RFC 9111 §4.3): the client's, which a stored response answers, and our own,
 * which ask the origin whether a stored response is still good.
 *
 * A client's condition never reaches the origin on a request whose answer might be kept: the origin would answer
 * `304` with no body, and there would be nothing to keep and nothing for those who wait. So the request goes
 * unconditional, and the client's condition is judged here against what came (`isNotModified`). Where answers of an address were
 * not for sharing a moment ago, it goes as it is.
 */
import { headerValue, headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { OWN_FIELD } from './targeted-control.ts'
import { parseHttpDate } from './http-date.ts'

/** What of a response a condition is judged by. `StoredResponse` is one. */
export interface Validators {
  readonly status: number
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  /** For responses that say no `Last-Modified` (RFC 9111 §4.3.2). */
  readonly date: string | undefined
}

/** Whether the client has this response already, so that `304` is the answer. Only for GET and HEAD. */
export function isNotModified(headers: HeaderList, response: Validators, nowMs: number): boolean {
  // RFC 9110 §13.2.1: conditions are for what would have been a success.
  if (response.status < 200 || response.status > 299) return false
  const noneMatch = headerValues(headers, 'if-none-match')
  // §13.1.3: where there is If-None-Match, If-Modified-Since is not looked at.
  if (noneMatch !== undefined) return matchesAny(noneMatch, response.etag)
  const since = headerValues(headers, 'if-modified-since')
  if (since === undefined) return false
  const modified = response.lastModified ?? response.date
  if (modified === undefined) return false
  const sinceMs = parseHttpDate(since, nowMs)
  const modifiedMs = parseHttpDate(modified, nowMs)
  return sinceMs !== undefined && modifiedMs !== undefined && modifiedMs <= sinceMs
}

const ENTITY_TAG = /(?:W\/)?("[^"]*")/g

/** §13.1.2 and §8.8.3.2: a list of tags, compared weakly: `W/` does not count. `*` matches whatever there is. */
function matchesAny(field: string, etag: string | undefined): boolean {
  const text = field.trim()
  if (text === '*') return true
  if (etag === undefined) return false
  // A tag without its quotes is wrong, but those who send it mean what they sent.
  if (text === etag) return true
  const opaque = withoutWeakness(etag)
  for (const match of text.matchAll(ENTITY_TAG)) if (match[1] === opaque) return true
  return false
}

export function withoutWeakness(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag
}

/** Headers that describe the representation: a `304` leaves them out (RFC 9110 §15.4.5). And what is for this cache alone. */
const NOT_IN_304 = new Set([
  OWN_FIELD,
  'accept-ranges',
  'content-encoding',
  'content-language',
  'content-length',
  'content-range',
  'content-type',
])

/**
 * The headers of a `304` for this stored response: all but those that describe the body. `Last-Modified` goes along
 * only where there is no `ETag` to recognise the response by.
 */
export function notModifiedHeaders(headers: HeaderList): HeaderList {
  const hasTag = headerValue(headers, 'etag') !== undefined
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (NOT_IN_304.has(name) || (hasTag && name === 'last-modified')) continue
    kept.push(name, headers[i + 1]!)
  }
  return kept
}

/**
 * The request's headers as they go to the origin when the answer may be kept: without the client's condition, and
 * with ours where there is a stale response to ask about.
 */
export function forwardedHeaders(headers: HeaderList, stale?: Validators): HeaderList {
  const forwarded: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name === 'if-none-match' || name === 'if-modified-since') continue
    forwarded.push(name, headers[i + 1]!)
  }
  // RFC 9111 §4.3.1: both, where both are known.
  if (stale?.etag !== undefined) forwarded.push('if-none-match', stale.etag)
  if (stale?.lastModified !== undefined) forwarded.push('if-modified-since', stale.lastModified)
  return forwarded
}
