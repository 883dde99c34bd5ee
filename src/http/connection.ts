/**
 * One client connection: bytes in, requests out to the pipeline, answers back in order.
 *
 * One request is in progress at a time. What arrives meanwhile (a pipelined request, a body nobody asked for yet) waits
 * in `leftover`; beyond a bound, reading pauses. So pipelined requests are answered in order without a queue of answers.
 * Until when the client is waited for is `connection-clock.ts`.
 */
import type { Socket } from 'node:net'
import type { ClientCertificate } from '../contract/tls.ts'
import type { HeaderList, RequestHead, WireProblem } from '../wire/http1/message.ts'
import { HeadMemo, parseRequestHead } from '../wire/http1/request-parser.ts'
import { serialiseHeaders, statusText } from '../wire/http1/serialise.ts'
import { AnswerWriter, framingOnWire, type BodyFraming } from './answer-writer.ts'
import type { StoredBody } from './caching/stored-body.ts'
import type { ClientConnection } from './client-connection.ts'
import { ConnectionClock } from './connection-clock.ts'
import type { Answering, ConnectionHost, Held } from './connection-host.ts'
import { refusalMessage } from './edge-answers.ts'
import { endsOf } from './forwarding/announced.ts'
import type { Peer, PeerFacts } from './forwarding/peer.ts'
import { IncomingBody, type BodyConsumer } from './incoming-body.ts'
import type { ListenerFacts } from './listener-facts.ts'

/** Bytes that may wait for a busy connection before reading pauses. */
const LEFTOVER_MAX = 64 * 1024

export class ServerConnection implements ClientConnection, Held {
  readonly socket: Socket
  readonly listener: ListenerFacts
  private readonly certificate: ClientCertificate | undefined
  private readonly host: ConnectionHost
  private readonly writer: AnswerWriter
  private readonly clock: ConnectionClock
  private readonly memo = new HeadMemo()
  /** What came and was not taken yet. */
  private leftover: Buffer | undefined
  /** Where the last search for the end of a head stopped; `leftover` before it holds none. */
  private scanned = 0
  private request: RequestHead | undefined
  inProgress: Answering | undefined
  /** The request's body, until it has been read to its end. */
  private body: IncomingBody | undefined
  private consumer: BodyConsumer | undefined
  private isConsuming = false
  private isPaused = false
  private hasAnswer = false
  private closesAfter = false
  /** The last answer is out; what still comes is thrown away. */
  private isLingering = false
  private hasClientEnded = false
  /** Who is at its other end; set with the first request. */
  peer: Peer | undefined

  constructor(
    socket: Socket,
    host: ConnectionHost,
    listener: ListenerFacts,
    certificate?: ClientCertificate,
  ) {
    this.socket = socket
    this.listener = listener
    this.certificate = certificate
    this.host = host
    this.writer = new AnswerWriter(socket)
    this.clock = new ConnectionClock(socket, host)
    socket.on('drain', () => this.onDrain())
    socket.on('end', () => this.onClientEnd())
    // What went wrong is told by `close`, which always follows.
    socket.on('error', () => {})
    socket.on('close', () => this.onClose())
  }

  /** The ends of the connection, for `Peer`. */
  get ends(): PeerFacts {
    const { certificate, listener } = this
    return { ...endsOf(this.socket), scheme: listener.scheme, certificate }
  }

  get bytesOut(): number {
    return this.writer.bytesOut
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes what the socket read. The buffer may be reused once this returns. */
  onData(bytes: Buffer): void {
    if (this.isLingering) return
    if (this.leftover !== undefined) {
      bytes = Buffer.concat([this.leftover, bytes])
      this.leftover = undefined
    }
    this.consume(bytes)
  }

  private consume(bytes: Buffer): void {
    this.isConsuming = true
    const end = bytes.length
    let at = 0
    while (at < end && !this.isLingering) {
      if (this.body !== undefined && this.consumer !== undefined) {
        at = this.consumeBody(this.body, this.consumer, bytes, at, end)
        continue
      }
      // A client that does not read its answers gets no more of them: they would pile up here.
      if (this.request !== undefined || this.socket.writableNeedDrain) break
      const result = parseRequestHead(bytes, at, end, this.host.limits, this.memo, this.scanned)
      if (result.kind === 'head') {
        at = result.next
        this.scanned = 0
        this.begin(result.head)
      } else if (result.kind === 'more') {
        this.scanned = end - at
        this.clock.waitForHead()
        break
      } else {
        this.refuse(result.status, result.reason)
      }
    }
    this.isConsuming = false
    if (at < end && !this.isLingering && !this.socket.destroyed) {
      this.leftover = Buffer.from(bytes.subarray(at, end))
      const waits = this.request !== undefined || this.socket.writableNeedDrain
      if (waits && this.leftover.length > LEFTOVER_MAX) this.pauseReading()
    }
  }

  private begin(head: RequestHead): void {
    this.request = head
    this.writer.beginRequest(head.raw.length)
    this.hasAnswer = false
    this.closesAfter = !head.keepAlive
    this.clock.stop()
    this.body = IncomingBody.of(head, this.host.limits)
    const problem = this.body?.problem
    if (problem === undefined) this.host.onRequest(this, head)
    else this.refuse(problem.status, problem.reason)
  }

  /** Tells who is to be asked about this connection until its answer is out. */
  attach(inProgress: Answering): void {
    this.inProgress = inProgress
  }

  get hasBody(): boolean {
    return this.body !== undefined
  }

  /** Hands the request's body to a consumer, beginning with what has already come. */
  readBody(consumer: BodyConsumer): void {
    this.consumer = consumer
    this.clock.waitForBody(this.body?.waitMs ?? 0)
    if (this.body?.isContinueOwed === true) {
      this.body.isContinueOwed = false
      this.writer.write('HTTP/1.1 100 Continue\r\n\r\n')
    }
    if (!this.isConsuming) this.consumeLeftover()
  }

  private consumeBody(
    body: IncomingBody,
    consumer: BodyConsumer,
    bytes: Buffer,
    start: number,
    end: number,
  ): number {
    this.clock.waitForBody(body.waitMs)
    const next = body.feed(bytes, start, end, consumer)
    this.writer.received += next - start
    if (body.problem !== undefined) {
      this.failBody(body.problem.status, body.problem.reason)
      return end
    }
    if (!body.isOpen) {
      this.body = undefined
      this.consumer = undefined
      this.clock.stop()
      consumer.onBodyEnd(body.trailers)
    } else if (!body.wantsMore) {
      this.pauseReading()
    }
    return next
  }

  /** The body cannot be read on: what follows on this connection has no meaning. */
  private failBody(status: WireProblem['status'], reason: string): void {
    const consumer = this.consumer
    this.consumer = undefined
    this.closesAfter = true
    consumer?.onBodyProblem(status, reason)
  }

  private consumeLeftover(): void {
    const bytes = this.leftover
    if (bytes !== undefined) {
      this.leftover = undefined
      this.consume(bytes)
    }
    if (this.hasClientEnded) this.onClientEnd()
    else this.resumeBody()
  }

  private pauseReading(): void {
    if (this.isPaused) return
    this.isPaused = true
    this.socket.pause()
  }

  resumeBody(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.socket.resume()
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get hasSentHead(): boolean {
    return this.hasAnswer && !this.writer.isHeadHeld
  }

  sendWhole(head: string, body: string | Buffer): void {
    this.hasAnswer = true
    this.writer.sendWhole(`${head}${this.connectionField()}\r\n`, body)
    this.finish()
  }

  sendStored(head: string, body: StoredBody, onSent: () => void, part = body.whole): void {
    this.hasAnswer = true
    this.writer.sendStored(`${head}${this.connectionField()}\r\n`, body, part, {
      onStall: () => this.clock.waitForRoom(),
      onSent: () => {
        this.writer.tell(this.inProgress)
        onSent()
        this.finish()
      },
    })
  }

  startStream(head: string, body: BodyFraming): void {
    this.hasAnswer = true
    const framing = framingOnWire(this.request!, body)
    if (framing === 'close') this.closesAfter = true
    const field = framing === 'chunked' ? 'transfer-encoding: chunked\r\n' : ''
    this.writer.startStream(`${head}${field}${this.connectionField()}\r\n`, framing)
  }

  flushHead(): void {
    this.writer.flushHead()
  }

  switchProtocols(head: string, consumer: BodyConsumer): void {
    this.hasAnswer = this.closesAfter = true
    this.writer.startRaw(head)
    this.body = IncomingBody.endless(this.host.limits)
    this.readBody(consumer)
  }

  sendChunk(chunk: Buffer): boolean {
    return this.waitUnless(this.writer.sendChunk(chunk))
  }

  sendParts(parts: readonly Buffer[]): boolean {
    return this.waitUnless(this.writer.sendParts(parts))
  }

  private waitUnless(isFlowing: boolean): boolean {
    if (!isFlowing) this.clock.waitForRoom()
    return isFlowing
  }

  endStream(trailers: HeaderList): void {
    this.writer.endStream(trailers)
    this.finish()
  }

  /** HTTP/1.0 knows none. */
  sendInformational(status: number, headers: HeaderList): void {
    if (this.hasSentHead || this.request?.minor !== 1) return
    this.writer.write(`HTTP/1.1 ${status} ${statusText(status)}\r\n${serialiseHeaders(headers)}\r\n`)
  }

  /** An answer that ends with the connection is reset: an orderly end would say "complete". */
  cut(): void {
    // Over TLS the end is marked as well, and `destroy` sends no mark.
    if (this.writer.endsByClosing && this.listener.scheme === 'http') this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  private connectionField(): string {
    if (this.host.draining || this.body?.canBeDiscarded === false) this.closesAfter = true
    if (this.closesAfter) return 'connection: close\r\n'
    return this.request!.minor === 0 ? 'connection: keep-alive\r\n' : ''
  }

  /** The answer is out: the next request, or the end. */
  private finish(): void {
    this.writer.tell(this.inProgress)
    this.inProgress = undefined
    if (this.closesAfter) {
      this.linger()
    } else if (this.body !== undefined) {
      // Nobody wanted it. It stays this request's until it is through, so that its bytes are not read as the next one.
      this.readBody({
        onBody: () => true,
        onBodyEnd: () => this.next(),
        onBodyProblem: () => this.linger(),
      })
    } else {
      this.next()
    }
  }

  private next(): void {
    this.request = undefined
    this.clock.waitForRequest()
    if (this.socket.writableNeedDrain || this.isConsuming) return
    if (this.leftover !== undefined || this.isPaused || this.hasClientEnded) this.consumeLeftover()
  }

  /** Ends in order: what was written leaves, and a client that still sends is read for a while, lest a reset eat the answer. */
  private linger(): void {
    this.isLingering = true
    this.request = undefined
    this.consumer = undefined
    this.leftover = undefined
    this.clock.waitForEnd()
    this.resumeBody()
    this.socket.end()
    if (this.hasClientEnded) this.socket.destroySoon()
  }

  /** Answers what could not be read as a request, and closes. */
  private refuse(status: WireProblem['status'], reason: string): void {
    const message = refusalMessage(status, reason, this.request?.method !== 'HEAD')
    this.host.onRefused({ connection: this, head: this.request, status, bytesSent: message.length })
    this.writer.write(message)
    this.linger()
  }

  // ── time and end ────────────────────────────────────────────────────────────────────────────────────────────

  /** Called by the server's sweep. */
  checkDeadline(nowMs: number): void {
    if (!this.clock.isOver(nowMs)) return
    if (this.socket.writableNeedDrain && this.body === undefined) {
      if (this.clock.hasTakenMore) this.clock.waitForRoom()
      else this.socket.destroy()
    } else if (this.request === undefined && this.leftover !== undefined && !this.isLingering) {
      this.refuse(408, 'the head of the request did not arrive in time')
    } else if (this.body !== undefined && this.consumer !== undefined) {
      this.clock.waitForBody(this.host.limits.body)
      // Paused: it is the origin that is slow, and it has a deadline of its own.
      if (!this.isPaused) this.failBody(408, 'the body of the request did not arrive in time')
    } else {
      this.socket.destroy()
    }
  }

  /** Ends a connection on which nothing is in progress and no part of a request has come. */
  closeIdle(): void {
    if (this.request === undefined && this.leftover === undefined && !this.isLingering)
      this.socket.destroySoon()
  }

  private onDrain(): void {
    if (this.request !== undefined) {
      this.clock.stop()
      this.inProgress?.onDrain()
    } else if (this.isLingering) {
      this.clock.waitForEnd()
    } else {
      this.clock.waitForRequest()
      this.consumeLeftover()
    }
  }

  /** The client sends no more. It may still read: what it has asked for is answered. */
  private onClientEnd(): void {
    this.hasClientEnded = true
    if (this.request !== undefined) {
      if (this.leftover === undefined) this.closesAfter = true
      if (this.body !== undefined && this.consumer !== undefined) {
        this.failBody(400, 'the request ended in the middle of its body')
      }
    } else if (this.leftover === undefined || this.isLingering) {
      this.socket.destroySoon()
    } else if (!this.socket.writableNeedDrain) {
      this.refuse(400, 'the request ended in the middle of its head')
    }
  }

  private onClose(): void {
    const inProgress = this.inProgress
    this.inProgress = undefined
    this.consumer = undefined
    this.leftover = undefined
    this.writer.tell(inProgress)
    this.host.onClose(this)
    inProgress?.onGone()
  }
}
