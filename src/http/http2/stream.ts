/**
 * One request of an HTTP/2 connection, and its answer.
 *
 * What the client sends waits here up to the window it was given, and gives the window back as it is read. What goes to the client
 * waits here up to what whoever sends gets told: `sendChunk` says false while anything waits.
 */
import type { Socket } from 'node:net'
import type { HeaderList, RequestHead, WireProblem } from '../../wire/http1/message.ts'
import {
  ERROR,
  FRAME,
  FLAG,
  FRAME_BYTES_MAX,
  FRAME_HEAD_BYTES,
  frameHead,
  headersFrames,
} from '../../wire/http2/frames.ts'
import { encodeField, encodeFields, encodeResponseHead } from '../../wire/http2/hpack-encoder.ts'
import type { BodyFraming } from '../answer-writer.ts'
import type { StoredBody } from '../caching/stored-body.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { Answering } from '../connection-host.ts'
import type { Peer, PeerFacts } from '../forwarding/peer.ts'
import type { BodyConsumer } from '../incoming-body.ts'
import type { ListenerFacts } from '../listener-facts.ts'
import type { Http2Connection } from './connection.ts'

/** What the client may send of a body before we read it. */
export const STREAM_WINDOW = 128 * 1024

export class Http2Stream implements ClientConnection {
  readonly id: number
  private readonly connection: Http2Connection
  private readonly head: RequestHead
  private inProgress: Answering | undefined
  private isHeadSent = false
  private isClosed = false

  // In.
  private isRemoteEnded: boolean
  private isBodyRead: boolean
  private consumer: BodyConsumer | undefined
  private isPaused = false
  private inbox: Buffer[] = []
  private received = 0
  private trailersIn: HeaderList = []
  private receiveWindow = STREAM_WINDOW
  /** Read, and not given back to the client yet. */
  private owed = 0
  private isContinueOwed: boolean

  // Out.
  private headBytes = 0
  private bodyBytes = 0
  sendWindow: number
  private pendingHead: string | undefined
  private queue: Buffer[] = []
  /** Of the first piece of the queue, what has left. */
  private queueAt = 0
  private stored: { readonly body: StoredBody; at: number; readonly onSent: () => void } | undefined
  /** Bytes that wait for windows or the socket. */
  pending = 0
  private isEnding = false
  private trailersOut: HeaderList = []
  private hasNoBody = false
  /** Follows the answer where the client still sends, or was malformed. */
  private resetCode: number = ERROR.none
  deadline = Number.POSITIVE_INFINITY

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
    this.isRemoteEnded = isEnded
    this.isBodyRead = isEnded
    this.sendWindow = sendWindow
    this.isContinueOwed = head.expectContinue
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
    return !this.isBodyRead
  }

  /** The client still sends. */
  get isReceiving(): boolean {
    return !this.isRemoteEnded
  }

  readBody(consumer: BodyConsumer): void {
    this.consumer = consumer
    this.deadline = this.connection.bodyDeadline()
    if (this.isContinueOwed && !this.isHeadSent)
      this.connection.write(headersFrames(encodeField(':status', '100'), this.id, false))
    this.isContinueOwed = false
    this.deliver()
  }

  resumeBody(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.deliver()
    this.payBack()
  }

  /** A DATA frame. False: it is more than the window allows. */
  receive(bytes: Buffer, counted: number, isEnd: boolean): boolean {
    this.receiveWindow -= counted
    if (this.receiveWindow < 0) return false
    // Padding is read as soon as it comes.
    this.giveBack(counted - bytes.length)
    this.received += bytes.length
    const { framing } = this.head
    const { bodyBytes } = this.connection.host.limits
    if (framing.kind === 'length' && this.received > framing.bytes) {
      this.giveBack(bytes.length)
      this.failBody(400, 'the body is longer than Content-Length says', true)
    } else if (this.received > bodyBytes) {
      this.giveBack(bytes.length)
      this.failBody(413, `the body may have ${bodyBytes} bytes`, false)
    } else {
      if (isEnd) this.isRemoteEnded = true
      if (this.isRemoteEnded && framing.kind === 'length' && this.received < framing.bytes) {
        this.giveBack(bytes.length)
        this.failBody(400, 'the body is shorter than Content-Length says', true)
      } else if (this.consumer !== undefined && !this.isPaused && this.inbox.length === 0) {
        this.deadline = this.connection.bodyDeadline()
        this.hand(bytes)
        this.endBody()
      } else if (bytes.length > 0) {
        this.inbox.push(Buffer.from(bytes))
      }
    }
    return true
  }

  receiveTrailers(trailers: HeaderList): void {
    this.trailersIn = trailers
    this.receive(Buffer.alloc(0), 0, true)
  }

  private deliver(): void {
    while (this.inbox.length > 0 && !this.isPaused && this.consumer !== undefined)
      this.hand(this.inbox.shift()!)
    this.endBody()
  }

  private hand(bytes: Buffer): void {
    if (bytes.length === 0) return
    if (!this.consumer!.onBody(bytes)) this.isPaused = true
    this.giveBack(bytes.length)
  }

  private endBody(): void {
    const { consumer } = this
    if (!this.isRemoteEnded || this.isBodyRead || consumer === undefined || this.inbox.length > 0) return
    this.isBodyRead = true
    this.consumer = undefined
    this.deadline = Number.POSITIVE_INFINITY
    consumer.onBodyEnd(this.trailersIn)
  }

  /** The body cannot be read on. What the client is told by status it is told by a reset too, where the message is malformed. */
  failBody(status: WireProblem['status'], reason: string, isMalformed: boolean): void {
    const { consumer } = this
    this.consumer = undefined
    this.dropInbox()
    this.isBodyRead = true
    this.deadline = Number.POSITIVE_INFINITY
    if (consumer === undefined) {
      // Nobody reads it yet, so nobody could answer: whoever works on the request is told that the client has gone.
      if (isMalformed) this.reset(ERROR.protocol)
      else this.reset(ERROR.cancel)
      return
    }
    if (isMalformed) this.resetCode = ERROR.protocol
    consumer.onBodyProblem(status, reason)
  }

  private giveBack(bytes: number): void {
    if (bytes === 0) return
    this.connection.giveBack(bytes)
    if (this.isRemoteEnded || this.isClosed) return
    this.owed += bytes
    this.payBack()
  }

  private payBack(): void {
    if (this.isRemoteEnded || this.isClosed) return
    if (this.owed < STREAM_WINDOW / 2 || this.isPaused) return
    this.receiveWindow += this.owed
    this.connection.sendWindowUpdate(this.id, this.owed)
    this.owed = 0
  }

  private dropInbox(): void {
    for (const { length } of this.inbox) this.connection.giveBack(length)
    this.inbox = []
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get hasSentHead(): boolean {
    return this.isHeadSent
  }

  private beginHead(head: string): string {
    const block = encodeResponseHead(head)
    this.isHeadSent = true
    this.headBytes = block.length + FRAME_HEAD_BYTES
    return block
  }

  /** The answer is out, or surely will be: writes down what it took, and lets go of who answered. */
  private settle(): void {
    const { inProgress } = this
    if (inProgress === undefined) return
    this.inProgress = undefined
    const frames = Math.ceil(this.bodyBytes / FRAME_BYTES_MAX)
    inProgress.headBytes = this.headBytes
    inProgress.bytesSent = this.headBytes + this.bodyBytes + frames * FRAME_HEAD_BYTES
    inProgress.bytesReceived = this.head.raw.length + this.received
  }

  sendWhole(head: string, body: string | Buffer): void {
    if (this.isClosed) return
    const block = this.beginHead(head)
    const { connection, id } = this
    const { length } = body
    this.bodyBytes = length
    this.settle()
    if (length === 0) {
      connection.write(headersFrames(block, id, true))
      this.finish()
      return
    }
    if (
      typeof body === 'string' &&
      this.pending === 0 &&
      connection.canSend(length) &&
      length <= this.sendWindow
    ) {
      connection.sendWindow -= length
      connection.write(
        headersFrames(block, id, false) + frameHead(length, FRAME.data, FLAG.endStream, id) + body,
      )
      this.finish()
      return
    }
    connection.write(headersFrames(block, id, false))
    this.isEnding = true
    this.enqueue(typeof body === 'string' ? Buffer.from(body, 'latin1') : body)
  }

  sendStored(head: string, body: StoredBody, onSent: () => void): void {
    if (this.isClosed) return
    this.connection.write(headersFrames(this.beginHead(head), this.id, body.length === 0))
    this.bodyBytes = body.length
    this.stored = { body, at: 0, onSent }
    this.isEnding = true
    this.pending = body.length
    if (body.length === 0) this.finish()
    else this.pump()
  }

  startStream(head: string, body: BodyFraming): void {
    this.hasNoBody = body === 'none' || this.head.method === 'HEAD'
    this.pendingHead = this.beginHead(head)
  }

  flushHead(): void {
    const block = this.pendingHead
    if (block === undefined || this.isClosed) return
    this.pendingHead = undefined
    this.connection.write(headersFrames(block, this.id, this.hasNoBody))
  }

  sendChunk(chunk: Buffer): boolean {
    if (this.hasNoBody || this.isClosed || chunk.length === 0) return true
    this.flushHead()
    const { connection } = this
    const { length } = chunk
    this.bodyBytes += length
    if (this.pending === 0 && length <= this.sendWindow && connection.canSend(length)) {
      this.sendWindow -= length
      connection.sendWindow -= length
      connection.write(frameHead(length, FRAME.data, 0, this.id) + chunk.toString('latin1'))
      return !connection.isFull || this.waitForDrain()
    }
    this.enqueue(Buffer.from(chunk))
    return this.pending === 0 && (!connection.isFull || this.waitForDrain())
  }

  private waitForDrain(): boolean {
    this.connection.wait(this)
    return false
  }

  endStream(trailers: HeaderList): void {
    if (this.isClosed) return
    this.settle()
    if (this.hasNoBody) {
      this.flushHead()
      this.finish()
      return
    }
    this.trailersOut = trailers
    this.isEnding = true
    if (this.pending === 0) this.sendEnd()
  }

  sendInformational(status: number, headers: HeaderList): void {
    // RFC 9113 §8.6: there is no switching of protocols.
    if (this.isHeadSent || this.isClosed || status === 101) return
    const block = encodeField(':status', String(status)) + encodeFields(headers)
    this.connection.write(headersFrames(block, this.id, false))
  }

  cut(): void {
    this.reset(ERROR.internal)
  }

  private enqueue(bytes: Buffer): void {
    this.queue.push(bytes)
    this.pending += bytes.length
    this.pump()
  }

  /** Sends what waits, as far as windows and the socket allow. */
  pump(): void {
    const { connection } = this
    if (this.isClosed) return
    while (this.pending > 0) {
      const bytes = Math.min(FRAME_BYTES_MAX, this.sendWindow, connection.sendWindow, this.pending)
      if (bytes <= 0 || connection.isFull) {
        this.deadline = connection.bodyDeadline()
        connection.wait(this)
        return
      }
      const piece = this.take(bytes)
      this.pending -= piece.length
      this.sendWindow -= piece.length
      connection.sendWindow -= piece.length
      const isLast = this.isEnding && this.pending === 0 && this.trailersOut.length === 0
      connection.write(
        frameHead(piece.length, FRAME.data, isLast ? FLAG.endStream : 0, this.id) + piece.toString('latin1'),
      )
      if (isLast) {
        this.finish()
        return
      }
    }
    this.deadline = this.consumer === undefined ? Number.POSITIVE_INFINITY : connection.bodyDeadline()
    if (this.isEnding) this.sendEnd()
  }

  /** There is room again: sends on, and tells whoever was told to wait. */
  wake(): void {
    this.pump()
    if (this.isClosed || this.pending > 0 || this.isEnding) return
    if (this.connection.isFull) this.connection.wait(this)
    else this.inProgress?.onDrain()
  }

  /** Up to so many bytes; never none. */
  private take(bytes: number): Buffer {
    const { stored } = this
    if (stored !== undefined) {
      const piece = stored.body.read(stored.at, stored.at + bytes)
      stored.at += piece.length
      return piece
    }
    const first = this.queue[0]!
    const piece = first.subarray(this.queueAt, this.queueAt + bytes)
    this.queueAt += piece.length
    if (this.queueAt === first.length) {
      this.queue.shift()
      this.queueAt = 0
    }
    return piece
  }

  private sendEnd(): void {
    const block = encodeFields(this.trailersOut)
    this.flushHead()
    this.connection.write(
      block === '' ? frameHead(0, FRAME.data, FLAG.endStream, this.id) : headersFrames(block, this.id, true),
    )
    this.finish()
  }

  /** The answer is out. A client that still sends is told to stop: nobody reads it (RFC 9113 §8.1). */
  private finish(): void {
    if (this.isClosed) return
    const { stored } = this
    this.stored = undefined
    this.settle()
    stored?.onSent()
    if (this.isRemoteEnded && this.resetCode === ERROR.none) this.connection.closeStream(this)
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
    inProgress?.onGone()
  }

  /** It is no more: nothing is sent or read. */
  release(): void {
    this.isClosed = true
    this.consumer = undefined
    this.stored = undefined
    this.queue = []
    this.pending = 0
    this.dropInbox()
  }

  checkDeadline(nowMs: number): void {
    if (nowMs < this.deadline) return
    if (this.pending > 0) {
      // Its window, or the connection, has been full for too long.
      this.reset(ERROR.cancel)
    } else if (this.consumer !== undefined && !this.isRemoteEnded) {
      this.deadline = this.connection.bodyDeadline()
      if (!this.isPaused) this.failBody(408, 'the body of the request did not arrive in time', false)
    }
  }
}
