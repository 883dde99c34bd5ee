/**
 * What the cache wants of an answer that comes from the origin: to keep it (`FillJob`), or only to see what it changes
 * (`PassJob`). The flow of the answer itself is in `origin-flow.ts`.
 */
import { EdgeError } from '../base/errors.ts'
import { headerValue, type HeaderList, type RequestHead, type ResponseHead } from '../wire/http1/message.ts'
import type { BodyTrail } from './caching/body-gathering.ts'
import { forwardStatus } from './caching/cache-status.ts'
import { forwardedHeaders, isNotModified } from './caching/conditional.ts'
import type { CacheFill } from './caching/fill.ts'
import type { Bypass, Miss, Stale } from './caching/lookup.ts'
import { speaksOf } from './caching/updating.ts'
import { invalidateAfter, learnFromHead } from './cache-effects.ts'
import { answerStored } from './cache-stage.ts'
import { isForError, mayServe, sendStale } from './stale-serving.ts'
import { answerNotModified } from './cache-status-line.ts'
import type { Exchange } from './exchange.ts'
import type { Review } from './origin-units.ts'

/** What becomes of the head of an answer. */
export type HeadVerdict =
  /** It goes to the client, with this member of `Cache-Status`. */
  | { readonly kind: 'pass'; readonly cacheStatus: string }
  /** The client has been answered from the cache; what comes is for the cache alone. */
  | { readonly kind: 'answered' }
  /** It says nothing: ask again, without the condition. */
  | { readonly kind: 'again' }

export interface ResponseView {
  readonly status: number
  readonly reason: string
  readonly headers: HeaderList
}

export interface CacheJob {
  /** The request's headers as the origin should see them. */
  requestHeaders(headers: HeaderList): HeaderList
  /**
   * What `originResponse` units are to look at: the response as it would be stored. Undefined where there is nothing to look
   * at, since it has to be asked for again.
   */
  toReview(head: ResponseHead, headers: HeaderList): ResponseView | undefined
  /** `review` is what they made of it. */
  onHead(head: ResponseHead, headers: HeaderList, review?: Review): HeadVerdict
  /** False: those who read it have no room for more, and the origin is to wait for `onRoom`. */
  append(chunk: Buffer): boolean
  onRoom: (() => void) | undefined
  /** Whether the origin is to wait for the disk that the answer is written to; `onRelief` is told when it may go on. */
  waitsForDisk(onRelief: () => void): boolean
  /** Reads on what was appended, behind what comes; undefined where the fetch is to go at the pace of the client that asked. */
  follow(): BodyTrail | undefined
  /** What comes is still on its way into the cache. */
  readonly isFilling: boolean
  /** The body is whole. */
  finish(): void
  /** Nobody waits for this answer: neither the client, nor the cache for others. */
  readonly isWanted: boolean
  /** The client has gone, or a unit failed. */
  abandon(): void
  /** The origin did not answer, or broke off. */
  fail(error: EdgeError): void
  /** After `fail`: answers with what is stored, where that may be used although it is stale. False: it may not. */
  answerStale(): boolean
}

/** A request that the cache has no part in. */
export class PassJob implements CacheJob {
  readonly isWanted = false
  onRoom: (() => void) | undefined
  protected readonly exchange: Exchange
  protected readonly head: RequestHead
  private readonly found: Bypass
  protected readonly askedMs: number
  protected readonly purgeNumber: number

  constructor(exchange: Exchange, head: RequestHead, found: Bypass) {
    this.exchange = exchange
    this.head = head
    this.found = found
    this.askedMs = exchange.node.now()
    this.purgeNumber = exchange.site!.cache!.purgeNumber
  }

  requestHeaders(headers: HeaderList): HeaderList {
    // A HEAD is asked for what a GET would be.
    return this.found.reason === 'head' ? this.exchange.site!.cache!.vary.forOrigin(headers) : headers
  }

  toReview({ status, reason }: ResponseHead, headers: HeaderList): ResponseView {
    return { status, reason, headers }
  }

  onHead(head: ResponseHead, headers: HeaderList, _review?: Review): HeadVerdict {
    const response = { status: head.status, headers }
    invalidateAfter(this.exchange, this.head, response)
    const { askedMs, purgeNumber } = this
    if (this.found.reason === 'head')
      learnFromHead(this.exchange, this.head, response, { askedMs, purgeNumber })
    const { forward, reason } = this.found
    const detail = forward === 'method' || forward === 'request' ? {} : { detail: reason }
    return { kind: 'pass', cacheStatus: forwardStatus({ forward, ...detail }) }
  }

  get isFilling(): boolean {
    return false
  }

  append(_chunk: Buffer): boolean {
    return true
  }

  waitsForDisk(_onRelief: () => void): boolean {
    return false
  }
  follow(): undefined {
    return undefined
  }
  finish(): void {}
  abandon(): void {}
  fail(): void {}
  answerStale(): boolean {
    return false
  }
}

/** A request whose answer may be kept. */
export class FillJob implements CacheJob {
  private readonly exchange: Exchange
  private readonly fill: CacheFill
  private readonly found: Stale | Miss
  private readonly collapsed: boolean | undefined
  onRoom: (() => void) | undefined
  private askedAbout: Stale['entry'] | undefined
  /** The answer goes out as it comes. */
  private hasBegun = false

  constructor(exchange: Exchange, fill: CacheFill, found: Stale | Miss, collapsed: boolean | undefined) {
    this.exchange = exchange
    this.fill = fill
    this.found = found
    this.collapsed = collapsed
    this.askedAbout = found.kind === 'stale' ? found.entry : undefined
  }

  requestHeaders(headers: HeaderList): HeaderList {
    const { askedAbout, fill } = this
    // What cannot be shared is most likely not kept either: then the client's own condition saves its body.
    const isAlone = fill.flight === undefined && askedAbout === undefined
    return this.exchange.site!.cache!.vary.forOrigin(
      isAlone ? headers : forwardedHeaders(headers, askedAbout),
    )
  }

  toReview({ status, reason }: ResponseHead, headers: HeaderList): ResponseView | undefined {
    const { askedAbout } = this
    if (status !== 304 || askedAbout === undefined) return { status, reason, headers }
    // Units see what a 304 makes of the stored response, as they saw it when it came: so they say the same of it.
    return speaksOf(askedAbout, headers) ? askedAbout.updatedBy(headers) : undefined
  }

  onHead(head: ResponseHead, headers: HeaderList, review?: Review): HeadVerdict {
    const nowMs = this.exchange.node.now()
    if (head.status === 304 && this.askedAbout !== undefined)
      return this.onNotModified(this.askedAbout, headers, nowMs, review)
    const response = review ?? { status: head.status, reason: head.reason, headers }
    if (isForError(response.status) && this.mayAnswerStale) {
      this.fail(new EdgeError('origin-closed', `the origin answered ${response.status}`))
      this.answerStale()
      return { kind: 'answered' }
    }
    this.hasBegun = true
    this.exchange.cacheUse = 'miss'
    const decision = this.fill.begin(response, nowMs)
    if (!decision.store) this.exchange.site!.cacheStatistics!.refused(decision.reason)
    const status = {
      forward: this.found.forward,
      ...(this.collapsed === undefined ? {} : { collapsed: this.collapsed }),
      ...(decision.store
        ? { stored: true, ttlSeconds: Math.max(0, Math.floor((decision.freshUntilMs - nowMs) / 1000)) }
        : { detail: decision.reason }),
    }
    if (decision.store) this.announce()
    if (decision.store && this.clientHasIt(response, nowMs)) {
      answerNotModified(this.exchange, response.headers, forwardStatus({ ...status, status: head.status }))
      return { kind: 'answered' }
    }
    return { kind: 'pass', cacheStatus: forwardStatus(status) }
  }

  private onNotModified(
    entry: Stale['entry'],
    headers: HeaderList,
    nowMs: number,
    review: Review | undefined,
  ): HeadVerdict {
    const refreshed = this.fill.refresh(entry, headers, nowMs, review)
    if (refreshed.kind === 'mismatch') {
      this.askedAbout = undefined
      return { kind: 'again' }
    }
    const { exchange } = this
    const fresh = refreshed.entry
    exchange.cacheUse = 'revalidated'
    const member = forwardStatus({
      forward: this.found.forward,
      status: 304,
      ...(refreshed.stored
        ? { stored: true, ttlSeconds: Math.max(0, Math.floor((fresh.freshUntilMs - nowMs) / 1000)) }
        : {}),
      ...(this.collapsed === undefined ? {} : { collapsed: this.collapsed }),
    })
    const has = isNotModified(exchange.headers, fresh, nowMs)
    answerStored(exchange, fresh, has, fresh.ageSeconds(nowMs), member)
    return { kind: 'answered' }
  }

  /** Those who wait are given what comes, unless all of it came with the head: then they are given what is stored. */
  private announce(): void {
    queueMicrotask(() => {
      this.fill.announce()
      this.fill.onRoom = () => this.onRoom?.()
    })
  }

  /** The client's condition did not go to the origin, so that there is a body to keep; it is judged here. */
  private clientHasIt({ status, headers }: ResponseView, nowMs: number): boolean {
    const validators = {
      status,
      etag: headerValue(headers, 'etag'),
      lastModified: headerValue(headers, 'last-modified'),
      date: headerValue(headers, 'date'),
    }
    return isNotModified(this.exchange.headers, validators, nowMs)
  }

  append(chunk: Buffer): boolean {
    return this.fill.append(chunk)
  }

  waitsForDisk(onRelief: () => void): boolean {
    return this.fill.waitsForDisk(onRelief)
  }

  follow(): BodyTrail | undefined {
    return this.fill.follow()
  }

  get isFilling(): boolean {
    return this.fill.isFilling
  }

  finish(): void {
    const { fill, exchange } = this
    const wasRefused = fill.refused
    fill.finish(exchange.node.now())
    if (fill.refused !== wasRefused) exchange.site!.cacheStatistics!.refused(fill.refused!)
  }

  get isWanted(): boolean {
    return this.fill.followers > 0
  }

  abandon(): void {
    this.fill.abandon()
  }

  fail(error: EdgeError): void {
    this.fill.fail(error)
  }

  answerStale(): boolean {
    if (!this.mayAnswerStale) return false
    if (!this.exchange.gone) sendStale(this.exchange, (this.found as Stale).entry, 'stale-if-error')
    return true
  }

  /** RFC 5861 §4: not once an answer has begun. */
  private get mayAnswerStale(): boolean {
    return !this.hasBegun && mayServe(this.found, 'stale-if-error', this.exchange.node.now())
  }
}
