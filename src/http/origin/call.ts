/**
 * One request to the origin, from `send` to its last callback, over however many attempts it takes.
 *
 * A request is tried again where that can do no harm, and in no other case: no connection could be made, so nothing was sent; or
 * the method is idempotent, no body was sent, and a kept connection was closed under it, or `retries.on` names what went wrong. Pieces
 * of the body that come before there is a connection wait here, so that they do not stand in the way of the first case.
 */
import assert from 'node:assert/strict'
import type { Clock } from '../../base/clock.ts'
import type { EdgeError } from '../../base/errors.ts'
import type { OriginHandler, OriginRequest, SentCall } from '../../contract/origin.ts'
import type { HeaderList, ResponseHead } from '../../wire/http1/message.ts'
import type { Member } from './member.ts'
import type { OriginConnection } from './origin-connection.ts'
import { bodyEnd, bodyPiece } from './request-text.ts'

/** Chooses where the next attempt goes. */
export interface Attempts {
  /** Elsewhere, after this error; false where the request may not or cannot be tried again. */
  failOver(call: Call, error: EdgeError): boolean
  /** Elsewhere, after an answer with this status; false: this answer is passed on. */
  onStatus(call: Call, status: number): boolean
  /** The answer that is passed on, or that there is none. */
  onOutcome?(call: Call, outcome: number | EdgeError): void
}

/** RFC 9110 §9.2.2: sending them twice does what sending them once does. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])
const NOBODY: readonly Member[] = []

export class Call implements SentCall {
  readonly request: OriginRequest
  endpoint = ''
  connectMs = 0
  responseMs = 0
  /** The endpoint it is at. Set by `goTo`. */
  member: Member | undefined = undefined
  /** Those that failed it before; none for nearly all calls. */
  tried: readonly Member[] = NOBODY
  /** How often it was tried again. */
  retries = 0
  /** When it gives up waiting for a connection. */
  waitDeadline = 0
  /** The request has left whole. */
  isSent: boolean
  /** Nothing more is told to the handler. */
  isOver = false
  private readonly handler: OriginHandler
  private readonly owner: Attempts
  private readonly clock: Clock
  readonly startedAt: number
  /** When it went to the endpoint where it is. */
  private wentAt: number
  private connection: OriginConnection | undefined = undefined
  private wasRenewed = false
  private bodyStarted = false
  /** The origin answered before it had the body, and it does not want the rest. */
  private isRefusingBody = false
  /** Of a body of known length. */
  private bodyLeft: number
  private held: (string | Buffer)[] = []
  private needsDrain = false
  /** The handler has the head of an answer. */
  private isPassedOn = false
  /** The origin speaks another protocol now. */
  private isSwitched = false
  /** Set while waiting or connecting: how to be taken out. */
  cancel: (() => void) | undefined = undefined

  constructor(request: OriginRequest, handler: OriginHandler, owner: Attempts, clock: Clock) {
    this.request = request
    this.handler = handler
    this.owner = owner
    this.clock = clock
    this.startedAt = clock.monotonic()
    this.wentAt = this.startedAt
    this.isSent = request.body === 'none' || request.body === 0
    this.bodyLeft = typeof request.body === 'number' ? request.body : 0
  }

  // ── the owner's side ────────────────────────────────────────────────────────────────────────────────────────────

  /** RFC 9110 §9.2.2, and nothing of a body has left. */
  get isSafeToRepeat(): boolean {
    return !this.bodyStarted && IDEMPOTENT.has(this.request.method)
  }

  /** Its body comes at the pace of a client, who may take all the time there is. */
  get isUpload(): boolean {
    return !this.isSent && this.request.isWhole !== true
  }

  /** The endpoint where it is failed, and it goes on: see `goTo`. */
  countRetry(reason: string | number): void {
    this.retries += 1
    this.handler.onRetry?.(this.endpoint, reason)
  }

  goTo(member: Member): void {
    if (this.member !== undefined) {
      this.tried = [...this.tried, this.member]
      this.wentAt = this.clock.monotonic()
    }
    this.member = member
    member.take(this, false)
  }

  /** The attempt is over. */
  private leave(error?: EdgeError): void {
    const { member } = this
    if (member === undefined) return
    member.onLeave(this)
    if (error !== undefined) member.onError(error, this.clock.monotonic())
  }

  // ── the pipeline's side ───────────────────────────────────────────────────────────────────────────────────────

  write(chunk: Buffer): boolean {
    if (this.isOver || this.isRefusingBody || chunk.length === 0) return true
    assert(!this.isSent, 'write after the end of a request')
    const isChunked = this.request.body === 'chunked'
    if (!isChunked) {
      this.bodyLeft -= chunk.length
      assert(this.bodyLeft >= 0, 'a request longer than it said')
    }
    return this.put(bodyPiece(chunk, isChunked))
  }

  end(trailers: HeaderList = []): void {
    if (this.isOver || this.isRefusingBody || this.isSent) return
    assert(this.bodyLeft === 0, 'a request shorter than it said')
    this.isSent = true
    const ending = bodyEnd(this.request.body === 'chunked', trailers)
    if (ending !== '') this.put(ending)
    this.connection?.onRequestSent()
    this.member?.endpoint.onSent(this)
  }

  resume(): void {
    if (!this.isOver) this.connection?.resume()
  }

  relay(bytes: Buffer): boolean {
    if (this.connection === undefined) return true
    const flowing = this.connection.write(bodyPiece(bytes, false))
    this.needsDrain = !flowing
    return flowing
  }

  endRelay(): void {
    this.connection?.end()
  }

  abort(): void {
    if (this.isOver) return
    this.isOver = true
    this.cancel?.()
    this.connection?.destroy()
    this.connection = undefined
    this.leave()
  }

  private put(piece: string | Buffer): boolean {
    if (this.connection === undefined) {
      this.held.push(piece)
      this.needsDrain = true
      return false
    }
    this.bodyStarted = true
    const flowing = this.connection.write(piece)
    this.needsDrain = !flowing
    return flowing
  }

  // ── the connection's side ─────────────────────────────────────────────────────────────────────────────────────

  /** A connection is ready and has sent the head. */
  onConnection(connection: OriginConnection, isKept: boolean): void {
    this.cancel = undefined
    this.connection = connection
    this.connectMs = isKept ? 0 : this.clock.monotonic() - this.wentAt
    if (this.held.length === 0) return
    const held = this.held
    this.held = []
    this.bodyStarted = true
    let flowing = true
    for (const piece of held) flowing = connection.write(piece)
    if (this.needsDrain && flowing) this.onDrain()
  }

  onDrain(): void {
    if (this.isOver || !this.needsDrain) return
    this.needsDrain = false
    if (!this.isSent || this.isSwitched) this.handler.onDrain()
  }

  onInformational(head: ResponseHead): void {
    if (!this.isOver) this.handler.onInformational?.(head)
  }

  onHead(head: ResponseHead): void {
    const now = this.clock.monotonic()
    this.responseMs = now - this.startedAt
    this.isSwitched = head.status === 101
    this.member?.onAnswer(head.status, this.connectMs, now - this.wentAt, now)
    if (head.status >= 400 && this.isSafeToRepeat && this.owner.onStatus(this, head.status)) return
    // RFC 9112 §9.3: who is told no stops sending. A 2xx may be an origin that answers while it reads, so that goes on.
    if (!this.isSent && head.status >= 300) this.refuseBody()
    if (this.isOver) return
    this.isPassedOn = true
    this.owner.onOutcome?.(this, head.status)
    this.handler.onHead(head)
  }

  /** False: the handler wants a pause. */
  onData(chunk: Buffer): boolean {
    return this.isOver || this.handler.onData(chunk)
  }

  onEnd(trailers: HeaderList): void {
    if (this.isOver) return
    this.refuseBody()
    this.isOver = true
    this.connection = undefined
    this.leave()
    this.handler.onEnd(trailers)
  }

  /** From here on pieces of the body are thrown away; a client that waits to send them must be let go. */
  private refuseBody(): void {
    if (this.isSent) return
    this.isRefusingBody = true
    this.onDrain()
  }

  /** No connection could be made: nothing was sent. */
  onConnectFailure(error: EdgeError): void {
    this.cancel = undefined
    if (this.isOver) return
    this.failOver(error)
  }

  /** The connection ended before the answer did. */
  onEarlyEnd(error: EdgeError, isKept: boolean, isUntouched: boolean): void {
    this.connection = undefined
    if (this.isOver) return
    if (!isUntouched || !this.isSafeToRepeat) {
      this.fail(error)
    } else if (isKept && !this.wasRenewed && this.member !== undefined) {
      // The kept ones are doubtful: once more, on a new one.
      this.wasRenewed = true
      this.member.endpoint.take(this, true)
    } else {
      this.failOver(error)
    }
  }

  /** No head came in time. */
  onNoAnswer(error: EdgeError): void {
    this.connection = undefined
    if (this.isOver) return
    if (this.isSafeToRepeat) this.failOver(error)
    else this.fail(error)
  }

  /** Lets go of an answer that is not passed on. */
  dropAnswer(): void {
    this.connection?.destroy()
    this.connection = undefined
    this.leave()
  }

  private failOver(error: EdgeError): void {
    this.leave(error)
    if (!this.owner.failOver(this, error)) this.tell(error)
  }

  fail(error: EdgeError): void {
    if (this.isOver) return
    // After a switch the origin has answered; how its connection ends then says nothing of it.
    this.leave(this.isSwitched ? undefined : error)
    this.tell(error)
  }

  private tell(error: EdgeError): void {
    this.connection = undefined
    this.cancel = undefined
    this.isOver = true
    if (!this.isPassedOn) this.owner.onOutcome?.(this, error)
    this.handler.onError(error)
  }
}
