/**
 * What the cache says to a request: by what is stored, and by the request's own terms (RFC 9111 §4, §5.2.1).
 *
 * The client's terms are obeyed, also those that make work for the origin (`no-cache`, `max-age=0`): the RFC asks for
 * it, and a unit can take the header away where that is not wanted.
 */
import type { RequestHead } from '../../wire/http1/message.ts'
import type { ForwardReason } from './cache-status.ts'
import type { RequestTerms, Unkeyed } from './request-terms.ts'
import type { StoredResponse } from './stored-response.ts'

/** Answer with this. The object belongs to the entry: it is good until the next lookup. */
export interface Hit {
  readonly kind: 'hit'
  readonly entry: StoredResponse
  /** For `age`. */
  ageSeconds: number
  /** For `cache-status`: negative where the client said that a stale answer is good enough. */
  ttlSeconds: number
  /** The client asks for parts of it, if `If-Range` allows. */
  hasRange: boolean
  /** The client has it already: answer 304, with `entry.notModifiedPrefix`. */
  isNotModified: boolean
  /** It was not in memory. */
  isFromDisk: boolean
}

/**
 * There is a response, but the origin has to be asked whether it is still good: `join`, `forwardedHeaders(…, entry)`,
 * `fill.refresh`.
 */
export interface Stale {
  readonly kind: 'stale'
  readonly entry: StoredResponse
  /** `request`: the response is fresh, but the client asked for one that is fresher. */
  readonly forward: 'stale' | 'request'
  /** Whether an answer that another request is waiting for would do. */
  readonly shared: boolean
}

/** There is none: `join`, then `forwardedHeaders` to the origin. */
export interface Miss {
  readonly kind: 'miss'
  readonly forward: 'uri-miss' | 'vary-miss'
  readonly shared: boolean
}

/** Why a request is none of the cache's business. */
export type BypassReason =
  | Unkeyed
  | 'method' // only GET and HEAD are looked up
  | 'range' // parts that cannot be kept
  | 'head' // only whole answers are kept, and HEAD would fetch none
  | 'no-store' // the client said so
  | 'stream' // it asks for an event stream

/** Send the request to the origin as it is, and keep nothing. */
export interface Bypass {
  readonly kind: 'bypass'
  readonly reason: BypassReason
  readonly forward: ForwardReason
}

/** The client wants an answer from the cache or none (`only-if-cached`), and there is none: RFC 9111 §5.2.1.7. */
export interface Unsatisfiable {
  readonly kind: 'unsatisfiable'
  readonly status: 504
}

export type Lookup = Hit | Stale | Miss | Bypass | Unsatisfiable

const UNSATISFIABLE: Unsatisfiable = { kind: 'unsatisfiable', status: 504 }

// Results without an entry are made once: a miss costs nothing but the way to the origin.
const bypass = (reason: BypassReason, forward: ForwardReason): Bypass => ({ kind: 'bypass', reason, forward })
export const BYPASS = {
  method: bypass('method', 'method'),
  range: bypass('range', 'bypass'),
  precondition: bypass('precondition', 'bypass'),
  body: bypass('body', 'bypass'),
  'no-store': bypass('no-store', 'request'),
  stream: bypass('stream', 'bypass'),
} as const
const BYPASS_HEAD = {
  'uri-miss': bypass('head', 'uri-miss'),
  'vary-miss': bypass('head', 'vary-miss'),
  stale: bypass('head', 'stale'),
  request: bypass('head', 'request'),
} as const

const miss = (forward: Miss['forward'], shared: boolean): Miss => ({ kind: 'miss', forward, shared })
const MISS = { 'uri-miss': miss('uri-miss', true), 'vary-miss': miss('vary-miss', true) } as const
const MISS_ALONE = {
  'uri-miss': miss('uri-miss', false),
  'vary-miss': miss('vary-miss', false),
} as const

export const asksForFresher = ({ noCache, maxAge, minFresh }: RequestTerms['control']): boolean =>
  noCache || maxAge !== undefined || minFresh !== undefined

/** What a request with terms of its own gets, and any request for which there is no fresh response. */
export function judge(
  entry: StoredResponse | undefined,
  isVaryMiss: boolean,
  head: RequestHead,
  terms: RequestTerms,
  nowMs: number,
): Lookup {
  const { control, unkeyed } = terms
  if (unkeyed !== undefined) return control.onlyIfCached ? UNSATISFIABLE : BYPASS[unkeyed]
  if (control.noStore) return control.onlyIfCached ? UNSATISFIABLE : BYPASS['no-store']
  const forward = entry === undefined ? (isVaryMiss ? 'vary-miss' : 'uri-miss') : whyNot(entry, terms, nowMs)
  if (forward === undefined) return entry!.hit
  if (control.onlyIfCached) return UNSATISFIABLE
  if (head.method === 'HEAD') return BYPASS_HEAD[forward]
  // Who asks for something fresher than the cache would give must not be given what was asked for before they came.
  const shared = !asksForFresher(control)
  if (forward === 'stale' || forward === 'request') return { kind: 'stale', entry: entry!, forward, shared }
  return (shared ? MISS : MISS_ALONE)[forward]
}

/** Why this response does not do for this request (RFC 9111 §4, §5.2.1); undefined: it does. */
function whyNot(entry: StoredResponse, terms: RequestTerms, nowMs: number): 'stale' | 'request' | undefined {
  const { control } = terms
  const isFresh = entry.isFresh(nowMs)
  if (control.noCache) return isFresh ? 'request' : 'stale'
  const staleSeconds = (nowMs - entry.freshUntilMs) / 1000
  if (!isFresh) {
    const isGoodEnough =
      control.maxStale !== undefined &&
      entry.staleAllowed &&
      nowMs >= entry.notBeforeMs &&
      staleSeconds <= control.maxStale
    if (!isGoodEnough) return 'stale'
  }
  if (control.maxAge !== undefined && (nowMs - entry.bornMs) / 1000 > control.maxAge) return 'request'
  if (control.minFresh !== undefined && -staleSeconds < control.minFresh) return 'request'
  return undefined
}

/** An entry's one result object, as it is at this moment. */
export function hitOf(entry: StoredResponse, nowMs: number): Hit {
  const { hit } = entry
  hit.ageSeconds = entry.ageSeconds(nowMs)
  hit.ttlSeconds = Math.floor((entry.freshUntilMs - nowMs) / 1000)
  hit.hasRange = hit.isNotModified = hit.isFromDisk = false
  return hit
}
