/**
 * One request of an HTTP/2 connection, and its answer: what the pipeline speaks to.
 *
 * What goes to the client waits here (`AnswerQueue`) up to what whoever sends gets told: `sendChunk` says false while anything waits.
 * What comes from the client is `RequestBody`'s.
 */
import type { Socket } from 'node:net'
import type { HeaderList, RequestHead } from '../../wire/http1/message.ts'
import { ERROR, FLAG, FRAME_BYTES_MAX, FRAME_HEAD_BYTES } from '../../wire/http2/frames.ts'
import { encodeField, encodeFields, encodeResponseHead } from '../../wire/http2/hpack-encoder.ts'
import type { BodyFraming } from '../answer-writer.ts'
import type { StoredBody } from '../caching/stored-body.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { Answering } from '../connection-host.ts'
import type { Peer, PeerFacts } from '../forwarding/peer.ts'
import type { BodyConsumer } from '../incoming-body.ts'
import type { ListenerFacts } from '../listener-facts.ts'
import { AnswerQueue } from './answer-queue.ts'
import type { Http2Connection } from './connection.ts'
import { DRIBBLE_BYTES } from './flood-guard.ts'
import type { Waiting } from './outflow.ts'
import { type BodyOwner, RequestBody } from './request-body.ts'

export class Http2Stream implements ClientConnection, BodyOwner, Waiting {
  readonly id: number
  /** What the client takes of the answer's body at the moment; below zero where it took back what it gave. */
  sendWindow: number
  private readonly connection: Http2Connection
  private readonly head: RequestHead
  inProgress: Answering | undefined
  private isHeadSent = false
  private isClosed = false
  /** Undefined where the request has none. */
  private readonly body: RequestBody | undefined
  private isContinueOwed: boolean

  // Out.
  private headBytes = 0
  private bodyBytes = 0
  private dataFrames = 0
  /** The head of a stream, until its first piece has come. */
  private pendingHead: string | undefined
  private queue: AnswerQueue | undefined
  private onStoredSent: (() => void) | undefined
  private isEnding = false
  private trailers: HeaderList = []
  private hasNoBody = false
  /** Follows the answer where the client still sends, or was malformed. */
  private resetCode: number = ERROR.none
  /** Until when the client has to take something of what waits. */
  private deadline = Number.POSITIVE_INFINITY

  constructor(
    connection: Http2Connection,
    id: number,
    head: RequestHead,
    isEnded: boolean,
    sendWindow: number,
  ) {
    this.connection = connection
    this.id = id
    this.head = head
    this.sendWindow = sendWindow
    this.isContinueOwed = head.expectContinue
    this.body = isEnded ? undefined : new RequestBody(this, head)
  }

  get socket(): Socket {
    return this.connection.socket
  }

  get ends(): PeerFacts {
    return this.connection.ends
  }

  get peer(): Peer | undefined {
    return this.connection.peer
  }

  set peer(peer: Peer | undefined) {
    this.connection.peer = peer
  }

  get listener(): ListenerFacts {
    return this.connection.listener
  }

  attach(inProgress: Answering): void {
    this.inProgress = inProgress
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────

  get hasBody(): boolean {
    return this.body !== undefined && !this.body.isRead
  }

  /** What the client still sends; undefined where it has sent all. */
  get receiving(): RequestBody | undefined {
    return this.body?.hasEnded === false ? this.body : undefined
  }

  readBody(consumer: BodyConsumer): void {
    if (this.isContinueOwed) this.sendInformational(100, [])
    this.isContinueOwed = false
    this.body?.read(consumer)
  }

  resumeBody(): void {
    this.body?.resume()
  }

  get bodyBytesMax(): number {
    return this.connection.host.limits.bodyBytes
  }

  bodyDeadline(): number {
    return this.connection.bodyDeadline()
  }

  onRead(bytes: number): void {
    this.connection.giveBack(bytes)
  }

  onWindow(bytes: number): void {
    if (!this.isClosed) this.connection.writeWindowUpdate(this.id, bytes)
  }

  onBodyFailed(code: number | undefined): void {
    if (code !== undefined) this.resetCode = code
  }

  breakOff(code: number): void {
    this.reset(code)
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get hasSentHead(): boolean {
    return this.isHeadSent
  }

  /** There is something that only waits for a window or the socket. */
  get isWaiting(): boolean {
    return this.queue !== undefined && this.queue.bytes > 0
  }

  private beginHead(head: string): string {
    const block = encodeResponseHead(head)
    this.isHeadSent = true
    this.headBytes += block.length + FRAME_HEAD_BYTES
    return block
  }

  /** The answer is out, or surely will be: writes down what it took, and lets go of who answered. */
  private settle(): void {
    const { inProgress } = this
    if (inProgress === undefined) return
    this.inProgress = undefined
    this.tell(inProgress, this.queue?.bytes ?? 0)
  }

  /** `waiting`: bytes of the body that have yet to leave, in frames of their own. */
  private tell(inProgress: Answering, waiting: number): void {
    const frames = this.dataFrames + Math.ceil(waiting / FRAME_BYTES_MAX)
    inProgress.headBytes = this.headBytes + frames * FRAME_HEAD_BYTES
    inProgress.bytesSent = inProgress.headBytes + this.bodyBytes
    inProgress.bytesReceived = this.head.raw.length + (this.body?.received ?? 0)
  }

  sendWhole(head: string, body: string | Buffer): void {
    if (this.isClosed) return
    this.pendingHead = undefined
    const block = this.beginHead(head)
    const { connection, id } = this
    const { length } = body
    this.bodyBytes = length
    if (length === 0) {
      connection.outflow.writeHead(block, id, true)
      this.finish()
    } else if (typeof body === 'string' && length <= this.sendWindow && connection.outflow.canSend(length)) {
      connection.outflow.writeHead(block, id, false)
      this.writeData(body, FLAG.endStream)
      this.finish()
    } else {
      connection.outflow.writeHead(block, id, false)
      this.queue = new AnswerQueue()
      this.queue.push(typeof body === 'string' ? Buffer.from(body, 'latin1') : body)
      this.isEnding = true
      this.settle()
      this.pump()
    }
  }

  sendStored(head: string, body: StoredBody, onSent: () => void, part = body.whole): void {
    if (this.isClosed) return
    const length = part.end - part.start
    this.connection.outflow.writeHead(this.beginHead(head), this.id, length === 0)
    this.bodyBytes = length
    this.queue = new AnswerQueue(body, part)
    this.onStoredSent = onSent
    this.isEnding = true
    if (length === 0) this.finish()
    else this.pump()
  }

  startStream(head: string, body: BodyFraming): void {
    this.hasNoBody = body === 'none' || this.head.method === 'HEAD'
    this.pendingHead = head
  }

  flushHead(): void {
    const head = this.pendingHead
    if (head === undefined || this.isClosed) return
    this.pendingHead = undefined
    this.connection.outflow.writeHead(this.beginHead(head), this.id, this.hasNoBody)
  }

  sendChunk(chunk: Buffer): boolean {
    return this.send(chunk, false)
  }

  sendParts(parts: readonly Buffer[]): boolean {
    let isFlowing = true
    for (const part of parts) isFlowing = this.send(part, true)
    return isFlowing
  }

  private send(chunk: Buffer, isOurs: boolean): boolean {
    if (this.hasNoBody || this.isClosed || chunk.length === 0) return true
    this.flushHead()
    const { connection } = this
    const { length } = chunk
    this.bodyBytes += length
    if (!this.isWaiting && length <= this.sendWindow && connection.outflow.canSend(length)) {
      this.writeData(chunk.toString('latin1'), 0)
    } else {
      this.queue ??= new AnswerQueue()
      this.queue.push(isOurs ? chunk : Buffer.from(chunk))
      this.pump()
    }
    if (this.isWaiting) return false
    if (!connection.outflow.isFull) return true
    this.wait()
    return false
  }

  endStream(trailers: HeaderList): void {
    if (this.isClosed) return
    if (this.hasNoBody) {
      this.flushHead()
      this.finish()
      return
    }
    this.trailers = trailers
    this.isEnding = true
    if (this.isWaiting) this.settle()
    else this.sendEnd()
  }

  sendInformational(status: number, headers: HeaderList): void {
    // RFC 9113 §8.6: there is no switching of protocols.
    if (this.isHeadSent || this.isClosed || status === 101) return
    const block = encodeField(':status', String(status)) + encodeFields(headers)
    this.headBytes += block.length + FRAME_HEAD_BYTES
    this.connection.outflow.writeHead(block, this.id, false)
  }

  cut(): void {
    this.reset(ERROR.internal)
  }

  private writeData(text: string, flags: number): void {
    this.sendWindow -= text.length
    this.dataFrames += 1
    this.connection.outflow.writeData(text, this.id, flags)
  }

  /** Sends what waits, as far as windows and the socket allow. */
  private pump(): void {
    const { connection, queue } = this
    while (!this.isClosed && queue !== undefined && queue.bytes > 0) {
      const bytes = Math.min(FRAME_BYTES_MAX, this.sendWindow, connection.outflow.window, queue.bytes)
      if (bytes <= 0 || connection.outflow.isFull) {
        this.wait()
        return
      }
      const piece = queue.take(bytes)
      if (piece === undefined) return this.cut()
      const isLast = this.isEnding && queue.bytes === 0 && this.trailers.length === 0
      this.writeData(piece.toString('latin1'), isLast ? FLAG.endStream : 0)
      if (isLast) this.finish()
      else if (piece.length < DRIBBLE_BYTES && queue.bytes > 0) connection.onDribble()
    }
    if (this.isClosed) return
    this.deadline = Number.POSITIVE_INFINITY
    if (this.isEnding) this.sendEnd()
  }

  /** Until there is room. Who sends may have been told to wait while nothing waits here: the client has its time all the same. */
  private wait(): void {
    this.deadline = this.connection.bodyDeadline()
    this.connection.outflow.wait(this)
  }

  /** There is room again: sends on, and tells whoever was told to wait. */
  wake(): void {
    this.pump()
    if (this.isClosed || this.isWaiting || this.isEnding) return
    if (this.connection.outflow.isFull) this.wait()
    else this.inProgress?.onDrain()
  }

  private sendEnd(): void {
    const block = encodeFields(this.trailers)
    this.flushHead()
    if (block === '') {
      this.writeData('', FLAG.endStream)
    } else {
      this.headBytes += block.length + FRAME_HEAD_BYTES
      this.connection.outflow.writeHead(block, this.id, true)
    }
    this.finish()
  }

  /** The answer is out. A client that still sends is told to stop: nobody reads it (RFC 9113 §8.1). */
  private finish(): void {
    if (this.isClosed) return
    const { onStoredSent } = this
    this.onStoredSent = undefined
    this.settle()
    onStoredSent?.()
    if (this.receiving === undefined && this.resetCode === ERROR.none) this.connection.closeStream(this)
    else this.connection.resetStream(this, this.resetCode)
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Breaks it off, with this error to the client. */
  reset(code: number): void {
    if (this.isClosed) return
    this.connection.resetStream(this, code)
    this.gone()
  }

  /** The client has gone, or broke it off. */
  gone(): void {
    const { inProgress } = this
    this.inProgress = undefined
    this.release()
    if (inProgress === undefined) return
    this.tell(inProgress, 0)
    inProgress.onGone()
  }

  /** It is no more: nothing is sent or read. */
  release(): void {
    this.isClosed = true
    this.onStoredSent = undefined
    // What waited does not leave any more.
    this.bodyBytes -= this.queue?.bytes ?? 0
    this.queue = undefined
    this.body?.release()
  }

  checkDeadline(nowMs: number): void {
    // Its window, or the connection, has been full for too long.
    if (nowMs >= this.deadline) this.reset(ERROR.cancel)
    else this.body?.checkDeadline(nowMs)
  }
}
