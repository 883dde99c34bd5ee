/**
 * Whether a response may be kept, and for how long it is fresh (RFC 9111 §3), as a value: no clock, no cache.
 *
 * Where the RFC leaves a choice, the one that cannot hand one person's answer to another is taken: a response that
 * sets a cookie is not kept, nor one that depends on parts of the request that the key does not hold.
 */
import { headerValue, headerValues, type HeaderList, type RequestHead } from '../../wire/http1/message.ts'
import { parseCacheControl, type CacheControl } from './cache-control.ts'
import { freshnessLifetime, initialAgeMs, type LifetimeSource } from './freshness.ts'
import { readTerms } from './request-terms.ts'
import { parseVary } from './vary.ts'

/** Why a response is not kept. */
export type RefusalReason =
  | 'method' // only what answers a GET is kept
  | 'request' // the request's own terms: a range, a precondition, a body, `no-store`
  | 'status' // partial, informational, or only of meaning to the one who asked
  | 'no-store' // the origin said so
  | 'private' // for one person
  | 'authorization' // the request had credentials, and the response does not say that it is for all
  | 'set-cookie' // it would give one person's cookie to all
  | 'vary' // no later request could be known to match
  | 'no-lifetime' // nobody said how long it is good for, and it cannot be guessed
  | 'expired' // stale on arrival, and there is no validator to ask again with
  | 'ttl' // a unit said that it is good for no time at all
  | 'too-large' // larger than one entry may be
  | 'stream' // an event stream, which has no end
  | 'no-room' // too many bodies are being received at once
  | 'invalidated' // a write passed by while it was being fetched
  | 'incomplete' // the body was cut short

export interface StorePlan {
  readonly store: true
  /** When the response was made, by our clock: its age at a moment is that moment minus this. */
  readonly bornMs: number
  /** Fresh before this moment. −∞: it has to be validated each time. */
  readonly freshUntilMs: number
  /** A client that asks for stale answers may have this one. */
  readonly staleAllowed: boolean
  readonly lifetimeSource: LifetimeSource
  /** The names that `Vary` gives. */
  readonly vary: readonly string[]
}

export type StoreDecision = StorePlan | { readonly store: false; readonly reason: RefusalReason }

/**
 * Statuses that say something about the requester or this one request, so that the next one must ask for itself: parts
 * (206; who fetches one to keep it says so, see `part-keeping.ts`), answers to conditions and ranges (304, 412, 416), to missing credentials
 * (401, 407), to what came too early (425, RFC 8470), and those that RFC 6585 forbids to store.
 */
const NEVER_STORED = new Set([206, 304, 401, 407, 412, 416, 425, 428, 429, 431, 511])

/** What `must-understand` asks (RFC 9111 §5.2.2.3): statuses whose caching rules are followed here. */
const UNDERSTOOD = new Set([
  200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 421, 451, 500, 501, 502, 503,
  504,
])

const refuse = (reason: RefusalReason): StoreDecision => ({ store: false, reason })

/**
 * `request` is the request that the client made. Times are milliseconds since 1970: when the request was sent, and
 * when the head of the response was there.
 */
export function planStore(
  request: RequestHead,
  response: {
    readonly status: number
    readonly headers: HeaderList
    /** What a unit says of its lifetime: it wins over what headers say of freshness, not over whom it is for. */
    readonly ttlSeconds?: number | undefined
  },
  requestTimeMs: number,
  responseTimeMs: number,
): StoreDecision {
  const { status, headers, ttlSeconds } = response
  if (request.method !== 'GET') return refuse('method')
  const terms = readTerms(request)
  if (terms.unkeyed !== undefined || terms.hasRange || terms.control.noStore) return refuse('request')
  if (status < 200 || status > 599 || NEVER_STORED.has(status)) return refuse('status')
  if (/^text\/event-stream\b/i.test(headerValue(headers, 'content-type') ?? '')) return refuse('stream')

  const control = parseCacheControl(headerValues(headers, 'cache-control'))
  if (ttlSeconds === 0) return refuse('ttl')
  if (control.mustUnderstand && !UNDERSTOOD.has(status)) return refuse('status')
  // §5.2.2.3: beside must-understand, no-store is for caches that do not know must-understand.
  if (control.noStore && !control.mustUnderstand && ttlSeconds === undefined) return refuse('no-store')
  if (control.private) return refuse('private')
  // §3.5: only with a word that says the response is for all.
  const forAll = control.public || control.mustRevalidate || control.sMaxAge !== undefined
  if (terms.hasAuthorization && !forAll) return refuse('authorization')
  if (headerValue(headers, 'set-cookie') !== undefined) return refuse('set-cookie')
  const vary = parseVary(headers)
  if (vary === 'any') return refuse('vary')

  if (ttlSeconds !== undefined)
    return ttlPlan(ttlSeconds, control, headers, vary, requestTimeMs, responseTimeMs)
  const lifetime = freshnessLifetime(status, headers, control, responseTimeMs)
  if (lifetime.source === 'none' && !control.noCache) return refuse('no-lifetime')
  const bornMs = responseTimeMs - initialAgeMs(headers, requestTimeMs, responseTimeMs)
  const freshUntilMs = control.noCache ? -Infinity : bornMs + lifetime.seconds * 1000
  const hasValidator =
    headerValue(headers, 'etag') !== undefined || headerValue(headers, 'last-modified') !== undefined
  if (freshUntilMs <= responseTimeMs && !hasValidator) return refuse('expired')

  return {
    store: true,
    bornMs,
    freshUntilMs,
    // §5.2.2.10: s-maxage implies proxy-revalidate for a shared cache.
    staleAllowed: !(
      control.noCache ||
      control.mustRevalidate ||
      control.proxyRevalidate ||
      control.sMaxAge !== undefined
    ),
    lifetimeSource: lifetime.source,
    vary,
  }
}

/** Fresh from now for as long as a unit says, however old it came. */
function ttlPlan(
  ttlSeconds: number,
  control: CacheControl,
  headers: HeaderList,
  vary: readonly string[],
  requestTimeMs: number,
  responseTimeMs: number,
): StorePlan {
  return {
    store: true,
    bornMs: responseTimeMs - initialAgeMs(headers, requestTimeMs, responseTimeMs),
    freshUntilMs: responseTimeMs + ttlSeconds * 1000,
    staleAllowed: !(control.mustRevalidate || control.proxyRevalidate),
    lifetimeSource: 'unit',
    vary,
  }
}
