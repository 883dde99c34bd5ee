/**
 * A part on its way from the origin: into the cache, and at the pace of its client to the one who asked. A slice is first sought in the
 * other workers of the node.
 *
 * What comes is a part only where everything about it is right: the status, one range, the range that was asked for, and as many bytes
 * as that has. Anything else is told as what it is, and never stored as a part.
 */
import { EdgeError } from '../../base/errors.ts'
import type { OriginCall, OriginHandler } from '../../contract/origin.ts'
import {
  headerValue,
  headerValues,
  withoutFields,
  type HeaderList,
  type ResponseHead,
} from '../../wire/http1/message.ts'
import { arrivedHeaders, noteTiming } from '../arrived-headers.ts'
import { Brake } from '../brake.ts'
import { forwardedHeaders } from '../caching/conditional.ts'
import type { Arrival } from '../caching/arrival.ts'
import { siblingStatus } from '../caching/cache-status.ts'
import type { CacheFill } from '../caching/fill.ts'
import { passedHeaders } from '../caching/passed-headers.ts'
import type { StoreDecision } from '../caching/storing.ts'
import type { StoredResponse } from '../caching/stored-response.ts'
import { ClientPace, type PaceOutlet } from '../client-pace.ts'
import type { Exchange } from '../exchange.ts'
import { noteOriginFailure } from '../origin-failure.ts'
import { askedOf, onwardHeaders } from '../onward-request.ts'
import { parseContentRange, resolveSpec, type ContentRange } from '../ranges/byte-ranges.ts'
import type { Seeking } from '../siblings/siblings.ts'
import { sendToOrigin } from '../tracing/origin-span.ts'
import { unasked304 } from '../unasked.ts'
import { BorrowedBody } from './borrowed-body.ts'
import { arrivingRepresentation, type Representation } from './representation.ts'
import { specText, type PartAsk } from './part-sources.ts'

type PartHead = Pick<ResponseHead, 'status' | 'reason' | 'framing'>

/** The head of what is no part. */
export interface OtherAnswer {
  readonly head: PartHead
  readonly headers: HeaderList
}

/** Who asked. Exactly one of these is told, but `onFetchError`, which may follow. */
export interface PartAsker {
  onPart(fetch: PartFetch, representation: Representation, decision: StoreDecision): void
  /** What is stored is still good. */
  onRefreshed(entry: StoredResponse, stored: boolean): void
  /** It is not, and nothing new has come either: look again. */
  onMismatch(): void
  /** It is something else: to be passed on (`fetch.open`), or left. */
  onOther(fetch: PartFetch, answer: OtherAnswer, decision: StoreDecision): void
  onFetchError(error: EdgeError): void
}

export class PartFetch implements OriginHandler {
  readonly ask: PartAsk
  /** What comes, once its head is here. */
  range: ContentRange | undefined
  /** What `Cache-Status` says, where it comes from another worker. */
  borrowedStatus: string | undefined
  private readonly exchange: Exchange
  private readonly fill: CacheFill
  private readonly objectKey: string
  private readonly pace: ClientPace
  /** Who has no room for more. */
  private readonly brake = new Brake(() => this.call?.resume())
  /** Undefined once nobody here wants it. */
  private asker: PartAsker | undefined
  private call: OriginCall | undefined
  private askedHeaders: HeaderList = []
  private seeking: Seeking | undefined
  private borrowed: BorrowedBody | undefined
  /** Bytes still to come, of a part. */
  private left: number | undefined
  private isOver = false

  constructor(exchange: Exchange, objectKey: string, ask: PartAsk, fill: CacheFill, asker: PartAsker) {
    this.exchange = exchange
    this.objectKey = objectKey
    this.ask = ask
    this.fill = fill
    this.asker = asker
    fill.part = { kind: ask.part, objectKey }
    this.pace = new ClientPace(
      {
        // What another worker sends waits where it is.
        follow: () => (this.borrowedStatus === undefined ? fill.follow() : undefined),
        get isFilling() {
          return fill.isFilling
        },
      },
      () => this.onRoomHere(),
      () => this.onUnreadable(),
    )
  }

  start(): void {
    const { exchange, ask, fill } = this
    const { siblings } = exchange.node
    // Under the key of another part nothing is stored that could be asked for.
    if (siblings === undefined || fill.flight === undefined || ask.part !== 'slice') return this.askOrigin()
    const { site } = exchange
    this.seeking = siblings.seek(site!, fill, site!.config.cache!.wait, {
      onBorrowed: () => this.onBorrowed(fill.arrival!),
      onNobody: () => {
        if (!this.isOver) this.askOrigin()
      },
      onFailed: (error) => this.end(error),
    })
  }

  private askOrigin(): void {
    const { exchange, ask } = this
    const stale = ask.found.kind === 'stale' ? ask.found.entry : undefined
    const plain = withoutFields(onwardHeaders(exchange), isRange)
    const { vary } = exchange.site!.cache!
    const forwarded = vary.forOrigin(forwardedHeaders(plain, stale))
    const headers = [...forwarded, 'range', `bytes=${specText(ask.spec)}`]
    if (ask.ifRange !== undefined) headers.push('if-range', ask.ifRange)
    const asked = { ...askedOf(exchange, headers, undefined), method: 'GET', body: 'none' as const }
    this.askedHeaders = asked.headers
    const call = sendToOrigin(exchange, asked, this)
    this.call = call
  }

  /** Somebody else is told of it from now on. */
  handTo(asker: PartAsker): void {
    if (this.asker !== undefined) this.asker = asker
  }

  /** What comes goes there from now on. */
  open(outlet: PaceOutlet): void {
    this.pace.open(outlet)
  }

  /** Something else goes to the client before: see `ClientPace.ahead`. */
  waitBehind(): void {
    this.pace.ahead()
  }

  onRoom(): void {
    this.pace.onRoom()
  }

  private onRoomHere(): void {
    this.borrowed?.resume()
    this.brake.letGo('client')
  }

  /** It is in the cache by itself. */
  private onBorrowed(arrival: Arrival): void {
    if (this.isOver || this.asker === undefined) return
    const { exchange, ask } = this
    const nowMs = exchange.node.now()
    exchange.site!.cache!.count('fromSibling')
    this.borrowedStatus = siblingStatus(Math.floor((arrival.plan.freshUntilMs - nowMs) / 1000))
    const { status, reason, bodyBytes, kept, priorCacheStatus } = arrival
    const headers = [...passedHeaders(kept), 'age', String(arrival.ageSeconds(nowMs))]
    if (priorCacheStatus !== undefined) headers.push('cache-status', priorCacheStatus)
    const framing =
      bodyBytes === undefined
        ? ({ kind: 'chunked' } as const)
        : ({ kind: 'length', bytes: bodyBytes } as const)
    const head = { status, reason, framing }
    const range = partOf(head, headers, ask)
    if (range === undefined) this.asker.onOther(this, { head, headers }, arrival.plan)
    else {
      this.range = range
      this.left = range.end - range.start
      this.asker.onPart(this, arrivingRepresentation(headers, range.size), arrival.plan)
    }
    if (!this.isWanted) return
    this.borrowed = new BorrowedBody(arrival, {
      onData: (piece) => this.onPiece(piece),
      onEnd: () => this.onWhole([]),
      onBroken: (error) =>
        this.end(error ?? new EdgeError('origin-closed', 'the worker that fetched it broke off')),
    })
    this.borrowed.pump()
  }

  private get isWanted(): boolean {
    return !this.isOver && this.asker !== undefined
  }

  /** The one who asked has enough of it. The cache may have the rest. */
  detach(): void {
    if (this.asker === undefined) return
    this.asker = undefined
    this.letGo()
    if (this.isOver) return
    if (this.fill.isFilling) this.brake.letGo('client')
    else this.giveUp()
  }

  /** The one who asked is gone. Others may wait. */
  leave(): void {
    if (this.asker === undefined) return
    this.letGo()
    if (this.fill.followers === 0 || (this.range !== undefined && !this.fill.isFilling)) this.giveUp()
    this.asker = undefined
    if (!this.isOver) this.brake.letGo('client')
  }

  /** What came cannot be read any more by the one who asked. The cache may have the rest. */
  private onUnreadable(): void {
    const { asker } = this
    this.detach()
    asker?.onFetchError(
      new EdgeError('origin-closed', 'what had come lies in a file that is not what it was'),
    )
  }

  private letGo(): void {
    this.pace.close()
    this.borrowed?.close()
    this.borrowed = undefined
  }

  private giveUp(): void {
    if (this.isOver) return
    this.isOver = true
    this.letGo()
    this.seeking?.abort()
    this.fill.abandon()
    this.call?.abort()
  }

  /** It is of no use to anybody. */
  drop(): void {
    this.asker = undefined
    this.giveUp()
  }

  // ── told by the origin ──────────────────────────────────────────────────────────────────────────────────────

  onHead(head: ResponseHead): void {
    if (this.isOver) return
    const { exchange, ask, fill } = this
    const nowMs = exchange.node.now()
    const unasked = unasked304(head.status, this.askedHeaders, this.call!)
    if (unasked !== undefined) {
      this.call!.abort()
      return this.onError(unasked)
    }
    noteTiming(exchange, this.call!)
    const headers = arrivedHeaders(head, nowMs, false)
    if (head.status === 304 && ask.found.kind === 'stale') {
      this.onNotModified(ask.found.entry, headers, nowMs)
      return
    }
    const range = partOf(head, headers, ask)
    const response = { status: head.status, reason: head.reason, headers }
    if (range === undefined) {
      if (head.status === 206) fill.part = undefined
      const decision = fill.begin(response, nowMs)
      if (this.asker === undefined) return this.goOnAlone()
      this.asker.onOther(this, { head, headers }, decision)
      return
    }
    this.range = range
    this.left = range.end - range.start
    const representation = arrivingRepresentation(headers, range.size)
    // RFC 9111 §3.3: then it is for this one client.
    if (representation.validator === undefined) fill.part = undefined
    const decision = fill.begin(response, nowMs)
    if (this.asker === undefined) this.goOnAlone()
    else this.asker.onPart(this, representation, decision)
  }

  private onNotModified(stale: StoredResponse, headers: HeaderList, nowMs: number): void {
    const refreshed = this.fill.refresh(stale, headers, nowMs)
    this.isOver = true
    const { asker } = this
    this.asker = undefined
    if (refreshed.kind === 'refreshed') {
      asker?.onRefreshed(refreshed.entry, refreshed.stored)
    } else {
      this.fill.abandon()
      asker?.onMismatch()
    }
  }

  /** For the cache and those who wait. */
  private goOnAlone(): void {
    if (!this.fill.isFilling) this.giveUp()
  }

  onData(chunk: Buffer): boolean {
    if (this.isOver) return true
    if (chunk.length <= (this.left ?? Infinity)) this.fill.append(chunk)
    if (!this.onPiece(chunk)) this.brake.pull('client')
    if (this.fill.waitsForDisk(() => this.brake.letGo('disk'))) this.brake.pull('disk')
    return !this.brake.isOn
  }

  /** Of the origin, or of another worker. */
  private onPiece(chunk: Buffer): boolean {
    if (this.left !== undefined) {
      if (chunk.length > this.left) return this.onBroken('is longer than it says')
      this.left -= chunk.length
    }
    if (this.asker !== undefined) return this.pace.write(chunk)
    this.goOnAlone()
    return true
  }

  onEnd(trailers: HeaderList): void {
    if (this.isOver) return
    if (this.left === undefined || this.left === 0) this.fill.finish(this.exchange.node.now())
    this.onWhole(trailers)
  }

  private onWhole(trailers: HeaderList): void {
    if (this.left !== undefined && this.left > 0) {
      this.onBroken('is shorter than it says')
      return
    }
    this.isOver = true
    if (this.asker !== undefined) this.pace.end(trailers)
  }

  private onBroken(what: string): true {
    this.call?.abort()
    this.onError(new EdgeError('origin-garbage', `a part of ${this.objectKey} ${what}`))
    return true
  }

  onError(error: EdgeError): void {
    if (this.isOver) return
    this.isOver = true
    const { exchange } = this
    noteOriginFailure(exchange, error, this.call)
    this.letGo()
    this.fill.fail(error)
    this.tell(error)
  }

  /** It will not come, and the fill knows. */
  private end(error: EdgeError): void {
    if (this.isOver) return
    this.isOver = true
    this.letGo()
    this.tell(error)
  }

  private tell(error: EdgeError): void {
    const { asker } = this
    this.asker = undefined
    asker?.onFetchError(error)
  }

  /** A request for a part has no body. */
  onDrain(): void {}
}

const isRange = (name: string): boolean => name === 'range' || name === 'if-range'

/** The range that came, where it is the one that was asked for. */
function partOf(head: PartHead, headers: HeaderList, { spec }: PartAsk): ContentRange | undefined {
  if (head.status !== 206) return undefined
  if (/^multipart\/byteranges\b/i.test(headerValue(headers, 'content-type') ?? '')) return undefined
  const range = parseContentRange(headerValues(headers, 'content-range'))
  if (range === undefined) return undefined
  const wanted = resolveSpec(spec, range.size)
  if (wanted?.start !== range.start || wanted.end !== range.end) return undefined
  const { framing } = head
  return framing.kind === 'length' && framing.bytes !== range.end - range.start ? undefined : range
}
