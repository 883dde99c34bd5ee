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
import { planPart, type FillPart } from './parts/part-keeping.ts'
import { BodyGathering, type BodyTrail, type DiskRoom, type Room } from './body-gathering.ts'
import type { Flight } from './flights.ts'
import { StoredBody } from './stored-body.ts'
import { StoredResponse, type IncomingResponse } from './stored-response.ts'
import {
  planStore,
  type RefusalReason,
  type StoreDecision,
  type StorePlan,
  type StoringRules,
} from './storing.ts'
import { parseDeltaSeconds } from './text.ts'
import { speaksOf } from './updating.ts'
import { selectingOf } from './vary.ts'
import type { VaryRules } from './vary-rules.ts'

/** What a fill needs of its cache. */
export interface FillTarget {
  readonly objectBytesMax: number
  /** See `ResponseCacheOptions`. */
  readonly asksForPlain: boolean
  readonly rules: StoringRules
  readonly vary: VaryRules
  /** For bytes that are not stored yet. */
  readonly room: Room
  /** Where the answer may be kept on disk. Asked once for each that may be stored: it counts. */
  diskRoom?(fill: CacheFill): DiskRoom | undefined
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

const NO_BYTES = Buffer.alloc(0)

export class CacheFill {
  readonly kind = 'fill'
  readonly key: string
  readonly head: RequestHead
  readonly requestTimeMs: number
  /** Undefined: nobody can wait for this one. */
  readonly flight: Flight | undefined
  /** What was asked for is a part of a larger object. Set by who asks, before `begin`. */
  part: FillPart | undefined = undefined
  /** Why the response is not kept; undefined while it may be. */
  refused: RefusalReason | undefined = undefined
  /** The last purge before it was asked for: those after it beat it. Less where it is from somebody who had got less far. */
  purgeNumber: number

  /** It may be kept on disk, too. */
  disk: DiskRoom | undefined = undefined

  readonly #target: FillTarget
  #state: 'asking' | 'filling' | 'over' = 'asking'
  #isSettled = false
  #response: IncomingResponse | undefined
  #plan: StorePlan | undefined
  #responseTimeMs = 0
  #declaredBytes: number | undefined
  #body: BodyGathering | undefined
  /** What is stored and may turn out to be good: held until this is over. */
  #held: StoredBody | undefined

  constructor(
    target: FillTarget,
    key: string,
    head: RequestHead,
    requestTimeMs: number,
    flight: Flight | undefined,
    stale: StoredResponse | undefined,
    purgeNumber = 0,
  ) {
    this.#target = target
    this.purgeNumber = purgeNumber
    this.key = key
    this.head = head
    this.requestTimeMs = requestTimeMs
    this.flight = flight
    this.#held = stale?.body
    this.#held?.hold()
  }

  /** How many wait for this answer: with some, it is worth finishing although the client that asked is gone. */
  get followers(): number {
    return this.flight?.followers.size ?? 0
  }

  /** The head of a final response that is not the 304 to our own condition. */
  begin(response: IncomingResponse, responseTimeMs: number): StoreDecision {
    if (this.#state !== 'asking') return { store: false, reason: this.refused ?? 'incomplete' }
    const plan = this.#planFor(response, responseTimeMs)
    if (!plan.store) return this.#refuse(plan.reason, responseTimeMs)
    const length = headerValue(response.headers, 'content-length')
    this.#declaredBytes = length === undefined ? undefined : parseDeltaSeconds(length)
    this.disk = this.#target.diskRoom?.(this)
    if ((this.#declaredBytes ?? 0) > this.#bytesMax) return this.#refuse('too-large', responseTimeMs)
    const { room, objectBytesMax } = this.#target
    this.#body = new BodyGathering(room, this.#declaredBytes ?? 0, objectBytesMax, this.disk)
    this.#response = response
    this.#plan = plan
    this.#responseTimeMs = responseTimeMs
    this.#state = 'filling'
    if (plan.vary.length > 0) this.#target.learnVary(this, plan.vary, responseTimeMs)
    return plan
  }

  get #bytesMax(): number {
    return Math.max(this.#target.objectBytesMax, this.disk?.objectBytesMax ?? 0)
  }

  /** Whether the origin is to wait for the disk; `onRelief` is told when it may go on. */
  waitsForDisk(onRelief: () => void): boolean {
    return this.#body?.waitsForDisk(onRelief) ?? false
  }

  #planFor(response: IncomingResponse, responseTimeMs: number): StoreDecision {
    const planned = this.part === undefined ? response : planPart(response)
    const { rules } = this.#target
    const plan = planStore(this.head, planned, this.requestTimeMs, responseTimeMs, rules)
    const isPlain =
      this.#target.asksForPlain && headerValue(response.headers, 'content-encoding') === undefined
    if (!isPlain || !plan.store || plan.vary.length === 0) return plan
    return { ...plan, vary: plan.vary.filter((name) => name !== 'accept-encoding') }
  }

  /** The headers that have come, while the body is on its way. */
  get responseHeaders(): HeaderList | undefined {
    return this.#response?.headers
  }

  /** The body is gathered, to be stored when it is whole. */
  get isFilling(): boolean {
    return this.#state === 'filling'
  }

  /** A piece of the body. It is copied. */
  append(chunk: Uint8Array): void {
    if (this.#state !== 'filling') return
    const body = this.#body!
    if (body.length + chunk.length > this.#bytesMax) this.#refuse('too-large', this.#responseTimeMs)
    else if (!body.append(chunk)) this.#refuse('no-room', this.#responseTimeMs)
  }

  /**
   * For the client that asked first, where it is slower than the origin: reads what was gathered, from here on, until it closes that.
   * Undefined where nothing is gathered, and where nobody can wait for this answer: then the fetch holds up nobody, and may go at
   * the pace of its client.
   */
  follow(): BodyTrail | undefined {
    return this.flight === undefined ? undefined : this.#body?.follow()
  }

  /** The body is whole: now it is in the cache, and those who wait are told. Undefined where it was not kept. */
  finish(nowMs: number): StoredResponse | undefined {
    const isShort = this.#declaredBytes !== undefined && this.#declaredBytes !== this.#body?.length
    if (this.#state !== 'filling' || isShort) {
      this.abandon()
      return undefined
    }
    const selecting = selectingOf(this.#plan!.vary, this.head.headers, this.#target.vary)
    const body = this.#body!.take()
    const response = new StoredResponse(this.#response!, body, this.#plan!, selecting, this.#responseTimeMs)
    this.#end()
    const isKept = this.#keep(response, nowMs, 'stored')
    body.release()
    return isKept ? response : undefined
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
    const plan = this.#planFor(merged, responseTimeMs)
    const names = plan.store ? plan.vary : []
    const selecting = selectingOf(names, this.head.headers, this.#target.vary)
    const response = new StoredResponse(
      merged,
      merged.status === 204 ? new StoredBody(NO_BYTES) : entry.body,
      plan.store ? plan : stalePlan(responseTimeMs),
      selecting,
      responseTimeMs,
    )
    response.inheritEncodings(entry)
    if (plan.store) {
      entry.body.hold()
      this.#end()
      const stored = this.#keep(response, responseTimeMs, 'refreshed')
      entry.body.release()
      return { kind: 'refreshed', entry: response, stored }
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
    // Where it was invalidated meanwhile, it says so already.
    if (!stored) this.refused ??= 'too-large'
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
    this.#body?.discard()
    this.#body = undefined
    this.#held?.release()
    this.#held = undefined
    this.#response = undefined
  }
}

/** For a response that is good for this one answer. */
const stalePlan = (nowMs: number): StorePlan => ({
  store: true,
  bornMs: nowMs,
  freshUntilMs: -Infinity,
  staleAllowed: false,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  withheld: [],
  lifetimeSource: 'none',
  vary: [],
})
