/**
 * Whether a response may be kept, and for how long it is fresh (RFC 9111 §3), as a value: no clock, no cache.
 *
 * Where the RFC leaves a choice, the one that cannot hand one person's answer to another is taken: a response that
 * sets a cookie is not kept, nor one that depends on parts of the request that the key does not hold.
 */
import { headerValue, type HeaderList, type RequestHead } from '../../wire/http1/message.ts'
import { freshnessLifetime, initialAgeMs, type LifetimeSource } from './freshness.ts'
import { readTerms } from './request-terms.ts'
import { responseControl, type ResponseControl } from './targeted-control.ts'
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
  /**
   * How long after `freshUntilMs` it may be used while it is refreshed in the background, and when the origin fails (RFC 5861).
   * 0: not at all; always so where `staleAllowed` is not.
   */
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  /** Names of fields that go to the one who asked, and to nobody else: they are not stored. */
  readonly withheld: readonly string[]
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

/** What a site says of storing. */
export interface StoringRules {
  /** Responses that set cookies may be stored, where they say how long they are good. */
  readonly setCookie: boolean
  /** RFC 5861, where the response says nothing. */
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
}

export const STRICT_RULES: StoringRules = { setCookie: false, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }

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
  rules: StoringRules = STRICT_RULES,
): StoreDecision {
  const { status, headers, ttlSeconds } = response
  if (request.method !== 'GET') return refuse('method')
  const terms = readTerms(request)
  if (terms.unkeyed !== undefined || terms.hasRange || terms.control.noStore) return refuse('request')
  if (status < 200 || status > 599 || NEVER_STORED.has(status)) return refuse('status')
  if (/^text\/event-stream\b/i.test(headerValue(headers, 'content-type') ?? '')) return refuse('stream')

  const control = responseControl(headers)
  if (ttlSeconds === 0) return refuse('ttl')
  if (control.mustUnderstand && !UNDERSTOOD.has(status)) return refuse('status')
  // §5.2.2.3: beside must-understand, no-store is for caches that do not know must-understand.
  if (control.noStore && !control.mustUnderstand && ttlSeconds === undefined) return refuse('no-store')
  if (control.private) return refuse('private')
  // §3.5: only with a word that says the response is for all.
  const forAll = control.public || control.mustRevalidate || control.sMaxAge !== undefined
  if (terms.hasAuthorization && !forAll) return refuse('authorization')
  const setsCookie =
    headerValue(headers, 'set-cookie') !== undefined && !control.withheld.includes('set-cookie')
  if (setsCookie && !rules.setCookie) return refuse('set-cookie')
  const vary = parseVary(headers)
  if (vary === 'any') return refuse('vary')

  const stale = stalePlan(control, rules)
  const { withheld } = control
  const bornMs = responseTimeMs - initialAgeMs(headers, requestTimeMs, responseTimeMs)
  if (ttlSeconds !== undefined) {
    // Fresh from now for as long as a unit says, however old it came.
    const freshUntilMs = responseTimeMs + ttlSeconds * 1000
    return { store: true, bornMs, freshUntilMs, ...stale, withheld, lifetimeSource: 'unit', vary }
  }
  const lifetime = freshnessLifetime(status, headers, control, responseTimeMs)
  if (lifetime.source === 'none' && !control.noCache) return refuse('no-lifetime')
  // A cookie for everybody has to be meant so: nobody guesses that.
  if (setsCookie && lifetime.source === 'heuristic') return refuse('set-cookie')
  const freshUntilMs = control.noCache ? -Infinity : bornMs + lifetime.seconds * 1000
  const hasValidator =
    headerValue(headers, 'etag') !== undefined || headerValue(headers, 'last-modified') !== undefined
  const usefulMs = Math.max(stale.staleWhileRevalidateMs, stale.staleIfErrorMs)
  // One that only came too late may do for a client that says `max-stale`.
  const wasFresh = lifetime.seconds > 0 && stale.staleAllowed
  if (freshUntilMs + usefulMs <= responseTimeMs && !hasValidator && !wasFresh) return refuse('expired')
  return { store: true, bornMs, freshUntilMs, ...stale, withheld, lifetimeSource: lifetime.source, vary }
}

/** RFC 9111 §4.2.4 and RFC 5861: whether and how long it may be used when it is stale. */
function stalePlan(
  control: ResponseControl,
  rules: StoringRules,
): Pick<StorePlan, 'staleAllowed' | 'staleWhileRevalidateMs' | 'staleIfErrorMs'> {
  // §5.2.2.10: s-maxage implies proxy-revalidate for a shared cache.
  const staleAllowed = !(
    control.noCache ||
    control.mustRevalidate ||
    control.proxyRevalidate ||
    control.sMaxAge !== undefined
  )
  if (!staleAllowed) return { staleAllowed, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  const ms = (seconds: number | undefined, otherwise: number): number =>
    seconds === undefined ? otherwise : seconds * 1000
  return {
    staleAllowed,
    staleWhileRevalidateMs: ms(control.staleWhileRevalidate, rules.staleWhileRevalidateMs),
    staleIfErrorMs: ms(control.staleIfError, rules.staleIfErrorMs),
  }
}
