/**
 * One HTTP/2 connection (RFC 9113): frames in, requests out to the pipeline, answers back in frames.
 *
 * Ours, and not Node's: its streams are objects with a life of their own, four times the cost of the rest of a request (see
 * docs/decisions). What is written in one turn of the event loop leaves in one write, as Latin-1 text like HTTP/1.1.
 *
 * What a client may make us do is bounded: streams at once, fields of a head and the frames they come in, answers to control frames, streams
 * that it opens and breaks off, bytes that wait to be sent or read, and time.
 */
import type { Socket } from 'node:net'
import type { ClientCertificate } from '../../contract/tls.ts'
import type { RequestHead, WireProblem } from '../../wire/http1/message.ts'
import {
  DEFAULT_WINDOW,
  ERROR,
  ERROR_NAMES,
  FLAG,
  goawayFrame,
  rstStreamFrame,
  SETTING,
  settingsFrame,
  windowUpdateFrame,
} from '../../wire/http2/frames.ts'
import { HpackError } from '../../wire/http2/hpack-decoder.ts'
import type { ConnectionHost, Held } from '../connection-host.ts'
import { endsOf } from '../forwarding/announced.ts'
import type { Peer, PeerFacts } from '../forwarding/peer.ts'
import type { ListenerFacts } from '../listener-facts.ts'
import { ConnectionError } from './connection-error.ts'
import { FloodGuard } from './flood-guard.ts'
import { IncomingFrames } from './incoming-frames.ts'
import type { Http2Metrics } from './metrics.ts'
import { Outflow } from './outflow.ts'
import { PeerSettings } from './peer-settings.ts'
import { ReceiveWindow } from './receive-window.ts'
import { refusalOf } from './refusal.ts'
import { STREAM_WINDOW } from './request-body.ts'
import { StreamNumbers } from './stream-numbers.ts'
import { Http2Stream } from './stream.ts'

/** What a client may have under way to us over all its streams. */
const CONNECTION_WINDOW = 1024 * 1024
const LINGER_MS = 2000

export class Http2Connection implements Held {
  readonly socket: Socket
  readonly listener: ListenerFacts
  readonly host: ConnectionHost
  peer: Peer | undefined
  readonly outflow: Outflow
  isClosing = false
  readonly metrics: Http2Metrics
  private readonly certificate: ClientCertificate | undefined
  private readonly frames: IncomingFrames
  readonly guard: FloodGuard
  readonly numbers = new StreamNumbers()
  readonly settings = new PeerSettings()
  readonly receiveWindow = new ReceiveWindow(CONNECTION_WINDOW)
  readonly streams = new Map<number, Http2Stream>()
  private isPaused = false
  private isDraining = false
  /** What GOAWAY has said was the last stream: those after it are refused, and it may not rise (§6.8). */
  private lastTold: number | undefined
  private deadline: number

  constructor(
    socket: Socket,
    host: ConnectionHost,
    listener: ListenerFacts,
    metrics: Http2Metrics,
    certificate?: ClientCertificate,
  ) {
    this.socket = socket
    this.host = host
    this.listener = listener
    this.metrics = metrics
    this.certificate = certificate
    this.deadline = host.nowMs + host.limits.idle
    this.guard = new FloodGuard(host)
    this.frames = new IncomingFrames(this)
    this.outflow = new Outflow(socket, this.settings, this.guard, () => this.pause())
    metrics.connections += 1
    metrics.connectionsTotal += 1
    socket.on('drain', () => this.onDrain())
    socket.on('end', () => this.onClientEnd())
    socket.on('error', () => {})
    socket.on('close', () => this.onClose())
    const { streams, headBytes } = host.limits
    this.outflow.write(
      settingsFrame([
        SETTING.maxConcurrentStreams,
        streams,
        SETTING.initialWindowSize,
        STREAM_WINDOW,
        SETTING.maxHeaderListSize,
        headBytes,
      ]) + windowUpdateFrame(0, CONNECTION_WINDOW - DEFAULT_WINDOW),
    )
  }

  get ends(): PeerFacts {
    return { ...endsOf(this.socket), scheme: this.listener.scheme, certificate: this.certificate }
  }

  get requests(): Iterable<Http2Stream> {
    return this.streams.values()
  }

  get bytesOut(): number {
    return this.outflow.bytesOut
  }

  bodyDeadline(): number {
    return this.host.nowMs + this.host.limits.body
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes what the socket read. The buffer may be reused once this returns. */
  onData(received: Buffer): void {
    if (this.isClosing) return
    this.outflow.hold()
    try {
      this.frames.read(received)
    } catch (error) {
      if (error instanceof ConnectionError) this.fail(error.code)
      else if (error instanceof HpackError) this.fail(ERROR.compression)
      else throw error
    } finally {
      this.outflow.release()
    }
  }

  // ── requests ────────────────────────────────────────────────────────────────────────────────────────────────

  /** A request has come. */
  open(id: number, isEnd: boolean, head: RequestHead): void {
    const { host, streams, guard } = this
    if (streams.size >= host.limits.streams || this.isDraining) {
      if (this.isDraining) guard.onIdleFrame()
      else guard.onBrokenStream()
      this.writeReset(id, ERROR.refusedStream)
      return
    }
    const { framing } = head
    if (framing.kind === 'length' && framing.bytes > host.limits.bodyBytes) {
      const reason = `the body may have ${host.limits.bodyBytes} bytes`
      this.refuse(id, isEnd, { kind: 'problem', status: 413, reason })
      return
    }
    this.metrics.streams += 1
    guard.onStream()
    this.allow(Number.POSITIVE_INFINITY)
    const stream = new Http2Stream(this, id, head, isEnd, this.settings.streamWindow)
    streams.set(id, stream)
    host.onRequest(stream, head)
  }

  /** Answers what could not be read as a request, and says so by a reset too where it is malformed. */
  refuse(id: number, isEnd: boolean, problem: WireProblem): void {
    const { outflow } = this
    const room = Math.min(outflow.window, this.settings.streamWindow)
    const { block, body } = refusalOf(problem, this.frames.isHeadRequest, room)
    outflow.writeHead(block, id, body === '')
    if (body !== '') outflow.writeData(body, id, FLAG.endStream)
    if (problem.status === 400) this.writeReset(id, ERROR.protocol)
    else if (!isEnd) this.writeReset(id, ERROR.none)
    const bytesSent = block.length + body.length
    this.host.onRefused({ connection: this, head: undefined, status: problem.status, bytesSent })
    this.restIfIdle()
    // Those who send nothing else are not listened to for long.
    this.guard.onBrokenStream()
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────

  writeWindowUpdate(stream: number, bytes: number): void {
    this.outflow.write(windowUpdateFrame(stream, bytes))
  }

  /** The client opens its window by so little that we send frames of nearly nothing. */
  onDribble(): void {
    if (!this.guard.takeDribble()) this.fail(ERROR.enhanceYourCalm)
  }

  /** Whoever does not read what it asks for is not asked for more. */
  private pause(): void {
    if (this.isPaused || this.isClosing) return
    this.isPaused = true
    this.deadline = this.bodyDeadline()
    this.socket.pause()
  }

  private onDrain(): void {
    if (this.isPaused && this.outflow.hasCalmed) {
      this.isPaused = false
      this.allow(this.frames.isInsideHead ? this.host.limits.head : Number.POSITIVE_INFINITY)
      this.restIfIdle()
      this.socket.resume()
    }
    this.outflow.pumpAll()
  }

  /** Bytes of bodies that were read: the client may send as many more. */
  giveBack(bytes: number): void {
    this.receiveWindow.giveBack(bytes)
    const owed = this.receiveWindow.payBack()
    if (owed > 0) this.outflow.write(windowUpdateFrame(0, owed))
  }

  // ── streams end ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Both sides are done. */
  closeStream(stream: Http2Stream): void {
    this.forget(stream)
    stream.release()
    this.endIfIdle()
  }

  resetStream(stream: Http2Stream, code: number): void {
    if (!this.streams.has(stream.id)) return
    this.forget(stream)
    stream.release()
    this.writeReset(stream.id, code)
    // Where the client made us do it, it counts as if it had done so itself.
    const isProvoked = code === ERROR.protocol || code === ERROR.flowControl || code === ERROR.streamClosed
    if (isProvoked && !this.guard.takeBrokenStream()) this.fail(ERROR.enhanceYourCalm)
    else this.endIfIdle()
  }

  writeReset(id: number, code: number): void {
    this.numbers.onReset(id)
    this.metrics.countReset('edge', ERROR_NAMES[code]!)
    this.outflow.write(rstStreamFrame(id, code))
  }

  forget(stream: Http2Stream): void {
    this.streams.delete(stream.id)
    this.outflow.forget(stream)
    this.restIfIdle()
  }

  // ── time and end ────────────────────────────────────────────────────────────────────────────────────────────

  /** Nothing is in progress: the client has as long as it may be idle. */
  restIfIdle(): void {
    if (this.streams.size === 0 && !this.frames.isInsideHead) this.allow(this.host.limits.idle)
  }

  checkDeadline(nowMs: number): void {
    for (const stream of this.streams.values()) stream.checkDeadline(nowMs)
    if (nowMs < this.deadline) return
    if (this.isClosing || this.isPaused || this.frames.isInsideHead || !this.frames.hasPreface)
      this.socket.destroy()
    else if (this.streams.size === 0) this.fail(ERROR.none)
  }

  /** A head has begun: it has its time. */
  onHeadBegun(): void {
    this.allow(this.host.limits.head)
  }

  onHeadEnded(): void {
    this.allow(Number.POSITIVE_INFINITY)
  }

  /** So many milliseconds for what comes next. While reading is paused, what was read before may still open streams: that clock runs on. */
  private allow(ms: number): void {
    if (!this.isPaused) this.deadline = this.host.nowMs + ms
  }

  /** The client opens no more streams. */
  onClientGoaway(): void {
    this.isDraining = true
    this.endIfIdle()
  }

  closeIdle(): void {
    if (this.isClosing) return
    if (!this.isDraining) {
      this.isDraining = true
      this.lastTold = this.numbers.last
      this.outflow.write(goawayFrame(this.lastTold, ERROR.none))
    }
    this.endIfIdle()
  }

  endIfIdle(): void {
    if (this.isDraining && this.streams.size === 0) this.fail(ERROR.none)
  }

  /** Tells the client why, and ends. */
  fail(code: number): void {
    if (this.isClosing) return
    this.isClosing = true
    if (code !== ERROR.none) this.metrics.countError(ERROR_NAMES[code]!)
    this.outflow.end(goawayFrame(this.lastTold ?? this.numbers.last, code))
    this.frames.forget()
    // Answers that were written still leave at the client's pace; where it broke the protocol, they do not.
    const isLeaving = code === ERROR.none && this.socket.writableLength > 0
    this.deadline = this.host.nowMs + (isLeaving ? this.host.limits.body : LINGER_MS)
    if (this.isPaused) this.socket.resume()
    this.endStreams()
  }

  private endStreams(): void {
    const streams = [...this.streams.values()]
    this.streams.clear()
    for (const stream of streams) stream.gone()
  }

  private onClientEnd(): void {
    if (this.isClosing) {
      this.socket.destroySoon()
      return
    }
    this.isDraining = true
    for (const stream of this.streams.values())
      stream.receiving?.fail(400, 'the request ended in the middle of its body', true)
    this.endIfIdle()
  }

  private onClose(): void {
    this.metrics.connections -= 1
    this.isClosing = true
    this.frames.forget()
    this.host.onClose(this)
    this.endStreams()
  }
}
