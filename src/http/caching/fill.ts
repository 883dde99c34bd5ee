/**
 * A response on its way from the origin into the cache.
 *
 * It is made before the request is sent, and ends in exactly one of `finish`, `refresh`, `abandon` and `fail`.
 * Nothing is in the cache before `finish`, which is called when the origin has ended the body properly: so a body
 * that was cut is never stored, whatever else goes wrong. After the cache has lost interest (`refused`) all calls are
 * harmless, so the one who streams the body need not ask.
 *
 * Those who wait for the same answer hear of it from here: of its head (`announce`), then of its body as it comes. To those who have
 * begun the rest is owed, also where the cache refuses it in the middle.
 */
import type { EdgeError } from '../../base/errors.ts'
import { headerValue, type HeaderList, type RequestHead } from '../../wire/http1/message.ts'
import { Arrival } from './arrival.ts'
import { planPart, type FillPart } from './parts/part-keeping.ts'
import { BodyGathering, type BodyTrail, type DiskRoom } from './body-gathering.ts'
import type { FillTarget, FillWatcher } from './fill-target.ts'
import type { Flight } from './flights.ts'
import { StoredBody } from './stored-body.ts'
import { StoredResponse, type IncomingResponse } from './stored-response.ts'
import { planStore, type RefusalReason, type StoreDecision, type StorePlan } from './storing.ts'
import { parseDeltaSeconds } from './text.ts'
import { speaksOf } from './updating.ts'
import { selectingOf } from './vary.ts'

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
  /** Told what other workers are to know of it. */
  watcher: FillWatcher | undefined = undefined
  /** The last purge before it was asked for: those after it beat it. Less where it is from somebody who had got less far. */
  purgeNumber: number

  /** It may be kept on disk, too. */
  disk: DiskRoom | undefined = undefined
  /** Another worker of the node has it. */
  isCopy = false

  readonly #target: FillTarget
  #state: 'asking' | 'filling' | 'passing' | 'over' = 'asking'
  #isSettled = false
  #response: IncomingResponse | undefined
  #plan: StorePlan | undefined
  #responseTimeMs = 0
  #declaredBytes: number | undefined
  #body: BodyGathering | undefined
  /** What is stored and may turn out to be good: held until this is over. */
  #held: StoredBody | undefined
  #arrival: Arrival | undefined
  #passedBytes = 0

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

  /** How many wait for this answer or read it: with some, it is worth finishing although the client that asked is gone. */
  get followers(): number {
    return (this.flight?.followers.size ?? 0) + (this.#arrival?.readers ?? 0)
  }

  /** The head of a final response that is not the 304 to our own condition. */
  begin(response: IncomingResponse, responseTimeMs: number): StoreDecision {
    if (this.#state !== 'asking') return { store: false, reason: this.refused ?? 'incomplete' }
    const plan = this.#planFor(response, responseTimeMs)
    if (!plan.store) return this.#refuse(plan.reason, responseTimeMs)
    this.disk = this.#target.diskRoom?.(this)
    return this.#gather(response, plan, responseTimeMs)
  }

  /**
   * The same for a copy of what another worker of the node has, where it was decided that and how it is stored. Not on disk: that is
   * shared; what is too large for memory lies there until nobody reads it. `purgeNumber`: how far that worker had got.
   */
  beginCopy(response: IncomingResponse, plan: StorePlan, nowMs: number, purgeNumber: number): StoreDecision {
    if (this.#state !== 'asking') return { store: false, reason: this.refused ?? 'incomplete' }
    this.purgeNumber = Math.min(this.purgeNumber, purgeNumber)
    this.isCopy = true
    this.disk = this.#target.copyRoom?.()
    return this.#gather(response, plan, nowMs)
  }

  #gather(response: IncomingResponse, plan: StorePlan, responseTimeMs: number): StoreDecision {
    const length = headerValue(response.headers, 'content-length')
    this.#declaredBytes = length === undefined ? undefined : parseDeltaSeconds(length)
    if ((this.#declaredBytes ?? 0) > this.#bytesMax) return this.#refuse('too-large', responseTimeMs)
    const { room, objectBytesMax } = this.#target
    this.#body = new BodyGathering(room, this.#declaredBytes ?? 0, objectBytesMax, this.disk)
    this.#response = response
    this.#plan = plan
    this.#responseTimeMs = responseTimeMs
    this.#state = 'filling'
    // What has to be validated each time cannot be shared by waiting: each would wait, and then ask for itself.
    if (plan.freshUntilMs <= responseTimeMs) this.#target.unshare(this, responseTimeMs)
    if (plan.vary.length > 0) this.learnVary(plan.vary, responseTimeMs)
    return plan
  }

  /** The names by which the answers of this address vary: those who will be given another one are sent to fetch it. */
  learnVary(names: readonly string[], nowMs: number): void {
    this.#target.learnVary(this, names, nowMs)
    this.watcher?.onPlace()
  }

  /** It was seen that the answer is not for sharing: those who wait are sent on, and this one goes on alone. */
  unshare(nowMs: number): void {
    this.#target.unshare(this, nowMs)
  }

  /** What arrives, once it was announced. */
  get arrival(): Arrival | undefined {
    return this.#arrival
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

  /**
   * What comes goes to all who wait for it, from now on. To be called after `begin`, once what came with the head has been
   * appended: an answer that is whole by then is stored, and a hit costs less.
   */
  announce(): void {
    const { flight } = this
    if (this.#state !== 'filling' || flight === undefined || this.#arrival !== undefined) return
    if (this.#plan!.freshUntilMs <= this.#responseTimeMs) return
    this.#arrival = new Arrival(this.#body!, {
      response: this.#response!,
      plan: this.#plan!,
      selecting: selectingOf(this.#plan!.vary, this.head.headers, this.#target.vary),
      responseTimeMs: this.#responseTimeMs,
      bodyBytes: this.#declaredBytes,
    })
    // Who waits for a part looks for it once it is stored: it may be asked for by a larger one.
    if (this.part === undefined) this.#target.announce(this, this.#arrival)
  }

  /** Told when the origin may go on, after `append` said that it may not. */
  set onRoom(onRoom: () => void) {
    if (this.#arrival !== undefined) this.#arrival.onRoom = onRoom
  }

  /** A piece of the body. It is copied. False: those who read it have no room; the origin is to wait for `onRoom`. */
  append(chunk: Uint8Array): boolean {
    if (this.#state === 'filling') {
      const body = this.#body!
      const isTooLarge = body.length + chunk.length > this.#bytesMax
      if (!isTooLarge && body.append(chunk)) {
        this.#arrival?.more()
        return true
      }
      this.#refuse(isTooLarge ? 'too-large' : 'no-room', this.#responseTimeMs)
    }
    if (this.#state !== 'passing') return true
    this.#passedBytes += chunk.length
    return this.#arrival!.pass(chunk)
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
    if (this.#state === 'passing') {
      this.#endPassing(this.#isShort(this.#passedBytes) ? 'broken' : 'whole')
      return undefined
    }
    if (this.#state !== 'filling' || this.#isShort(this.#body!.length)) {
      this.abandon()
      return undefined
    }
    const selecting = selectingOf(this.#plan!.vary, this.head.headers, this.#target.vary)
    const body = this.#body!.take()
    const response = new StoredResponse(this.#response!, body, this.#plan!, selecting, this.#responseTimeMs)
    this.#end()
    const isKept = this.#keep(response, nowMs, 'stored')
    // A purge may have beaten it at the last moment.
    if (this.#isPassing) this.#endPassing('whole')
    else this.#arrival?.end()
    body.release()
    return isKept ? response : undefined
  }

  get #isPassing(): boolean {
    return this.#state === 'passing'
  }

  #isShort(bytes: number): boolean {
    return this.#declaredBytes !== undefined && this.#declaredBytes !== bytes
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
    if (this.#state === 'passing') {
      if (reason !== 'invalidated') this.#endPassing('broken', error)
      return
    }
    if (this.#isSettled) return
    this.refused ??= reason
    if (reason === 'invalidated') this.#endOrPass()
    else this.#end()
    this.#settle('unknown', this.requestTimeMs, error)
    if (reason !== 'invalidated') this.#arrival?.break(error)
  }

  /** The cache wants no more of it: the rest is for those who have begun to read. */
  #endOrPass(): void {
    const bytes = this.#body?.length ?? 0
    this.#end()
    if (this.#arrival?.startPassing() !== true) return
    this.#state = 'passing'
    this.#passedBytes = bytes
    this.#target.passing(this.#arrival, false)
  }

  #endPassing(as: 'whole' | 'broken', error?: EdgeError): void {
    this.#state = 'over'
    this.#target.passing(this.#arrival!, true)
    if (as === 'whole') this.#arrival!.end()
    else this.#arrival!.break(error)
  }

  #keep(response: StoredResponse, nowMs: number, as: 'stored' | 'refreshed'): boolean {
    if (this.refused !== undefined) return false
    const stored = this.#target.keep(this, response, as)
    // Where it was invalidated meanwhile, it says so already.
    if (!stored) this.refused ??= 'too-large'
    // What has to be validated each time cannot be shared by waiting: each would wait, and then ask for itself.
    const otherwise = this.isCopy ? 'unknown' : 'unshared'
    this.#settle(stored && response.isFresh(nowMs) ? 'shared' : otherwise, nowMs)
    return stored
  }

  #refuse(reason: RefusalReason, nowMs: number): StoreDecision {
    this.#endOrPass()
    this.refused ??= reason
    // Where it came from it is shared, whatever there is room for here.
    this.#settle(this.isCopy ? 'unknown' : 'unshared', nowMs)
    return { store: false, reason: this.refused }
  }

  #settle(sharing: 'shared' | 'unshared' | 'unknown', nowMs: number, error?: EdgeError): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.watcher?.onOver(sharing === 'shared')
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
