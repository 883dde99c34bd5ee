/**
 * One answer that is put together of parts: of what is stored, and of what the origin is asked for where something is missing. It goes out
 * in order, at the pace of its client; parts are fetched as they are needed, so that neither we nor the origin hold more than a part.
 *
 * All parts are of one representation. Where another one turns up before the head has left, the answer begins anew with that; after it,
 * the connection is cut: half of one file and half of another is worse than none.
 */
import { EdgeError } from '../../base/errors.ts'
import { headerValue, headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { serialiseHeaders } from '../../wire/http1/serialise.ts'
import { forwardStatus, hitStatus, type ForwardReason } from '../caching/cache-status.ts'
import { answerNotModified, passedFields } from '../cache-status-line.ts'
import { isNotModified, notModifiedHeaders } from '../caching/conditional.ts'
import type { Waiting } from '../caching/flights.ts'
import { extentsOf } from '../caching/parts/extents.ts'
import { passedHeaders } from '../caching/passed-headers.ts'
import type { StoredResponse } from '../caching/stored-response.ts'
import type { ResponseCache } from '../caching/response-cache.ts'
import type { StoreDecision } from '../caching/storing.ts'
import type { Exchange } from '../exchange.ts'
import { parseRanges, type Range, type Ranges } from '../ranges/byte-ranges.ts'
import { lengthOf, partedAnswer, type Segment } from '../ranges/multipart.ts'
import { isRangeCurrent } from '../ranges/range-conditions.ts'
import type { Assembling, AssemblyOptions } from './assembling.ts'
import { ClientOutlet } from './client-outlet.ts'
import { PartFetch, type OtherAnswer, type PartAsker } from './part-fetch.ts'
import { firstMissing, type PartAsk, type PartSource, type StoredPart } from './part-sources.ts'
import { SliceAhead } from './slice-ahead.ts'
import { SegmentFlow, type ComingPart, type SegmentSupply } from './segment-flow.ts'
import { answerFields, statusFields, storedRepresentation, type Representation } from './representation.ts'

/** How long one waits for a part that another one fetches. */
const WAIT_MS = 10_000
/** A part that is not stored for these reasons may be passed on all the same, and the next be asked for. */
const PASSED_ON: ReadonlySet<string> = new Set(['too-large', 'no-room', 'invalidated'])

export class Assembly implements PartAsker, SegmentSupply {
  private readonly request: Assembling
  private readonly exchange: Exchange
  private readonly source: PartSource
  private readonly isDirect: boolean
  private readonly isProbing: boolean
  private readonly outlet: ClientOutlet
  private readonly segments: SegmentFlow
  private representation: Representation | undefined
  /** What is asked for. */
  private fetch: PartFetch | undefined
  private readonly ahead: SliceAhead
  private seat: Waiting | undefined
  private firstAsk: PartAsk | undefined
  /** The head is on its way. */
  private isAnswered = false
  /** The part that another one fetches, and how long that is waited for. */
  private waitsFor = ''
  private waitsUntilMs = 0
  private isOver = false

  constructor(request: Assembling, options: AssemblyOptions) {
    this.request = request
    this.exchange = request.exchange
    this.source = options.source
    this.representation = options.representation
    this.isDirect = options.isDirect ?? false
    this.isProbing = options.isProbing ?? false
    this.outlet = new ClientOutlet(this.exchange, {
      onOpen: () => this.segments.open(),
      onRoom: () => this.segments.onRoom(),
      onGone: () => this.close(),
    })
    this.segments = new SegmentFlow(this.outlet, this)
    this.ahead = new SliceAhead(this.exchange, request.key, request.plainHead)
  }

  /** The origin has to be asked before anything can be said. */
  askFirst(ask: PartAsk): void {
    this.firstAsk = ask
    this.askFor(ask)
  }

  /** All that is wanted is stored. */
  answerAll(member: string): void {
    this.answer(this.rangesOf(this.representation!), member)
  }

  /** What the representation makes of the request. False: not all of it is stored, and nothing else is wanted. */
  answerFromStore(onlyStored: boolean): boolean {
    const { exchange, source } = this
    const representation = this.representation!
    const nowMs = exchange.node.now()
    const ranges = this.rangesOf(representation)
    const { segments } = partedAnswer(ranges, representation.size, undefined)
    const wanted = exchange.head.method === 'HEAD' ? [] : segments.filter(isBytes)
    const missing = firstMissing(source, wanted, representation, nowMs)
    if (missing === undefined) {
      exchange.countCache(this.request.collapsed === true ? 'collapsed' : 'hit')
      const ttlSeconds = Math.floor((representation.entry!.freshUntilMs - nowMs) / 1000)
      const collapsed = this.request.collapsed === true ? '; collapsed' : ''
      this.answer(ranges, hitStatus(ttlSeconds) + collapsed)
      return true
    }
    if (onlyStored) {
      this.outlet.release()
      this.close()
      return false
    }
    exchange.countCache('partial')
    if (this.isProbing) this.askFirst(missing)
    else this.answer(ranges, forwardStatus({ forward: 'partial', status: 206 }))
    return true
  }

  private rangesOf(representation: Representation): Ranges {
    const { head } = this.request
    const asks = head.method === 'GET' && (this.isDirect || isRangeCurrent(head.headers, representation))
    return parseRanges(asks ? headerValues(head.headers, 'range') : undefined, representation.size)
  }

  /** The head leaves, and what follows it is settled. */
  private answer(ranges: Ranges, member: string, source: 'cache' | 'origin' = 'cache'): void {
    this.isAnswered = true
    const { exchange, nowMs } = this
    const representation = this.representation!
    const { headers, size, entry } = representation
    if (isNotModified(this.request.head.headers, representation, nowMs)) {
      const fields =
        serialiseHeaders(passedHeaders(notModifiedHeaders(headers))) +
        statusFields(exchange, entry, nowMs, member)
      this.instead(() => exchange.answerWhole({ status: 304, reason: 'Not Modified', fields, source }, ''))
      return
    }
    const type = headerValue(headers, 'content-type')
    const { status, headers: own, segments } = partedAnswer(ranges, size, type)
    if (status === 416) {
      const fields = serialiseHeaders(own) + statusFields(exchange, entry, nowMs, member)
      this.instead(() => exchange.answerError(416, `there are ${size} bytes`, fields))
      return
    }
    this.segments.begin(segments)
    const bytes = lengthOf(segments)
    const added = ['accept-ranges', 'bytes', ...own, 'content-length', String(bytes)]
    const fields = answerFields(exchange, representation, added, nowMs, member)
    this.outlet.open({ status, reason: status === 206 ? 'Partial Content' : 'OK', fields, source }, bytes)
  }

  /** Another answer than one of parts. What is being fetched may still be for the cache. */
  private instead(answer: () => void): void {
    if (!this.outlet.release()) return
    this.close(true)
    answer()
  }

  // ── what goes out ───────────────────────────────────────────────────────────────────────────────────────────

  /** The part that begins here, for the flow of segments. */
  take(at: number, end: number): StoredPart | ComingPart | undefined {
    if (this.seat !== undefined) return undefined
    const { fetch, source } = this
    if (fetch !== undefined) {
      const { range } = fetch
      // It was asked for already.
      if (range === undefined) return undefined
      if (at >= range.start && at < range.end) return this.coming(fetch, range)
      if (at < range.start) {
        const part = source.partAt(at, Math.min(end, range.start), this.representation!, this.nowMs)
        if (part.kind === 'stored') return part
      }
      this.fetch = undefined
      fetch.detach()
    }
    const part = source.partAt(at, end, this.representation!, this.nowMs)
    if (part.kind === 'stored') return part
    const ahead = this.ahead.take(part, this)
    if (ahead === undefined) {
      this.askFor(part)
      return undefined
    }
    this.fetch = ahead
    return ahead.range && this.coming(ahead, ahead.range)
  }

  private coming(fetch: PartFetch, range: Range): ComingPart {
    const next = range.end
    if (fetch.ask.part === 'slice' && this.segments.wants(next)) {
      const part = this.source.partAt(next, next + 1, this.representation!, this.nowMs)
      if (part.kind === 'missing') this.ahead.ask(part, this.representation!)
    }
    return { kind: 'coming', fetch, range }
  }

  onPassed(fetch: PartFetch): void {
    this.fetch = undefined
    // The rest of it, and its end, are for the cache.
    fetch.detach()
  }

  onBroken(): void {
    this.close()
    this.outlet.breakOff(() => this.exchange.connection.cut())
  }

  onWhole(trailers: HeaderList): void {
    this.close(true)
    this.outlet.end(trailers)
  }

  // ── what is missing ─────────────────────────────────────────────────────────────────────────────────────────

  private askFor(ask: PartAsk): void {
    const { exchange, request, cache, nowMs } = this
    if (this.waitsFor !== ask.key) {
      this.waitsFor = ask.key
      this.waitsUntilMs = this.isAnswered ? nowMs + WAIT_MS : request.deadlineMs
    }
    const seat = cache.join(ask.key, request.plainHead, ask.found, nowMs, this.waitsUntilMs, (error) => {
      this.seat = undefined
      if (this.isOver) return
      if (error !== undefined) this.fail(error)
      else if (this.isAnswered) this.segments.flow()
      else this.restart(true)
    })
    // The whole is on its way: parts of it are asked for past it.
    if (seat.kind === 'arriving') return this.withoutParts()
    if (seat.kind === 'waiting') return void (this.seat = seat)
    this.fetch = new PartFetch(exchange, request.key, ask, seat, this)
    this.fetch.start()
  }

  private restart(hasWaited = false): void {
    if (!this.outlet.release()) return
    this.close(true)
    this.request.again(hasWaited)
  }

  private withoutParts(): void {
    if (!this.outlet.release()) return
    this.close()
    this.request.withoutParts()
  }

  onPart(fetch: PartFetch, arrived: Representation, decision: StoreDecision): void {
    const { request, cache, representation: known } = this
    if (known !== undefined) {
      if (arrived.validator === known.validator && arrived.size === known.size) {
        if (!this.isAnswered) {
          // What goes before it is stored.
          fetch.waitBehind()
          this.answer(this.rangesOf(known), this.member(fetch, decision, 'partial'), 'cache')
        } else {
          if (this.segments.isHeldUp) fetch.waitBehind()
          this.segments.flow()
        }
        return
      }
      cache.dropParts(request.key)
      if (this.isAnswered) this.failChanged()
      else this.restart()
      return
    }
    const isUsable = decision.store || PASSED_ON.has(decision.reason)
    if (!this.isDirect && (arrived.validator === undefined || !isUsable)) {
      fetch.drop()
      this.fetch = undefined
      this.withoutParts()
      return
    }
    const { found } = fetch.ask
    if (
      !this.isDirect &&
      found.kind === 'stale' &&
      storedRepresentation(found.entry, 0).validator !== arrived.validator
    )
      cache.dropParts(request.key)
    this.representation = arrived
    const source = fetch.borrowedStatus === undefined ? 'origin' : 'cache'
    this.answer(this.rangesOf(arrived), this.member(fetch, decision, found.forward), source)
  }

  onRefreshed(entry: StoredResponse, stored: boolean): void {
    const { forward } = this.firstAsk!.found
    const { collapsed } = this.request
    const member = forwardStatus({
      forward,
      status: 304,
      ...(stored ? { stored } : {}),
      ...(collapsed === undefined ? {} : { collapsed: false }),
    })
    this.fetch = undefined
    this.exchange.cacheUse = 'revalidated'
    if (entry.status !== 206) {
      this.instead(() => this.request.fromWhole(entry, member))
      return
    }
    const size = extentsOf(entry)?.size
    if (!stored || size === undefined) return this.withoutParts()
    this.representation = storedRepresentation(entry, size)
    this.answer(this.rangesOf(this.representation), member)
  }

  onMismatch(): void {
    this.fetch = undefined
    this.restart()
  }

  onOther(fetch: PartFetch, { head, headers }: OtherAnswer, decision: StoreDecision): void {
    const { exchange, request, cache } = this
    // The object is another one, or is no longer had in parts.
    if (this.representation !== undefined && head.status < 500) cache.dropParts(request.key)
    if (this.isAnswered) {
      fetch.drop()
      this.failChanged()
      return
    }
    const isNoPart = head.status === 206 || head.status === 416
    if (isNoPart && !this.isDirect && !this.isBeyond(fetch, head.status)) {
      fetch.drop()
      this.fetch = undefined
      this.withoutParts()
      return
    }
    const { status, reason, framing } = head
    const validators = {
      status,
      etag: headerValue(headers, 'etag'),
      lastModified: headerValue(headers, 'last-modified'),
      date: headerValue(headers, 'date'),
    }
    const member = this.member(fetch, decision, fetch.ask.found.forward, false)
    if (decision.store && isNotModified(request.head.headers, validators, this.nowMs)) {
      this.instead(() => answerNotModified(exchange, headers, member))
      return
    }
    const fields = passedFields(exchange, headers, member)
    // From here on it is an answer as any other: as it comes.
    this.isAnswered = true
    const bytes = framing.kind === 'length' ? framing.bytes : framing.kind === 'none' ? 0 : undefined
    this.segments.passAll(fetch)
    this.outlet.open({ status, reason, fields, source: 'origin' }, bytes)
  }

  /** The origin says that there is no such slice, and the client asked for what is in it, and for nothing else. */
  private isBeyond({ ask }: PartFetch, status: number): boolean {
    const range = headerValues(this.request.head.headers, 'range')
    if (status !== 416 || ask.part !== 'slice' || range === undefined || range.includes(',')) return false
    return ask.spec.kind === 'from' && ask.spec.first > 0
  }

  private member(fetch: PartFetch, decision: StoreDecision, forward: ForwardReason, isPart = true): string {
    if (fetch.borrowedStatus !== undefined) return fetch.borrowedStatus
    const { collapsed } = this.request
    this.exchange.cacheUse = 'miss'
    if (!decision.store) this.exchange.site!.cacheStatistics!.refused(decision.reason)
    return forwardStatus({
      forward,
      ...(isPart && !this.isDirect ? { status: 206 } : {}),
      ...(collapsed === undefined ? {} : { collapsed: false }),
      ...(decision.store
        ? { stored: true, ttlSeconds: Math.max(0, Math.floor((decision.freshUntilMs - this.nowMs) / 1000)) }
        : { detail: decision.reason }),
    })
  }

  onFetchError(error: EdgeError): void {
    this.fetch = undefined
    this.fail(error)
  }

  private failChanged(): void {
    const { exchange, request } = this
    exchange.node.warn(`${request.key} was changed while parts of it were sent: the answer is cut`)
    this.fail(new EdgeError('origin-garbage', 'the object was changed while it was sent'))
  }

  private fail(error: EdgeError): void {
    if (this.isOver) return
    this.close()
    this.outlet.breakOff(() => this.exchange.answerOriginError(error))
  }

  /** `isSatisfied`: what is being fetched may go on for the cache. */
  private close(isSatisfied = false): void {
    if (this.isOver) return
    this.isOver = true
    this.seat?.cancel()
    if (isSatisfied) this.fetch?.detach()
    else this.fetch?.leave()
    this.ahead.leave()
    this.segments.close()
    this.source.release()
  }

  private get cache(): ResponseCache {
    return this.exchange.site!.cache!
  }

  private get nowMs(): number {
    return this.exchange.node.now()
  }
}

const isBytes = (segment: Segment): segment is Range => typeof segment === 'object'
