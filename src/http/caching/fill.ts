/**
 * A response on its way from the origin into the cache.
 *
 * It is made before the request is sent, and ends in exactly one of `finish`, `refresh`, `abandon` and `fail`.
 * Nothing is in the cache before `finish`, which is called when the origin has ended the body properly: so a body
 * that was cut is never stored, whatever else goes wrong. After the cache has lost interest (`refused`) all calls are
 * harmless, so the one who streams the body need not ask.
 *
 * Those who wait for the same answer hear of it from here.
 */
import type { EdgeError } from '../../base/errors.ts'
import { headerValue, type HeaderList, type RequestHead } from '../../wire/http1/message.ts'
import type { Flight } from './flights.ts'
import { StoredResponse, type IncomingResponse } from './stored-response.ts'
import { planStore, type RefusalReason, type StoreDecision, type StorePlan } from './storing.ts'
import { parseDeltaSeconds } from './text.ts'
import { speaksOf } from './updating.ts'
import { selectingOf } from './vary.ts'

/** What a fill needs of its cache. */
export interface FillTarget {
  readonly objectBytesMax: number
  /** Asks for room for so many more bytes that are not stored yet. */
  reserve(bytes: number): boolean
  release(bytes: number): void
  keep(fill: CacheFill, response: StoredResponse, as: 'stored' | 'refreshed'): boolean
  drop(fill: CacheFill, response: StoredResponse): void
  learnVary(fill: CacheFill, names: readonly string[], nowMs: number): void
  /** The fill is over. `sharing`: what is known now about whether answers of this address can be shared. */
  settled(fill: CacheFill, sharing: 'shared' | 'unshared' | 'unknown', nowMs: number, error?: EdgeError): void
}

export type Refreshed =
  /** Answer with this entry. `stored`: it is in the cache again. */
  | { readonly kind: 'refreshed'; readonly entry: StoredResponse; readonly stored: boolean }
  /** The 304 speaks of something else. Ask again without a condition, and go on with this fill. */
  | { readonly kind: 'mismatch' }

/** The first piece of memory for a body whose length is not known. */
const FIRST_BYTES = 16 * 1024
const NO_BYTES = Buffer.alloc(0)

export class CacheFill {
  readonly kind = 'fill'
  readonly key: string
  readonly head: RequestHead
  readonly requestTimeMs: number
  /** Undefined: nobody can wait for this one. */
  readonly flight: Flight | undefined
  /** Why the response is not kept; undefined while it may be. */
  refused: RefusalReason | undefined = undefined

  readonly #target: FillTarget
  #state: 'asking' | 'filling' | 'over' = 'asking'
  #isSettled = false
  #response: IncomingResponse | undefined
  #plan: StorePlan | undefined
  #responseTimeMs = 0
  #declaredBytes: number | undefined
  #body: Buffer = NO_BYTES
  #bodyBytes = 0

  constructor(
    target: FillTarget,
    key: string,
    head: RequestHead,
    requestTimeMs: number,
    flight: Flight | undefined,
  ) {
    this.#target = target
    this.key = key
    this.head = head
    this.requestTimeMs = requestTimeMs
    this.flight = flight
  }

  /** How many wait for this answer: with some, it is worth finishing although the client that asked is gone. */
  get followers(): number {
    return this.flight?.followers.size ?? 0
  }

  /** The head of a final response that is not the 304 to our own condition. */
  begin(response: IncomingResponse, responseTimeMs: number): StoreDecision {
    if (this.#state !== 'asking') return { store: false, reason: this.refused ?? 'incomplete' }
    const plan = planStore(this.head, response, this.requestTimeMs, responseTimeMs)
    if (!plan.store) return this.#refuse(plan.reason, responseTimeMs)
    const length = headerValue(response.headers, 'content-length')
    this.#declaredBytes = length === undefined ? undefined : parseDeltaSeconds(length)
    if ((this.#declaredBytes ?? 0) > this.#target.objectBytesMax)
      return this.#refuse('too-large', responseTimeMs)
    this.#response = response
    this.#plan = plan
    this.#responseTimeMs = responseTimeMs
    this.#state = 'filling'
    if (plan.vary.length > 0) this.#target.learnVary(this, plan.vary, responseTimeMs)
    return plan
  }

  /** A piece of the body. It is copied. */
  append(chunk: Uint8Array): void {
    if (this.#state !== 'filling') return
    const bytes = this.#bodyBytes + chunk.length
    if (bytes > this.#target.objectBytesMax) {
      this.#refuse('too-large', this.#responseTimeMs)
      return
    }
    if (bytes > this.#body.length && !this.#grow(bytes)) {
      this.#refuse('no-room', this.#responseTimeMs)
      return
    }
    this.#body.set(chunk, this.#bodyBytes)
    this.#bodyBytes = bytes
  }

  /** The body is whole: now it is in the cache, and those who wait are told. Undefined where it was not kept. */
  finish(nowMs: number): StoredResponse | undefined {
    const isShort = this.#declaredBytes !== undefined && this.#declaredBytes !== this.#bodyBytes
    if (this.#state !== 'filling' || isShort) {
      this.abandon()
      return undefined
    }
    const selecting = selectingOf(this.#plan!.vary, this.head.headers)
    const body = this.#takeBody()
    const response = new StoredResponse(this.#response!, body, this.#plan!, selecting, this.#responseTimeMs)
    this.#end()
    return this.#keep(response, nowMs, 'stored') ? response : undefined
  }

  /**
   * The origin answered our condition with 304: `entry`, which we asked about, is good. `reviewed` is what units made of it
   * with the headers of the 304.
   */
  refresh(
    entry: StoredResponse,
    headers: HeaderList,
    responseTimeMs: number,
    reviewed?: IncomingResponse,
  ): Refreshed {
    if (!speaksOf(entry, headers)) {
      this.#target.drop(this, entry)
      return { kind: 'mismatch' }
    }
    const merged = reviewed ?? entry.updatedBy(headers)
    const plan = planStore(this.head, merged, this.requestTimeMs, responseTimeMs)
    const names = plan.store ? plan.vary : []
    const selecting = selectingOf(names, this.head.headers)
    const response = new StoredResponse(
      merged,
      merged.status === 204 ? NO_BYTES : entry.body,
      plan.store ? plan : stalePlan(responseTimeMs),
      selecting,
      responseTimeMs,
    )
    if (plan.store) {
      this.#end()
      return { kind: 'refreshed', entry: response, stored: this.#keep(response, responseTimeMs, 'refreshed') }
    }
    this.#target.drop(this, entry)
    this.#refuse(plan.reason, responseTimeMs)
    return { kind: 'refreshed', entry: response, stored: false }
  }

  /**
   * Given up: the client went away and nobody else waits, or the body was cut short. One of those who wait tries
   * next.
   */
  abandon(): void {
    this.#giveUp('incomplete')
  }

  /** The origin could not be asked, or broke off. Those who wait are told why, rather than each finding out in turn. */
  fail(error: EdgeError): void {
    this.#giveUp('incomplete', error)
  }

  /** What is being fetched was changed meanwhile: it may still be passed on, but not kept. */
  invalidate(): void {
    this.#giveUp('invalidated')
  }

  #giveUp(reason: RefusalReason, error?: EdgeError): void {
    if (this.#isSettled) return
    this.refused ??= reason
    this.#end()
    this.#settle('unknown', this.requestTimeMs, error)
  }

  #keep(response: StoredResponse, nowMs: number, as: 'stored' | 'refreshed'): boolean {
    if (this.refused !== undefined) return false
    const stored = this.#target.keep(this, response, as)
    if (!stored) this.refused = 'too-large'
    // What has to be validated each time cannot be shared by waiting: each would wait, and then ask for itself.
    this.#settle(stored && response.isFresh(nowMs) ? 'shared' : 'unshared', nowMs)
    return stored
  }

  #refuse(reason: RefusalReason, nowMs: number): StoreDecision {
    this.#end()
    this.refused ??= reason
    this.#settle('unshared', nowMs)
    return { store: false, reason: this.refused }
  }

  #settle(sharing: 'shared' | 'unshared' | 'unknown', nowMs: number, error?: EdgeError): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#target.settled(this, sharing, nowMs, error)
  }

  #end(): void {
    this.#state = 'over'
    this.#target.release(this.#body.length)
    this.#body = NO_BYTES
    this.#response = undefined
  }

  /** Room for `bytes`: exactly the length that was declared, else twice what there is. */
  #grow(bytes: number): boolean {
    const declared = this.#declaredBytes ?? 0
    const wanted = declared >= bytes ? declared : Math.max(bytes, FIRST_BYTES, this.#body.length * 2)
    const capacity = Math.min(wanted, this.#target.objectBytesMax)
    if (!this.#target.reserve(capacity - this.#body.length)) return false
    // Not from Node's pool: a small body would keep the whole of its slab alive.
    const grown = Buffer.allocUnsafeSlow(capacity)
    this.#body.copy(grown, 0, 0, this.#bodyBytes)
    this.#body = grown
    return true
  }

  /** The body in memory of just its size. */
  #takeBody(): Buffer {
    if (this.#body.length === this.#bodyBytes) return this.#body
    const exact = Buffer.allocUnsafeSlow(this.#bodyBytes)
    this.#body.copy(exact, 0, 0, this.#bodyBytes)
    return exact
  }
}

/** For a response that is good for this one answer. */
const stalePlan = (nowMs: number): StorePlan => ({
  store: true,
  bornMs: nowMs,
  freshUntilMs: -Infinity,
  staleAllowed: false,
  lifetimeSource: 'none',
  vary: [],
})
