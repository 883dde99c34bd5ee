/**
 * A shared HTTP cache in memory (RFC 9111): what a request gets from it, how responses come into it, and who waits for whom.
 *
 *     const found = cache.lookup(key, head, now)
 *     hit            answer with found.entry
 *     unsatisfiable  answer 504
 *     bypass         to the origin, and back, as if there were no cache
 *     stale, miss    const seat = cache.join(key, head, found, now, deadline, onSettled)
 *                      fill     ask the origin with forwardedHeaders(…), tell the fill what comes
 *                      waiting  onSettled will say when to look again
 *
 * The key is the caller's: host and target, or what units made of them. It holds no line break. It does not hold the method: only answers to GET are
 * kept. All times are given, in milliseconds since 1970.
 */
import { ByteCache } from '../../cache/index.ts'
import type { RequestHead } from '../../wire/http1/message.ts'
import { CacheFill, type FillTarget } from './fill.ts'
import { isNotModified } from './conditional.ts'
import { Flight, Flights, type OnSettled, type Waiting } from './flights.ts'
import {
  BYPASS,
  BYPASS_HEAD,
  MISS,
  MISS_ALONE,
  UNSATISFIABLE,
  type Hit,
  type Lookup,
  type Miss,
  type Stale,
} from './lookup.ts'
import { PLAIN_TERMS, readTerms, type RequestTerms } from './request-terms.ts'
import type { StoredResponse } from './stored-response.ts'
import { Variants, VARIANTS_BYTES } from './variants.ts'
import { copyText } from './text.ts'

export interface ResponseCacheOptions {
  /** Memory for what is stored. Bodies on their way in may take half as much again. */
  readonly bytesMax: number
  /** One body at most; half of `bytesMax` at most in any case. */
  readonly objectBytesMax: number
}

export interface ResponseCacheCounters {
  /** Lookups by result, since the start. */
  readonly hit: number
  readonly stale: number
  readonly miss: number
  readonly bypass: number
  /** Requests that waited for another's answer. */
  readonly joined: number
  readonly stored: number
  /** Kept on, after the origin said that they are still good. */
  readonly refreshed: number
  readonly evicted: number
  readonly invalidated: number
  /** Now. */
  readonly entries: number
  readonly bytes: number
  readonly flights: number
}

export class ResponseCache {
  readonly #cache: ByteCache<StoredResponse | Variants>
  readonly #flights = new Flights()
  /** Fills under way by key: what a write has to stop. */
  readonly #fills = new Map<string, Set<CacheFill>>()
  readonly #target: FillTarget
  #fillingBytes = 0
  #counts = { hit: 0, stale: 0, miss: 0, bypass: 0, joined: 0, stored: 0, refreshed: 0, invalidated: 0 }

  constructor(options: ResponseCacheOptions) {
    this.#cache = new ByteCache({ bytesMax: options.bytesMax, onEvict: (value) => this.#onEvict(value) })
    const fillingBytesMax = Math.floor(options.bytesMax / 2)
    this.#target = {
      objectBytesMax: Math.min(options.objectBytesMax, this.#cache.entryBytesMax),
      reserve: (bytes) => {
        if (this.#fillingBytes + bytes > fillingBytesMax) return false
        this.#fillingBytes += bytes
        return true
      },
      release: (bytes) => {
        this.#fillingBytes -= bytes
      },
      keep: (fill, response, as) => {
        const isKept = this.#keep(fill, response)
        if (isKept) this.#counts[as]++
        return isKept
      },
      drop: (fill, response) => this.#remove(fill.key, response),
      learnVary: (fill, names, nowMs) => {
        if (fill.flight !== undefined) this.#flights.learnVary(fill.flight, names, nowMs)
      },
      settled: (fill, sharing, nowMs, error) => {
        this.#forgetFill(fill)
        const address = flightAddress(fill.key, fill.head)
        if (sharing === 'unshared') this.#flights.markUnshared(address, nowMs)
        if (sharing === 'shared') this.#flights.markShared(address)
        if (fill.flight !== undefined) this.#flights.settle(fill.flight, error)
      },
    }
  }

  /** The hot path: for a plain request that hits, nothing is allocated and nothing parsed. */
  lookup(key: string, head: RequestHead, nowMs: number): Lookup {
    const { method } = head
    if (method !== 'GET' && method !== 'HEAD') {
      this.#counts.bypass++
      return BYPASS.method
    }
    const terms = readTerms(head)
    const entry = this.#select(key, head, nowMs)
    if (terms === PLAIN_TERMS && entry !== undefined && entry.isFresh(nowMs)) return this.#hit(entry, nowMs)
    const isVaryMiss = entry === undefined && this.#cache.peek(key) !== undefined
    const result = judge(entry, isVaryMiss, head, terms, nowMs)
    if (result.kind === 'hit') {
      this.#hit(result.entry, nowMs).isNotModified =
        terms.isConditional && isNotModified(head.headers, result.entry, nowMs)
    } else {
      this.#counts[result.kind === 'unsatisfiable' ? 'miss' : result.kind]++
    }
    return result
  }

  /**
   * To be asked after `stale` and `miss`: fetch, or wait for one who does. Waiting ends at `deadlineMs`, if `sweep` is called now and
   * then; joining after it never waits. A fill must be ended: see there.
   */
  join(
    key: string,
    head: RequestHead,
    found: Stale | Miss,
    nowMs: number,
    deadlineMs: number,
    onSettled: OnSettled,
  ): CacheFill | Waiting {
    if (!found.shared) return this.#openFill(key, head, nowMs, undefined)
    const stored = this.#cache.peek(key)
    const names = stored?.kind === 'variants' ? stored.names : undefined
    const address = flightAddress(key, head)
    const seat = this.#flights.join(address, head.headers, names, nowMs, deadlineMs, onSettled)
    if (seat === undefined || seat instanceof Flight) return this.#openFill(key, head, nowMs, seat)
    this.#counts.joined++
    return seat
  }

  /**
   * What is stored of this key goes, and what is being fetched for it will not be stored: it may be from before the change.
   * True where something was stored.
   */
  invalidate(key: string): boolean {
    const stored = this.#cache.peek(key)
    if (stored?.kind === 'variants') this.#removeAll(stored)
    else this.#cache.delete(key)
    if (stored !== undefined) this.#counts.invalidated++
    // Those who waited come back at once and open fills of their own: these are not meant.
    const before = Array.from(this.#fills.get(key) ?? [])
    for (const fill of before) fill.invalidate()
    return stored !== undefined
  }

  /** Everything goes, as if each key had been invalidated. */
  clear(): void {
    this.#cache.clear()
    const before = Array.from(this.#fills.values(), (fills) => Array.from(fills)).flat()
    for (const fill of before) fill.invalidate()
  }

  /** Ends the waits whose deadline has passed. Call it several times a second while `counters.flights` is not 0. */
  sweep(nowMs: number): void {
    this.#flights.sweep(nowMs)
  }

  get counters(): ResponseCacheCounters {
    return {
      ...this.#counts,
      evicted: this.#cache.counters.evicted,
      entries: this.#cache.size,
      bytes: this.#cache.bytes,
      flights: this.#flights.size,
    }
  }

  #hit(entry: StoredResponse, nowMs: number): Hit {
    this.#counts.hit++
    const { hit } = entry
    hit.ageSeconds = entry.ageSeconds(nowMs)
    hit.ttlSeconds = Math.floor((entry.freshUntilMs - nowMs) / 1000)
    hit.isNotModified = false
    return hit
  }

  #select(key: string, head: RequestHead, nowMs: number): StoredResponse | undefined {
    const stored = this.#cache.get(key)
    if (stored === undefined || stored.kind === 'response') return stored
    const chosen = stored.choose(head.headers, nowMs)
    if (chosen !== undefined) this.#cache.get(chosen.slot)
    return chosen
  }

  #openFill(key: string, head: RequestHead, nowMs: number, flight: Flight | undefined): CacheFill {
    const fill = new CacheFill(this.#target, key, head, nowMs, flight)
    const fills = this.#fills.get(key)
    if (fills === undefined) this.#fills.set(key, new Set([fill]))
    else fills.add(fill)
    return fill
  }

  #forgetFill(fill: CacheFill): void {
    const fills = this.#fills.get(fill.key)
    fills?.delete(fill)
    if (fills?.size === 0) this.#fills.delete(fill.key)
  }

  #keep(fill: CacheFill, response: StoredResponse): boolean {
    const key = copyText(fill.key)
    const stored = this.#cache.peek(key)
    const isVaried = response.selecting.length > 0
    if (!isVaried && stored?.kind !== 'variants') {
      response.slot = key
      return this.#cache.set(key, response, response.bytes)
    }
    const variants = stored?.kind === 'variants' ? stored : new Variants(key)
    if (stored !== variants && !this.#cache.set(key, variants, VARIANTS_BYTES)) return false
    for (const old of variants.replacedBy(fill.head.headers)) this.#removeFrom(variants, old)
    response.slot = variants.nextSlot()
    // It joins the set first, and the set is used last: so making room for it empties no set, and evicts this one last of all.
    variants.add(response)
    this.#cache.get(key)
    if (!this.#cache.set(response.slot, response, response.bytes)) {
      this.#remove(key, response)
      return false
    }
    if (isVaried) variants.names = response.selecting.map(({ name }) => name)
    const { surplus } = variants
    if (surplus !== undefined) this.#removeFrom(variants, surplus)
    return true
  }

  #remove(key: string, response: StoredResponse): void {
    const { owner } = response
    if (owner !== undefined) {
      this.#removeFrom(owner, response)
      this.#dropIfEmpty(owner)
    } else if (this.#cache.peek(key) === response) this.#cache.delete(key)
  }

  #removeFrom(variants: Variants, response: StoredResponse): void {
    variants.remove(response)
    if (this.#cache.peek(response.slot) === response) this.#cache.delete(response.slot)
  }

  #dropIfEmpty(variants: Variants): void {
    if (variants.responses.length === 0 && this.#cache.peek(variants.key) === variants) {
      this.#cache.delete(variants.key)
    }
  }

  #removeAll(variants: Variants): void {
    this.#cache.delete(variants.key)
    for (let first = variants.responses[0]; first !== undefined; first = variants.responses[0]) {
      this.#removeFrom(variants, first)
    }
  }

  /** A set takes its responses along; the last response takes its set along. */
  #onEvict(evicted: StoredResponse | Variants): void {
    if (evicted.kind === 'variants') this.#removeAll(evicted)
    else if (evicted.owner !== undefined) {
      const { owner } = evicted
      owner.remove(evicted)
      this.#dropIfEmpty(owner)
    }
  }
}

/**
 * Requests with credentials wait only for each other: the answer that one of them is given is mostly not for sharing, and
 * those without need not find out by waiting.
 */
function flightAddress(key: string, head: RequestHead): string {
  return readTerms(head).hasAuthorization ? `${key}\n+authorization` : key
}

/** What a request with terms of its own gets, and any request for which there is no fresh response. */
function judge(
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
  const shared = !control.noCache && control.maxAge === undefined && control.minFresh === undefined
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
