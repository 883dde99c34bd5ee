/**
 * One client connection: bytes in, requests out to the pipeline, answers back in order.
 *
 * One request is in progress at a time. What arrives meanwhile (a pipelined request, a body nobody asked for yet) waits
 * in `leftover`; beyond a bound, reading pauses. So pipelined requests are answered in order without a queue of answers.
 * An answer whose body is unknown in length goes out chunked, or to an HTTP/1.0 client by closing.
 *
 * Deadlines are numbers that the server's sweep compares, not timers: a timer a request would cost more than the parse.
 */
import type { Socket } from 'node:net'
import type { HeaderList, RequestHead, WireProblem } from '../wire/http1/message.ts'
import { ChunkedDecoder } from '../wire/http1/chunked.ts'
import { HeadMemo, parseRequestHead, type HeadLimits } from '../wire/http1/request-parser.ts'
import { serialiseHeaders, statusText } from '../wire/http1/serialise.ts'
import { edgeErrorText } from './edge-answers.ts'

export interface ConnectionLimits extends HeadLimits {
  readonly bodyBytes: number
  /** Milliseconds, as in `config.edge.limits`. */
  readonly idle: number
  readonly head: number
  readonly body: number
}

/** What the connection needs of its server. */
export interface ConnectionHost {
  readonly limits: ConnectionLimits
  readonly draining: boolean
  /** Milliseconds, monotonic. */
  now(): number
  /** A whole request head has arrived. Answers by the connection's `send…`, now or later. */
  onRequest(connection: ServerConnection, head: RequestHead): void
  /** A message was refused before it became a request. */
  onRefused(status: number): void
  onClose(connection: ServerConnection): void
}

/** Takes the body of a request, piece by piece. */
export interface BodyConsumer {
  /** The piece is valid until this returns. False pauses the client until `resumeBody`. */
  onBody(chunk: Buffer): boolean
  onBodyEnd(trailers: HeaderList): void
  /** The body is malformed, too long, too slow, or the client is gone. Nothing more comes. */
  onBodyProblem(status: WireProblem['status'], reason: string): void
}

/** What is in progress on a connection: told when the client goes away, or may be written to again. */
export interface InProgress {
  onDrain(): void
  onGone(): void
}

/** How the body of the answer ends, on the wire. */
type Outgoing = 'nothing' | 'length' | 'chunked' | 'close'

/** Bytes that may wait for a busy connection before reading pauses. */
const LEFTOVER_MAX = 64 * 1024
/** An unread body up to this is read and thrown away, to keep the connection. */
const DISCARD_MAX = 64 * 1024
/** How long a refused client may go on sending, so that it reads the answer instead of a reset. */
const LINGER_MS = 2000
/** Up to this a head and its first piece of body are joined into one string: one write, no copy of our own. */
const JOIN_MAX = 16 * 1024

const DISCARD: BodyConsumer = { onBody: () => true, onBodyEnd() {}, onBodyProblem() {} }

export class ServerConnection {
  readonly socket: Socket
  private readonly host: ConnectionHost
  private readonly memo = new HeadMemo()
  private leftover: Buffer | undefined
  private request: RequestHead | undefined
  private inProgress: InProgress | undefined
  private consumer: BodyConsumer | undefined
  /** Bytes of the request's body still to come, where its length is known. */
  private bodyLeft = 0
  private bodyRead = 0
  private chunked: ChunkedDecoder | undefined
  /** The body of the current request has not been read to its end. */
  private bodyOpen = false
  private continueOwed = false
  private consuming = false
  private paused = false
  private lingering = false
  private headClockStarted = false
  private clientEnded = false
  private outgoing: Outgoing = 'nothing'
  private pendingHead = ''
  private headSent = false
  private closeAfter = false
  private deadline: number
  /** Where the last search for the end of a head stopped; `leftover` before it holds none. */
  private scanned = 0
  private addressText: string | undefined
  bytesOut = 0

  constructor(socket: Socket, host: ConnectionHost) {
    this.socket = socket
    this.host = host
    this.deadline = host.now() + host.limits.idle
    socket.on('drain', () => this.onDrain())
    socket.on('end', () => this.onClientEnd())
    // What went wrong is told by `close`, which always follows.
    socket.on('error', () => {})
    socket.on('close', () => this.onClose())
  }

  /** The client's address, IPv4 in its own form even on a dual-stack socket. */
  get address(): string {
    this.addressText ??= (this.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '')
    return this.addressText
  }

  get port(): number {
    return this.socket.remotePort ?? 0
  }

  get isIdle(): boolean {
    return this.request === undefined && !this.lingering
  }

  /** No part of a next request has come either. */
  get isQuiet(): boolean {
    return this.isIdle && this.leftover === undefined
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes what the socket read. The buffer may be reused once this returns. */
  onData(bytes: Buffer): void {
    if (this.lingering) return
    if (this.leftover !== undefined) {
      bytes = Buffer.concat([this.leftover, bytes])
      this.leftover = undefined
    }
    this.consume(bytes)
  }

  private consume(bytes: Buffer): void {
    this.consuming = true
    let at = 0
    const end = bytes.length
    while (at < end && !this.lingering) {
      if (this.consumer !== undefined && this.bodyOpen) {
        at = this.consumeBody(bytes, at, end)
        continue
      }
      if (this.request !== undefined) break
      const result = parseRequestHead(bytes, at, end, this.host.limits, this.memo, this.scanned)
      if (result.kind === 'head') {
        at = result.next
        this.scanned = 0
        this.begin(result.head)
      } else if (result.kind === 'more') {
        this.scanned = end - at
        this.startHeadClock()
        break
      } else {
        this.refuse(result.status, result.reason)
        at = end
      }
    }
    this.consuming = false
    if (at < end && !this.lingering && !this.socket.destroyed) {
      this.leftover = Buffer.from(bytes.subarray(at, end))
      if (this.request !== undefined && this.leftover.length > LEFTOVER_MAX) this.pauseReading()
    }
  }

  /** The time for a head starts with its first byte; the bytes after it do not prolong it. */
  private startHeadClock(): void {
    if (this.headClockStarted) return
    this.headClockStarted = true
    this.deadline = this.host.now() + this.host.limits.head
  }

  private begin(head: RequestHead): void {
    this.headClockStarted = false
    this.request = head
    this.headSent = false
    this.closeAfter = !head.keepAlive || this.host.draining
    this.deadline = Number.POSITIVE_INFINITY
    const framing = head.framing
    this.bodyOpen = framing.kind !== 'none' && !(framing.kind === 'length' && framing.bytes === 0)
    if (this.bodyOpen) {
      this.bodyRead = 0
      this.continueOwed = head.expectContinue
      this.bodyLeft = framing.kind === 'length' ? framing.bytes : 0
      this.chunked = framing.kind === 'chunked' ? new ChunkedDecoder(this.host.limits) : undefined
      if (this.bodyLeft > this.host.limits.bodyBytes) {
        this.refuse(413, `the body may have ${this.host.limits.bodyBytes} bytes`)
        return
      }
    }
    this.host.onRequest(this, head)
  }

  /** Tells who is to be asked about this connection until its answer is out. */
  attach(inProgress: InProgress): void {
    this.inProgress = inProgress
  }

  get hasBody(): boolean {
    return this.bodyOpen
  }

  /** Hands the request's body to a consumer, beginning with what has already come. */
  readBody(consumer: BodyConsumer): void {
    this.consumer = consumer
    this.deadline = this.host.now() + this.host.limits.body
    if (this.continueOwed) {
      this.continueOwed = false
      this.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
    }
    if (!this.consuming) this.consumeLeftover()
  }

  resumeBody(): void {
    this.resumeReading()
  }

  private consumeLeftover(): void {
    const bytes = this.leftover
    if (bytes !== undefined) {
      this.leftover = undefined
      this.consume(bytes)
    }
    if (this.clientEnded) this.onClientEnd()
    else this.resumeReading()
  }

  private consumeBody(bytes: Buffer, start: number, end: number): number {
    const consumer = this.consumer!
    this.deadline = this.host.now() + this.host.limits.body
    if (this.chunked !== undefined) return this.consumeChunked(this.chunked, consumer, bytes, start, end)
    const stop = Math.min(end, start + this.bodyLeft)
    this.bodyLeft -= stop - start
    // The last piece and the end are told together, so the body is closed before the consumer may answer.
    const isLast = this.bodyLeft === 0
    if (isLast) this.closeBody()
    const goOn = consumer.onBody(bytes.subarray(start, stop))
    if (isLast) consumer.onBodyEnd([])
    else if (!goOn) this.pauseReading()
    return stop
  }

  private consumeChunked(
    decoder: ChunkedDecoder,
    consumer: BodyConsumer,
    bytes: Buffer,
    start: number,
    end: number,
  ): number {
    let goOn = true
    const next = decoder.feed(bytes, start, end, (chunk) => {
      this.bodyRead += chunk.length
      if (this.bodyRead <= this.host.limits.bodyBytes) goOn = consumer.onBody(chunk) && goOn
    })
    if (decoder.problem !== undefined) {
      this.failBody(decoder.problem.status, decoder.problem.reason)
      return end
    }
    if (this.bodyRead > this.host.limits.bodyBytes) {
      this.failBody(413, `the body may have ${this.host.limits.bodyBytes} bytes`)
      return end
    }
    if (decoder.done) {
      this.closeBody()
      consumer.onBodyEnd(decoder.trailers)
    } else if (!goOn) {
      this.pauseReading()
    }
    return next
  }

  private closeBody(): void {
    this.bodyOpen = false
    this.chunked = undefined
    this.consumer = undefined
    this.deadline = Number.POSITIVE_INFINITY
  }

  /** The body cannot be read on: what follows on this connection has no meaning. */
  private failBody(status: WireProblem['status'], reason: string): void {
    const consumer = this.consumer
    this.consumer = undefined
    this.closeAfter = true
    consumer?.onBodyProblem(status, reason)
  }

  private pauseReading(): void {
    if (this.paused) return
    this.paused = true
    this.socket.pause()
  }

  private resumeReading(): void {
    if (!this.paused) return
    this.paused = false
    this.socket.resume()
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends a whole answer: its head up to and without the empty line, and the body (of that length, or empty for HEAD).
   * One write where it is text.
   */
  sendWhole(head: string, body: string | Buffer): void {
    const ending = this.connectionHeader()
    this.headSent = true
    if (typeof body === 'string') {
      this.write(`${head}${ending}\r\n${body}`)
    } else if (body.length === 0) {
      this.write(`${head}${ending}\r\n`)
    } else {
      const socket = this.socket
      socket.cork()
      socket.write(`${head}${ending}\r\n`, 'latin1')
      socket.write(body)
      socket.uncork()
      this.bytesOut += head.length + body.length
      if (socket.writableNeedDrain) this.deadline = this.host.now() + this.host.limits.body
    }
    this.finish()
  }

  /**
   * Begins an answer whose body follows piece by piece. `framing` says how the body comes to us: `length` needs a
   * `content-length` in the head already, the others get theirs here.
   */
  startStream(head: string, framing: 'none' | 'length' | 'unknown'): void {
    this.headSent = true
    if (this.request!.method === 'HEAD') {
      this.outgoing = 'nothing'
    } else if (framing === 'unknown') {
      if (this.request!.minor === 1) {
        this.outgoing = 'chunked'
        head += 'transfer-encoding: chunked\r\n'
      } else {
        this.outgoing = 'close'
        this.closeAfter = true
      }
    } else {
      this.outgoing = framing === 'none' ? 'nothing' : 'length'
    }
    this.pendingHead = `${head}${this.connectionHeader()}\r\n`
  }

  /** Sends the head of a stream whose body lets wait. */
  flushHead(): void {
    if (this.pendingHead === '') return
    const head = this.pendingHead
    this.pendingHead = ''
    this.write(head)
  }

  /** Sends an interim answer (103, or 100 from the origin). */
  sendInformational(status: number, headers: HeaderList): void {
    if (this.headSent || this.request?.minor !== 1) return
    if (status === 100) {
      if (!this.continueOwed) return
      this.continueOwed = false
    }
    this.write(`HTTP/1.1 ${status} ${statusText(status)}\r\n${serialiseHeaders(headers)}\r\n`)
  }

  /** Sends a piece of the body; copies it. False: the client is slow, wait for `onDrain`. */
  sendChunk(chunk: Buffer): boolean {
    if (this.outgoing === 'nothing' || chunk.length === 0) return true
    const head = this.pendingHead
    this.pendingHead = ''
    const isChunked = this.outgoing === 'chunked'
    const before = isChunked ? `${head}${chunk.length.toString(16)}\r\n` : head
    const after = isChunked ? '\r\n' : ''
    if (before.length + chunk.length <= JOIN_MAX) {
      return this.write(before + chunk.toString('latin1') + after)
    }
    const whole = Buffer.allocUnsafeSlow(before.length + chunk.length + after.length)
    whole.write(before, 0, 'latin1')
    whole.set(chunk, before.length)
    whole.write(after, before.length + chunk.length, 'latin1')
    this.bytesOut += whole.length
    return this.watchWrite(this.socket.write(whole))
  }

  /** Ends a stream. */
  endStream(trailers: HeaderList): void {
    const head = this.pendingHead
    this.pendingHead = ''
    if (this.outgoing === 'chunked') this.write(`${head}0\r\n${serialiseHeaders(trailers)}\r\n`)
    else if (head !== '') this.write(head)
    this.finish()
  }

  /**
   * Breaks off an answer that cannot be completed. The client must not take what it got for whole: an answer that ends
   * with the connection is reset, since an orderly end would say "complete".
   */
  cut(): void {
    if (this.outgoing === 'close') this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  get hasSentHead(): boolean {
    return this.headSent
  }

  private write(text: string): boolean {
    this.bytesOut += text.length
    return this.watchWrite(this.socket.write(text, 'latin1'))
  }

  private watchWrite(flowing: boolean): boolean {
    if (!flowing) this.deadline = this.host.now() + this.host.limits.body
    return flowing
  }

  private connectionHeader(): string {
    if (this.bodyOpen && !this.canDiscardBody()) this.closeAfter = true
    if (this.closeAfter || this.host.draining) {
      this.closeAfter = true
      return 'connection: close\r\n'
    }
    return this.request!.minor === 0 ? 'connection: keep-alive\r\n' : ''
  }

  /** A body that nobody read is read and thrown away if it is short; a client that waits for 100 may never send it. */
  private canDiscardBody(): boolean {
    return !this.continueOwed && this.chunked === undefined && this.bodyLeft <= DISCARD_MAX
  }

  /** The answer is out: the next request, or the end. */
  private finish(): void {
    this.inProgress = undefined
    if (this.closeAfter) {
      this.closeSoon()
      return
    }
    if (this.bodyOpen) {
      // Stays `request` until the body is through, so that its bytes are not read as a request.
      this.readBody({ ...DISCARD, onBodyEnd: () => this.next(), onBodyProblem: () => this.socket.destroy() })
      return
    }
    this.next()
  }

  private next(): void {
    this.request = undefined
    if (!this.socket.writableNeedDrain) this.deadline = this.host.now() + this.host.limits.idle
    if (!this.consuming && (this.leftover !== undefined || this.paused || this.clientEnded))
      this.consumeLeftover()
  }

  /** Ends in order: what was written leaves, and a client that still sends is read for a while, lest a reset eat the answer. */
  private closeSoon(): void {
    this.request = undefined
    this.consumer = undefined
    this.lingering = true
    this.leftover = undefined
    this.deadline = this.host.now() + (this.socket.writableNeedDrain ? this.host.limits.body : LINGER_MS)
    this.resumeReading()
    this.socket.end()
    if (this.clientEnded) this.socket.destroySoon()
  }

  /** Answers what could not be read as a request, and closes. */
  private refuse(status: WireProblem['status'], reason: string): void {
    this.host.onRefused(status)
    this.closeAfter = true
    this.bodyOpen = true
    const text = edgeErrorText(status, reason)
    this.write(
      `HTTP/1.1 ${status} ${statusText(status)}\r\ncontent-type: text/plain; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(text)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n` +
        (this.request?.method === 'HEAD' ? '' : text),
    )
    this.closeSoon()
  }

  // ── time and end ────────────────────────────────────────────────────────────────────────────────────────────

  /** Called by the server's sweep. */
  checkDeadline(now: number): void {
    if (now < this.deadline) return
    if (this.lingering) {
      this.socket.destroy()
    } else if (this.request === undefined && this.leftover !== undefined) {
      this.refuse(408, 'the head of the request did not arrive in time')
    } else if (this.bodyOpen && this.consumer !== undefined) {
      this.deadline = now + this.host.limits.body
      // Paused: it is the origin that is slow, and it has a deadline of its own.
      if (!this.paused) this.failBody(408, 'the body of the request did not arrive in time')
    } else {
      this.socket.destroy()
    }
  }

  /** Ends a connection that has nothing in progress. */
  closeIdle(): void {
    if (this.isQuiet) this.socket.destroySoon()
  }

  private onDrain(): void {
    if (this.request === undefined)
      this.deadline = this.host.now() + (this.lingering ? LINGER_MS : this.host.limits.idle)
    else this.deadline = Number.POSITIVE_INFINITY
    this.inProgress?.onDrain()
  }

  /** The client sends no more. It may still read: what is in progress is answered. */
  private onClientEnd(): void {
    this.clientEnded = true
    if (this.request === undefined) {
      if (this.leftover === undefined || this.lingering) this.socket.destroySoon()
      else this.refuse(400, 'the request ended in the middle of its head')
      return
    }
    this.closeAfter = true
    if (this.bodyOpen && this.consumer !== undefined)
      this.failBody(400, 'the request ended in the middle of its body')
  }

  private onClose(): void {
    const inProgress = this.inProgress
    this.inProgress = undefined
    this.consumer = undefined
    this.leftover = undefined
    this.host.onClose(this)
    inProgress?.onGone()
  }
}
