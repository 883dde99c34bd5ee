/**
 * A shared HTTP cache in memory (RFC 9111): what a request gets from it, how responses come into it, and who waits
 * for whom.
 *
 *     const found = cache.lookup(key, head, now)
 *     hit            answer with found.entry
 *     unsatisfiable  answer 504
 *     bypass         to the origin, and back, as if there were no cache
 *     stale, miss    const seat = cache.join(key, head, found, now, deadline, onSettled)
 *                      fill     ask the origin with forwardedHeaders(…), tell the fill what comes
 *                      waiting  onSettled will say when to look again, or what to follow
 *                      arriving follow it
 *
 * The key is the caller's (`keys/site-key.ts`). It holds no line break, and not the method: only answers to GET are kept. All times are given, in milliseconds since 1970.
 */
import type { DiskTier } from '../../contract/disk-tier.ts'
import type { HeaderList, RequestHead } from '../../wire/http1/message.ts'
import type { Arrival } from './arrival.ts'
import { CacheSharing } from './cache-sharing.ts'
import { FillingRoom } from './filling-room.ts'
import { isNotModified } from './conditional.ts'
import { CacheFill } from './fill.ts'
import type { FillTarget } from './fill-target.ts'
import { Flight, flightAddress, Flights, type OnSettled, type Waiting } from './flights.ts'
import { BYPASS, judge, type Hit, type Lookup, type Miss, type Stale, hitOf } from './lookup.ts'
import { addressIn, urlIn } from './keys/key-index.ts'
import { CachePurges, type OnPurged } from './purging/cache-purges.ts'
import type { PurgeTerms } from './purging/compiled-purge.ts'
import { OpenFills } from './purging/open-fills.ts'
import { tagsOf } from './purging/response-tags.ts'
import {
  countFromZero,
  type ResponseCacheCounters,
  type ResponseCacheOptions,
} from './response-cache-options.ts'
import { PLAIN_TERMS, readTerms } from './request-terms.ts'
import { keepPart } from './parts/part-keeping.ts'
import { SecondTier } from './second-tier.ts'
import { Shelf } from './shelf.ts'
import type { StoredResponse } from './stored-response.ts'
import { STRICT_RULES } from './storing.ts'
import { describes, type HeadOrigin } from './updating.ts'
import { PLAIN_VARY, type VaryRules } from './vary-rules.ts'

export type { ResponseCacheCounters, ResponseCacheOptions }

export class ResponseCache {
  /** For those who fetch nothing themselves, or only for the cache. */
  readonly sharing: CacheSharing
  readonly #shelf: Shelf
  readonly vary: VaryRules
  readonly #flights: Flights
  readonly #second: SecondTier | undefined
  readonly #disk: DiskTier | undefined
  readonly #onClose: (() => void) | undefined
  readonly #fills = new OpenFills()
  readonly #onInvalidate: ResponseCacheOptions['onInvalidate']
  readonly #purges: CachePurges
  readonly #target: FillTarget
  /** The latest moment that was told: a fill that ends in the middle of a body only knows when its head came. */
  #nowMs = 0
  readonly #passing = new Set<Arrival>()
  readonly #counts = countFromZero()

  constructor(options: ResponseCacheOptions) {
    this.vary = options.vary ?? PLAIN_VARY
    this.#flights = new Flights(this.vary)
    const { policy, admission, nowMs } = options
    this.#shelf = new Shelf(options.bytesMax, this.vary.variantsMax, {
      ...(policy && { policy }),
      ...(admission && { admission }),
      ...(nowMs && { nowMs }),
    })
    this.sharing = new CacheSharing({
      shelf: this.#shelf,
      flights: this.#flights,
      find: (...asked) => this.#findOnAny(...asked),
      openFill: (...fill) => this.#openFill(...fill),
      onJoined: () => this.#counts.joined++,
    })
    this.#onInvalidate = options.onInvalidate
    const { purges: node, later, elapsedMs } = options
    const seal = (flight: Flight) => this.#flights.seal(flight)
    this.#disk = options.disk
    const second = (this.#second = options.disk && new SecondTier(options.disk, this.vary))
    this.#purges = new CachePurges({
      shelf: this.#shelf,
      fills: this.#fills,
      second,
      seal,
      node,
      later,
      elapsedMs,
    })
    this.#shelf.purging = this.#purges
    this.#onClose = options.onClose
    this.#target = {
      objectBytesMax: Math.min(options.objectBytesMax, this.#shelf.entryBytesMax),
      asksForPlain: options.asksForPlain ?? false,
      rules: options.rules ?? STRICT_RULES,
      vary: this.vary,
      room: new FillingRoom(Math.floor(options.bytesMax / 2)),
      keep: (fill, response, as) => {
        const tags = tagsOf(response.headers, fill.key)
        if (this.#purges.hasPurged(fill.purgeNumber, fill.key, tags)) {
          fill.invalidate()
          return false
        }
        response.tags = tags
        const isKept = this.#keep(fill, response, as)
        if (isKept) this.#counts[as]++
        return isKept
      },
      diskRoom: (fill) => (fill.part?.kind === 'range' ? undefined : this.#second?.room(fill.key)),
      copyRoom: () => this.#second?.copyRoom,
      drop: (fill, response) => {
        this.#shelf.remove(response.slot, response)
        this.#second?.drop(fill.key, fill.head.headers, response)
      },
      learnVary: (fill, names, nowMs) => {
        if (fill.flight !== undefined) this.#flights.learnVary(fill.flight, names, nowMs)
      },
      announce: (fill, arrival) => this.#flights.announce(fill.flight!, arrival),
      passing: (arrival, isOver) => {
        if (isOver) this.#passing.delete(arrival)
        else this.#passing.add(arrival)
      },
      unshare: (fill, nowMs) => {
        this.#flights.markUnshared(flightAddress(fill.key, fill.head), Math.max(nowMs, this.#nowMs))
        if (fill.flight !== undefined) this.#flights.settle(fill.flight)
      },
      settled: (fill, sharing, nowMs, error) => {
        this.#fills.remove(fill)
        this.#purges.settled()
        const address = flightAddress(fill.key, fill.head)
        if (sharing === 'unshared') this.#flights.markUnshared(address, Math.max(nowMs, this.#nowMs))
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
    let entry = this.#shelf.find(key, head.headers, nowMs)
    if (terms === PLAIN_TERMS && entry !== undefined && entry.isFresh(nowMs)) return this.#hit(entry, nowMs)
    let isVaryMiss = entry === undefined && this.#shelf.has(key)
    const second = this.#findSecond(key, head, entry, nowMs)
    if (second === 'varies') isVaryMiss = entry === undefined
    else if (second !== undefined) entry = second
    const result = judge(entry, isVaryMiss, head, terms, nowMs)
    if (result.kind === 'hit') {
      const hit = this.#hit(result.entry, nowMs)
      hit.isFromDisk = second === result.entry
      hit.hasRange = terms.hasRange
      hit.isNotModified = terms.isConditional && isNotModified(head.headers, hit.entry, nowMs)
    } else {
      this.#counts[result.kind === 'unsatisfiable' ? 'miss' : result.kind]++
    }
    return result
  }

  /**
   * What is stored of a part, by a key of `parts/part-keys.ts`: for who puts an answer together out of several. That is one request,
   * which was counted when its own key was looked up. `head` asks for no range.
   */
  lookupPart(key: string, head: RequestHead, nowMs: number): Lookup {
    const entry = this.#findOnAny(key, head, nowMs)
    const found = judge(entry, false, head, readTerms(head), nowMs)
    return found.kind === 'hit' ? hitOf(found.entry, nowMs) : found
  }

  /** Whether parts of it are in memory: for who would not look for them otherwise. */
  hasParts(key: string): boolean {
    return this.#shelf.hasParts(key)
  }

  /** The object is another one by now: the parts of it that are stored go. */
  dropParts(key: string): void {
    this.#shelf.removeParts(key)
    this.#second?.remove(`${key}\nslice`)
  }

  /**
   * To be asked after `stale` and `miss`: fetch, or wait for one who does. Waiting ends at `deadlineMs`, if `sweep`
   * is called now and then; joining after it never waits. A fill must be ended: see there.
   */
  join(
    key: string,
    head: RequestHead,
    found: Stale | Miss,
    nowMs: number,
    deadlineMs: number,
    onSettled: OnSettled,
  ): CacheFill | Waiting | Arrival {
    this.#nowMs = nowMs
    const stale = found.kind === 'stale' ? found.entry : undefined
    if (!found.shared) return this.#openFill(key, head, nowMs, undefined, stale)
    const address = flightAddress(key, head)
    const vary = this.#shelf.varyOf(key)
    const seat = this.#flights.join(address, head.headers, vary, nowMs, deadlineMs, onSettled)
    if (seat === undefined || seat instanceof Flight) return this.#openFill(key, head, nowMs, seat, stale)
    this.#counts.joined++
    return seat
  }

  /** Says how a request was answered, where this cache cannot know. */
  count(what: 'followed' | 'fromSibling' | 'staleServed'): void {
    this.#counts[what]++
  }

  /** What is stored under the key, and nothing is counted. */
  storedAt(key: string): readonly StoredResponse[] {
    return this.#shelf.responsesAt(key)
  }

  /**
   * What is stored of this key goes, and of all that begin with it and a space, or are parts of it; and what is being fetched for
   * them will not be stored: it may be from before the change. `tells`: others are told, who may have kept it, too. True where something
   * was stored.
   */
  invalidate(key: string, tells = true): boolean {
    const address = addressIn(key)
    const keys = [address, ...this.#shelf.relativesOf(address)]
    const stored = keys.filter((one) => this.#shelf.removeAll(one)).length
    this.#counts.invalidated += stored
    this.#second?.remove(address)
    // Those who waited come back at once and open fills of their own: these are not meant.
    for (const fill of this.#fills.at(address)) fill.invalidate()
    if (tells) this.#onInvalidate?.({ urls: [urlIn(address)] })
    return stored > 0
  }

  /**
   * The origin answered a HEAD with 200 (RFC 9111 §4.3.5): what is stored for such a request has the headers of that now, or is gone
   * where these speak of something else.
   */
  learnFromHead(
    key: string,
    head: RequestHead,
    headers: HeaderList,
    { askedMs, nowMs, update, purgeNumber }: HeadOrigin,
  ): 'dropped' | 'kept' {
    const entry = this.#shelf.find(key, head.headers, nowMs)
    if (entry === undefined) return 'kept'
    if (entry.status !== 200 || !describes(entry, headers)) {
      this.#shelf.remove(key, entry)
      return 'dropped'
    }
    if (update) {
      const fill = this.#openFill(key, { ...head, method: 'GET' }, askedMs, undefined, entry)
      fill.purgeNumber = purgeNumber
      fill.refresh(entry, headers, nowMs)
    }
    return 'kept'
  }

  /** For the answer to a POST that is as good as one to `head`, a GET: see `PostJob`. A fill must be ended. */
  fillAfterPost(key: string, head: RequestHead, askedMs: number, purgeNumber: number): CacheFill {
    const fill = this.#openFill(key, head, askedMs, undefined, undefined)
    fill.purgeNumber = purgeNumber
    return fill
  }

  /** The same for all that bears one of these tags; see `groupTag` for groups of an origin. */
  invalidateTags(tags: readonly string[], nowMs: number): void {
    const count = (objects: number) => (this.#counts.invalidated += objects)
    this.#purges.purge({ tags, soft: false }, undefined, nowMs, count)
    this.#onInvalidate?.({ tags })
  }

  /**
   * A purge, with its number: each has a larger one than all before. When this returns, nothing from before it is found any more, nor will be kept;
   * `onDone` is told how many objects it meant, once they are gone, or stale. What it names is as keys have it, and of this cache alone.
   */
  purge(terms: PurgeTerms, number: number, nowMs: number, onDone: OnPurged = () => {}): void {
    this.#purges.purge(terms, number, nowMs, (objects) => {
      this.#counts.purged += objects
      onDone(objects)
    })
  }

  /** The last purge that was applied here. What comes from a cache that has got less far may be from before the next one. */
  get purgeNumber(): number {
    return this.#purges.number
  }

  /** Whether a purge after this number means what is, or would be, kept under this key with these tags. */
  hasPurged(since: number, key: string, tags: readonly string[]): boolean {
    return this.#purges.hasPurged(since, key, tags)
  }

  /** A stored response was compressed: it weighs more. False: what was made is not to be kept. */
  reweigh(response: StoredResponse): boolean {
    return this.#shelf.reweigh(response)
  }

  /** Everything goes, as if each key had been invalidated. */
  clear(): void {
    this.#shelf.clear()
    for (const fill of this.#fills.all()) fill.invalidate()
  }

  /** Lets go of what it holds in memory, and of the tier behind it, which keeps what it has. */
  close(): void {
    this.clear()
    this.#onClose?.()
  }

  /** The tier behind memory. */
  get disk(): DiskTier | undefined {
    return this.#disk
  }

  /** Ends the waits whose deadline has passed. Call it several times a second while `counters.flights` is not 0. */
  sweep(nowMs: number): void {
    this.#nowMs = nowMs
    this.#flights.sweep(nowMs)
    for (const arrival of this.#passing) arrival.sweep(nowMs)
  }

  get counters(): ResponseCacheCounters {
    return {
      ...this.#counts,
      ...this.#shelf.counters,
      flights: this.#flights.size,
    }
  }

  /**
   * What is on disk and not in memory, or fresh there where memory has what is not: another worker has fetched it. It comes into memory,
   * as memory takes it.
   */
  #findSecond(
    key: string,
    { headers }: RequestHead,
    entry: StoredResponse | undefined,
    nowMs: number,
  ): StoredResponse | 'varies' | undefined {
    if (this.#second === undefined || entry?.isFresh(nowMs) === true) return undefined
    const found = this.#second.find(key, headers, nowMs)
    if (found === undefined || found === 'varies') return found
    // Who looks holds it in this turn; memory, while it stands there.
    queueMicrotask(() => found.body.release())
    if (entry !== undefined && found.freshUntilMs <= entry.freshUntilMs) return undefined
    if (!found.body.isOnDisk && found.body.length <= this.#target.objectBytesMax)
      this.#shelf.keep(key, headers, found)
    return found
  }

  #findOnAny(key: string, head: RequestHead, nowMs: number): StoredResponse | undefined {
    const stored = this.#shelf.find(key, head.headers, nowMs)
    const second = this.#findSecond(key, head, stored, nowMs)
    return second === undefined || second === 'varies' ? stored : second
  }

  #keep(fill: CacheFill, response: StoredResponse, as: 'stored' | 'refreshed'): boolean {
    const { key, head, part, requestTimeMs: atMs } = fill
    const isOnDisk = response.body.isOnDisk
    const isInMemory = !isOnDisk && keepPart(this.#shelf, fill, response, this.#target.objectBytesMax)
    const isPart = part !== undefined && response.status === 206
    const place = part === undefined || isPart ? key : part.objectKey
    if (isOnDisk) this.#shelf.displace(place, head.headers)
    // Pieces that clients happened to ask for are for memory; slices are objects of their own.
    const isKeptThere = fill.disk !== undefined && !fill.isCopy
    const isForDisk = (as === 'refreshed' || isKeptThere) && !(isPart && part.kind === 'range')
    if (this.#second === undefined || !isForDisk) return isInMemory
    return (
      this.#second.keep(place, head.headers, response, { atMs, purgeNumber: fill.purgeNumber }) || isInMemory
    )
  }

  #hit(entry: StoredResponse, nowMs: number): Hit {
    this.#counts.hit++
    return hitOf(entry, nowMs)
  }

  #openFill(
    key: string,
    head: RequestHead,
    nowMs: number,
    flight: Flight | undefined,
    stale: StoredResponse | undefined,
  ): CacheFill {
    const fill = new CacheFill(this.#target, key, head, nowMs, flight, stale, this.purgeNumber)
    this.#fills.add(fill)
    return fill
  }
}
