/**
 * A request that goes to the origin, and its answer on the way back: to the client, and into the cache where it may be kept.
 *
 * Nothing is held back but the first of a request's body (`body-start.ts`): pieces go to the client as they come, as fast as it takes
 * them (`client-pace.ts`). While a `headerFilter` unit is asked, the few that have arrived wait and the origin is paused. An answer that
 * is cut short is neither ended in order nor stored.
 */
import type { EdgeError } from '../base/errors.ts'
import type { OriginCall, OriginHandler } from '../contract/origin.ts'
import type { FailureReason } from '../contract/unit.ts'
import type { HeaderList, ResponseHead, WireProblem } from '../wire/http1/message.ts'
import { endToEndHeaders } from '../wire/http1/serialise.ts'
import type { InProgress } from './connection-host.ts'
import type { BodyConsumer } from './incoming-body.ts'
import type { Exchange } from './exchange.ts'
import { noteOriginFailure } from './origin-failure.ts'
import { fittedFields, hasNoBody, lengthIn } from './body-fit.ts'
import type { BodyChain } from './body/chain.ts'
import { startChain, transform } from './body/transforms.ts'
import { BodyStart } from './body-start.ts'
import { arrivedHeaders, noteTiming } from './arrived-headers.ts'
import type { CacheJob } from './cache-job.ts'
import { passedFields } from './cache-status-line.ts'
import { Brake } from './brake.ts'
import { ClientPace } from './client-pace.ts'
import { askedOf, onwardHeaders } from './onward-request.ts'
import { askOriginUnits, NOTHING_CHANGED, reviewResponse } from './origin-units.ts'
import type { OriginAsk, Review } from './origin-units.ts'
import { StandIn } from './stand-in.ts'
import { sendToOrigin } from './tracing/origin-span.ts'
import { UnitFailure } from './unit-failure.ts'
import { CLIENT_GONE } from './unit-trip.ts'
import { unasked304 } from './unasked.ts'
import type { UpgradeAsk } from './upgrade/upgrades.ts'

/** So many bytes of a body that nobody is given are read all the same. */
const DRAINED_MAX = 64 * 1024

export class OriginFlow implements OriginHandler, BodyConsumer {
  private readonly exchange: Exchange
  /** What the cache wants of this answer; absent where the site has none or the request passes it by. */
  private readonly job: CacheJob | undefined
  private readonly upgrade: UpgradeAsk | undefined
  private readonly pace: ClientPace
  private call: OriginCall | undefined
  private framing: 'none' | 'length' | 'unknown' = 'none'
  private isDetached = false
  private isOver = false
  /** What came while `originResponse` units look at the head: the cache has seen none of it. */
  private early: Buffer[] | undefined
  private earlyEnd: HeaderList | undefined
  private ask = NOTHING_CHANGED
  private askedHeaders: HeaderList = []
  /** Set while the first of the request's body is waited for: the origin has not been asked. */
  private bodyStart: BodyStart | undefined
  /** A unit answers in the origin's place. */
  private isStandIn = false
  /** The answer has a status that allows no body, because a unit says so: nobody is given what comes. */
  private dropsBody = false
  /** The origin sends one. */
  private hasBody = false
  /** What the body has to pass on its way to the client. */
  private chain: BodyChain | undefined
  /** Bytes of the body still to come, where that is known. */
  private left: number | undefined
  /** Who has no room for more. */
  private readonly brake: Brake

  constructor(exchange: Exchange, job: CacheJob | undefined, upgrade?: UpgradeAsk) {
    this.exchange = exchange
    this.job = job
    this.upgrade = upgrade
    this.brake = new Brake(() => this.call?.resume())
    this.pace = new ClientPace(job, () => this.brake.letGo('client'), this.cutClient)
    if (job !== undefined) job.onRoom = () => this.brake.letGo('readers')
  }

  /** `isDetached`: for the cache alone, nobody is answered. */
  start(isDetached = false): void {
    const { exchange } = this
    this.isDetached = isDetached
    exchange.flow = this.client
    if (exchange.plan.origin.length === 0) return this.prepare(NOTHING_CHANGED)
    askOriginUnits(exchange, {
      ask: (ask) => {
        if (!this.isOver) this.prepare(ask)
      },
      answer: (answer, ask) => {
        if (this.isOver) return answer.stream?.cancel(CLIENT_GONE)
        this.ask = ask
        this.isStandIn = true
        const standIn = new StandIn(answer, this)
        this.call = standIn
        standIn.start((ask.edits?.method ?? exchange.method) !== 'HEAD' && !hasNoBody(answer.status))
      },
      failed: this.onUnitFailed,
    })
  }

  private prepare(ask: OriginAsk): void {
    const { connection } = this.exchange
    const { framing } = this.exchange.head
    if (!connection.hasBody) {
      this.send(ask, 'none')
    } else if (framing.kind === 'length' && framing.bytes > 0) {
      this.ask = ask
      this.bodyStart = new BodyStart(framing.bytes)
      connection.readBody(this)
    } else {
      // One of no bytes is a body in HTTP/2, which ends with a frame of its own.
      this.send(ask, framing.kind === 'length' ? 0 : 'chunked')
      if (!this.isOver) connection.readBody(this)
    }
  }

  private send(ask: OriginAsk, body: 'none' | 'chunked' | number, isWhole = false): void {
    const { exchange } = this
    this.ask = ask
    const endToEnd = onwardHeaders(exchange)
    const headers = this.job?.requestHeaders(endToEnd) ?? endToEnd
    const asked = {
      ...askedOf(exchange, headers, ask.edits),
      body,
      isWhole,
      upgrade: this.upgrade?.protocols,
    }
    this.askedHeaders = asked.headers
    const call = sendToOrigin(exchange, asked, this.upgrade?.handler ?? this)
    this.call = call
    this.upgrade?.handler.onSent(call)
  }

  /** A unit around the origin failed, and its policy is `closed`: for all that wait for this answer. */
  private readonly onUnitFailed = (unit: string, reason: FailureReason): void => {
    if (this.isOver) return
    this.isOver = true
    const { exchange } = this
    this.call?.abort()
    this.job?.fail(new UnitFailure(unit, reason))
    if (this.isDetached) return
    exchange.flow = undefined
    exchange.failUnit(unit, reason)
  }

  /** As it was asked before: `origin` units have been heard. */
  again(ask: OriginAsk, isDetached: boolean): void {
    this.isDetached = isDetached
    this.exchange.flow = this.client
    this.prepare(ask)
  }

  /** What the client does while the answer is under way. */
  private readonly client: InProgress = {
    onDrain: () => this.pace.onRoom(),
    onGone: () => {
      // Others wait for this answer: it is fetched to its end for them.
      if (this.job?.isWanted === true && this.bodyStart === undefined) this.detach()
      else this.giveUp()
    },
  }

  /** What it is still to get cannot be read any more. */
  private readonly cutClient = (): void => {
    this.chain?.breakOff()
    this.client.onGone()
    this.exchange.connection.cut()
  }

  /** The client has its answer, or is gone: what comes is for the cache alone. */
  private detach(): void {
    this.isDetached = true
    this.pace.close()
    this.exchange.flow = undefined
    this.brake.letGo('client')
  }

  private giveUp(): void {
    if (this.isOver) return
    this.isOver = true
    this.pace.close()
    this.job?.abandon()
    this.call?.abort()
  }

  /** Somebody else goes on with the call. */
  release(): void {
    this.isOver = true
    this.exchange.flow = undefined
  }

  /** The origin's answer is none. */
  abortWith(error: EdgeError): void {
    this.call?.abort()
    this.onError(error)
  }

  // ── the request's body ──────────────────────────────────────────────────────────────────────────────────────

  onBody(chunk: Buffer): boolean {
    if (this.isOver) return true
    const { bodyStart } = this
    if (bodyStart === undefined) return this.call!.write(chunk)
    const first = bodyStart.take(chunk)
    if (first === undefined) return true
    this.bodyStart = undefined
    this.send(this.ask, bodyStart.total, first.length === bodyStart.total)
    return this.isOver || this.call!.write(first)
  }

  onBodyEnd(trailers: HeaderList): void {
    if (!this.isOver) this.call!.end(trailers)
  }

  onBodyProblem(status: WireProblem['status'], reason: string): void {
    if (this.isOver) return
    const { connection } = this.exchange
    this.giveUp()
    if (connection.hasSentHead) connection.cut()
    else this.exchange.answerError(status, reason)
  }

  onDrain(): void {
    this.exchange.connection.resumeBody()
  }

  // ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────

  onInformational(head: ResponseHead): void {
    // 100 is between us and the client; hints such as 103 are for the client.
    if (head.status !== 100)
      this.exchange.connection.sendInformational(head.status, endToEndHeaders(head.headers, head.nominated))
  }

  onHead(head: ResponseHead): void {
    const { exchange, job } = this
    if (!this.isStandIn) {
      const unasked = unasked304(head.status, this.askedHeaders, this.call!)
      if (unasked !== undefined) return this.abortWith(unasked)
      noteTiming(exchange, this.call!)
    }
    const headers = arrivedHeaders(head, exchange.node.now(), this.isStandIn)
    if (exchange.plan.originResponse.length === 0) return this.onHeaders(head, headers, undefined)
    const came = job === undefined ? { ...head, headers } : job.toReview(head, headers)
    if (came === undefined) return this.onHeaders(head, headers, undefined)
    this.early = []
    reviewResponse(exchange, this.ask, came, {
      reviewed: (review) => {
        if (!this.isOver) this.onReviewed(head, headers, review)
      },
      failed: this.onUnitFailed,
    })
  }

  /** What came meanwhile comes now. */
  private onReviewed(head: ResponseHead, headers: HeaderList, review: Review): void {
    const early = this.early!
    this.early = undefined
    this.onHeaders(head, headers, review)
    for (const chunk of early) this.onData(chunk)
    if (this.earlyEnd !== undefined) this.onEnd(this.earlyEnd)
  }

  /** The head as the origin sent it, and as units left it. */
  private onHeaders(head: ResponseHead, cameHeaders: HeaderList, review: Review | undefined): void {
    const { exchange, job } = this
    const { status, reason, headers } = review ?? { ...head, headers: cameHeaders }
    const verdict = job?.onHead(head, cameHeaders, review)
    if (verdict?.kind === 'answered') return this.detach()
    if (verdict?.kind === 'again') {
      this.isOver = true
      new OriginFlow(exchange, job).again(this.ask, this.isDetached)
      return
    }
    this.framing =
      head.framing.kind === 'length' || head.framing.kind === 'none' ? head.framing.kind : 'unknown'
    this.left = head.framing.kind === 'length' ? head.framing.bytes : undefined
    this.hasBody = head.framing.kind !== 'none'
    this.dropsBody = hasNoBody(status)
    if (this.isDetached) return
    const fields = passedFields(exchange, headers, verdict?.cacheStatus)
    exchange.finishHead(
      { status, reason, fields, source: this.isStandIn ? 'unit' : 'origin' },
      (fields, status, reason) => {
        // It broke off while `headerFilter` was asked, and an error is on its way.
        if (this.isOver) return
        if (exchange.mayTransform) this.startTransformed(fields, status, reason)
        else this.startStream(`HTTP/1.1 ${status} ${reason}\r\n${this.fitFraming(fields, status)}`)
      },
    )
  }

  private fitFraming(fields: string, status: number): string {
    const fitted = fittedFields(fields, this.framing !== 'none', status, this.exchange.head.method === 'HEAD')
    if (fitted !== undefined) this.framing = 'none'
    return fitted ?? fields
  }

  private startTransformed(fields: string, status: number, reason: string): void {
    const { exchange } = this
    // A HEAD is told what a GET would be.
    const isHead = exchange.head.method === 'HEAD'
    const bytes = this.framing === 'none' ? (isHead ? lengthIn(fields) : 0) : this.left
    const outgoing = { status, reason, fields, bytes }
    const transformed = transform(exchange, outgoing)
    if (transformed === undefined) return
    if (transformed.links.length === 0 && transformed.coding === undefined) {
      exchange.finalFields = transformed.fields
      this.startStream(`HTTP/1.1 ${status} ${reason}\r\n${this.fitFraming(transformed.fields, status)}`)
      return
    }
    this.chain = startChain(exchange, outgoing, transformed, {
      resume: () => this.pace.onRoom(),
      abort: () => this.client.onGone(),
    })
    const { chain } = this
    this.pace.open({
      write: (chunk) => {
        if (this.left !== undefined) this.left -= chunk.length
        return chain.write(Buffer.from(chunk), this.left === 0)
      },
      end: (trailers) => this.finish(trailers),
    })
    if (!this.isOver) queueMicrotask(() => chain.flush())
  }

  private startStream(head: string): void {
    const { connection } = this.exchange
    connection.startStream(head, this.framing)
    // The body is not the client's: it does not wait until that has come, or for ever.
    if (this.hasBody && (this.framing === 'none' || this.exchange.head.method === 'HEAD')) {
      this.detach()
      connection.endStream([])
      this.exchange.done()
      return
    }
    this.pace.open({
      write: (chunk) => connection.sendChunk(chunk),
      end: (trailers) => this.finish(trailers),
    })
    // The first piece mostly comes with the head, in one write; a head alone does not wait for it.
    queueMicrotask(() => {
      if (!this.isOver) connection.flushHead()
    })
  }

  onData(chunk: Buffer): boolean {
    if (this.isOver) return true
    if (this.early !== undefined) {
      this.early.push(Buffer.from(chunk))
      return false
    }
    if (!this.dropsBody && this.job?.append(chunk) === false) this.brake.pull('readers')
    // The cache may have refused it after all, as too large, and nobody else wants it.
    if (this.dropsBody || (this.isDetached && this.job?.isFilling !== true && this.job?.isWanted !== true)) {
      // Of a few bytes the end is waited for: the connection is worth more.
      if (this.left === undefined || this.left > DRAINED_MAX) {
        this.call?.abort()
        this.onEnd([])
      }
      return true
    }
    if (!this.isDetached && !this.pace.write(chunk)) this.brake.pull('client')
    if (this.job?.waitsForDisk(() => this.brake.letGo('disk')) === true) this.brake.pull('disk')
    return !this.brake.isOn
  }

  onEnd(trailers: HeaderList): void {
    if (this.isOver) return
    if (this.early !== undefined) {
      this.earlyEnd = trailers
      return
    }
    this.job?.finish()
    if (this.isDetached) this.isOver = true
    else this.pace.end(trailers)
  }

  private finish(trailers: HeaderList): void {
    if (this.isOver) return
    this.isOver = true
    if (this.chain !== undefined) return this.chain.end(trailers)
    this.exchange.flow = undefined
    this.exchange.connection.endStream(trailers)
    this.exchange.done()
  }

  onError(error: EdgeError): void {
    if (this.isOver) return
    this.isOver = true
    const { exchange } = this
    noteOriginFailure(exchange, error, this.call)
    this.pace.close()
    this.job?.fail(error)
    if (this.isDetached) return
    this.chain?.breakOff()
    exchange.flow = undefined
    if (exchange.connection.hasSentHead) exchange.connection.cut()
    else if (this.job?.answerStale() !== true) exchange.answerOriginError(error)
  }
}
