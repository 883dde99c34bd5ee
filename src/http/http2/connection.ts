/**
 * One HTTP/2 connection (RFC 9113): frames in, requests out to the pipeline, answers back in frames.
 *
 * Ours, and not Node's: its streams are objects with a life of their own, four times the cost of the rest of a request (see
 * docs/decisions). What is written in one turn of the event loop leaves in one write, as Latin-1 text like HTTP/1.1.
 *
 * What a client may make us do is bounded: streams at once, fields of a head and the frames they come in, answers to control frames, streams
 * that it opens and resets, bytes that wait to be sent or read, and time.
 */
import type { Socket } from 'node:net'
import type { ClientCertificate } from '../../contract/tls.ts'
import { allowedTrailers } from '../../wire/http1/chunked.ts'
import type { HeaderList, RequestHead, WireProblem } from '../../wire/http1/message.ts'
import { HEAD_TOO_LARGE } from '../../wire/http1/problems.ts'
import {
  ERROR,
  ERROR_NAMES,
  FLAG,
  FRAME,
  FRAME_BYTES_MAX,
  FRAME_HEAD_BYTES,
  frameHead,
  goawayFrame,
  headersFrames,
  PREFACE,
  rstStreamFrame,
  SETTING,
  SETTINGS_ACK,
  settingsFrame,
  WINDOW_MAX,
  windowUpdateFrame,
} from '../../wire/http2/frames.ts'
import { HpackDecoder, HpackError } from '../../wire/http2/hpack-decoder.ts'
import { encodeResponseHead } from '../../wire/http2/hpack-encoder.ts'
import { parseHttp2Head, parseHttp2Trailers } from '../../wire/http2/request-head.ts'
import type { ConnectionHost, Held } from '../connection-host.ts'
import { edgeErrorText } from '../edge-answers.ts'
import { endsOf } from '../forwarding/announced.ts'
import type { Peer, PeerFacts } from '../forwarding/peer.ts'
import type { ListenerFacts } from '../listener-facts.ts'
import { Budget } from './budget.ts'
import type { Http2Metrics } from './metrics.ts'
import { Http2Stream, STREAM_WINDOW } from './stream.ts'

const DEFAULT_WINDOW = 65_535
/** What a client may have under way to us over all its streams. */
const CONNECTION_WINDOW = 1024 * 1024
/** Bytes that may wait for the socket before bodies stop; and before we stop reading what makes us answer. */
const OUT_FULL = 128 * 1024
const OUT_FLOODED = 512 * 1024
/** Text gathered in a turn leaves when it is as long as this. */
const FLUSH_BYTES = 64 * 1024
/** CONTINUATION frames of one head. An honest client needs three for the largest. */
const CONTINUATIONS_MAX = 16
/** Streams that were reset, whose last frames may still be under way. */
const RESET_KEPT = 256
const LINGER_MS = 2000
/** Blocks longer than this are not kept to compare. */
const MEMO_BYTES_MAX = 2048

/** What ends the connection. */
class ConnectionError extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export class Http2Connection implements Held {
  readonly socket: Socket
  readonly listener: ListenerFacts
  readonly host: ConnectionHost
  peer: Peer | undefined
  bytesOut = 0
  sendWindow = DEFAULT_WINDOW
  private readonly metrics: Http2Metrics
  private readonly certificate: ClientCertificate | undefined
  private readonly decoder = new HpackDecoder()
  private readonly streams = new Map<number, Http2Stream>()
  /** Streams that have something to send and could not. */
  private waiting = new Set<Http2Stream>()
  private readonly wereReset = new Set<number>()
  private readonly resetBudget: Budget
  private readonly controlBudget: Budget
  private leftover: Buffer | undefined
  private hasPreface = false
  private lastStream = 0
  private peerStreamWindow = DEFAULT_WINDOW
  private receiveWindow = CONNECTION_WINDOW
  private owed = 0
  private block:
    | { readonly stream: number; readonly isEnd: boolean; pieces: Buffer[]; bytes: number }
    | undefined
  private out = ''
  private isConsuming = false
  private isFlushDue = false
  private isPaused = false
  private isDraining = false
  private isClosing = false
  private deadline: number
  // The same block with the same table means the same head.
  private memoBlock = ''
  private memoGeneration = -1
  private memoHead: RequestHead | undefined

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
    this.resetBudget = new Budget(200, 33, host.nowMs)
    this.controlBudget = new Budget(1000, 100, host.nowMs)
    metrics.connections += 1
    metrics.connectionsTotal += 1
    socket.on('drain', () => this.onDrain())
    socket.on('end', () => this.onClientEnd())
    socket.on('error', () => {})
    socket.on('close', () => this.onClose())
    const { streams, headBytes } = host.limits
    this.write(
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

  bodyDeadline(): number {
    return this.host.nowMs + this.host.limits.body
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes what the socket read. The buffer may be reused once this returns. */
  onData(received: Buffer): void {
    if (this.isClosing) return
    let bytes = received
    if (this.leftover !== undefined) {
      bytes = Buffer.concat([this.leftover, received])
      this.leftover = undefined
    }
    this.isConsuming = true
    try {
      const at = this.consume(bytes)
      if (at < bytes.length && !this.isClosing) this.leftover = Buffer.from(bytes.subarray(at))
    } catch (error) {
      if (error instanceof ConnectionError) this.fail(error.code)
      else if (error instanceof HpackError) this.fail(ERROR.compression)
      else throw error
    } finally {
      this.isConsuming = false
    }
    this.flush()
  }

  private consume(bytes: Buffer): number {
    let at = 0
    if (!this.hasPreface) {
      const text = bytes.toString('latin1', 0, PREFACE.length)
      if (!PREFACE.startsWith(text)) throw new ConnectionError(ERROR.protocol, 'not HTTP/2')
      if (text.length < PREFACE.length) return 0
      this.hasPreface = true
      at = PREFACE.length
    }
    while (bytes.length - at >= FRAME_HEAD_BYTES && !this.isClosing) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
      if (length > FRAME_BYTES_MAX) throw new ConnectionError(ERROR.frameSize, 'frame too large')
      const next = at + FRAME_HEAD_BYTES + length
      if (next > bytes.length) break
      const stream =
        ((bytes[at + 5]! & 127) << 24) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!
      this.onFrame(bytes[at + 3]!, bytes[at + 4]!, stream, bytes.subarray(at + FRAME_HEAD_BYTES, next))
      at = next
    }
    return at
  }

  private onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (this.block !== undefined && (type !== FRAME.continuation || stream !== this.block.stream))
      throw new ConnectionError(ERROR.protocol, 'another frame inside a head')
    switch (type) {
      case FRAME.data:
        return this.onDataFrame(flags, stream, payload)
      case FRAME.headers:
        return this.onHeadersFrame(flags, stream, payload)
      case FRAME.priority:
        return this.onPriority(stream, payload)
      case FRAME.rstStream:
        return this.onRstStream(stream, payload)
      case FRAME.settings:
        return this.onSettings(flags, stream, payload)
      case FRAME.pushPromise:
        throw new ConnectionError(ERROR.protocol, 'push from a client')
      case FRAME.ping:
        return this.onPing(flags, stream, payload)
      case FRAME.goaway:
        if (stream !== 0) throw new ConnectionError(ERROR.protocol, 'GOAWAY on a stream')
        if (payload.length < 8) throw new ConnectionError(ERROR.frameSize, 'GOAWAY too short')
        this.isDraining = true
        return this.endIfIdle()
      case FRAME.windowUpdate:
        return this.onWindowUpdate(stream, payload)
      case FRAME.continuation:
        return this.onContinuation(flags, stream, payload)
      default:
        // §4.1: unknown ones are ignored.
        this.charge()
    }
  }

  /** A frame that costs us and brings nothing. */
  private charge(): void {
    if (!this.controlBudget.take(this.host.nowMs)) throw new ConnectionError(ERROR.enhanceYourCalm, 'a flood')
  }

  private onDataFrame(flags: number, id: number, payload: Buffer): void {
    if (id === 0) throw new ConnectionError(ERROR.protocol, 'DATA without a stream')
    if (id > this.lastStream) throw new ConnectionError(ERROR.protocol, 'DATA on an idle stream')
    const counted = payload.length
    const data = unpadded(flags, payload)
    this.receiveWindow -= counted
    if (this.receiveWindow < 0) throw new ConnectionError(ERROR.flowControl, 'more than the window')
    const isEnd = (flags & FLAG.endStream) !== 0
    if (data.length === 0 && !isEnd) this.charge()
    const stream = this.streams.get(id)
    if (stream === undefined || !stream.isReceiving) {
      this.giveBack(counted)
      if (stream !== undefined) stream.reset(ERROR.streamClosed)
      // What was under way when we reset it is nobody's fault.
      else if (!this.wereReset.has(id))
        throw new ConnectionError(ERROR.streamClosed, 'DATA on a closed stream')
      else this.charge()
      return
    }
    if (!stream.receive(data, counted, isEnd)) {
      this.giveBack(counted)
      stream.reset(ERROR.flowControl)
    }
  }

  private onHeadersFrame(flags: number, id: number, payload: Buffer): void {
    if (id === 0 || id % 2 === 0)
      throw new ConnectionError(ERROR.protocol, 'HEADERS on no stream of a client')
    let block = unpadded(flags, payload)
    if ((flags & FLAG.priority) !== 0) {
      if (block.length < 5) throw new ConnectionError(ERROR.frameSize, 'HEADERS too short')
      if ((block.readUInt32BE(0) & 0x7fff_ffff) === id)
        throw new ConnectionError(ERROR.protocol, 'stream that depends on itself')
      block = block.subarray(5)
    }
    const isEnd = (flags & FLAG.endStream) !== 0
    if ((flags & FLAG.endHeaders) !== 0) {
      this.onHead(id, isEnd, block)
      return
    }
    this.block = { stream: id, isEnd, pieces: [Buffer.from(block)], bytes: block.length }
    this.deadline = this.host.nowMs + this.host.limits.head
  }

  private onContinuation(flags: number, id: number, payload: Buffer): void {
    const { block } = this
    if (block === undefined) throw new ConnectionError(ERROR.protocol, 'CONTINUATION of nothing')
    block.bytes += payload.length
    block.pieces.push(Buffer.from(payload))
    if (block.pieces.length > CONTINUATIONS_MAX || block.bytes > this.host.limits.headBytes + FRAME_BYTES_MAX)
      throw new ConnectionError(ERROR.enhanceYourCalm, 'a head that does not end')
    if ((flags & FLAG.endHeaders) === 0) return
    this.block = undefined
    this.deadline = Number.POSITIVE_INFINITY
    this.onHead(id, block.isEnd, Buffer.concat(block.pieces))
  }

  private onHead(id: number, isEnd: boolean, block: Buffer): void {
    const { host, decoder } = this
    const { headBytes, headerCount } = host.limits
    const text = block.length <= MEMO_BYTES_MAX ? block.toString('latin1') : ''
    const isRepeated =
      isEnd &&
      id > this.lastStream &&
      text !== '' &&
      text === this.memoBlock &&
      decoder.generation === this.memoGeneration
    if (isRepeated) {
      this.open(id, true, this.memoHead!)
      return
    }
    const { generation } = decoder
    // Pseudo-headers and pieces of cookies are not fields of the request.
    const fields = decoder.decode(block, { bytes: headBytes, count: headerCount * 2 })
    const open = this.streams.get(id)
    if (open !== undefined) {
      this.onTrailers(open, isEnd, fields)
      return
    }
    if (id <= this.lastStream) {
      if (this.wereReset.has(id)) return
      throw new ConnectionError(ERROR.streamClosed, 'HEADERS on a closed stream')
    }
    const head = decoder.isTooLarge ? HEAD_TOO_LARGE : parseHttp2Head(fields, isEnd, host.limits)
    if ('kind' in head) {
      this.lastStream = id
      this.refuse(id, isEnd, head, isHead(fields))
      return
    }
    if (head.headers.length > headerCount * 2) {
      this.lastStream = id
      this.refuse(id, isEnd, HEAD_TOO_LARGE, isHead(fields))
      return
    }
    if (isEnd && text !== '' && decoder.generation === generation) {
      this.memoBlock = text
      this.memoGeneration = generation
      this.memoHead = head
    }
    this.open(id, isEnd, head)
  }

  private open(id: number, isEnd: boolean, head: RequestHead): void {
    const { host, streams } = this
    this.lastStream = id
    if (streams.size >= host.limits.streams || this.isDraining) {
      if (!this.isDraining && !this.resetBudget.take(host.nowMs))
        throw new ConnectionError(ERROR.enhanceYourCalm, 'more streams than allowed, again and again')
      this.remember(id)
      this.metrics.countReset('edge', 'refused-stream')
      this.write(rstStreamFrame(id, ERROR.refusedStream))
      return
    }
    const { framing } = head
    if (framing.kind === 'length' && framing.bytes > host.limits.bodyBytes) {
      const reason = `the body may have ${host.limits.bodyBytes} bytes`
      this.refuse(id, isEnd, { kind: 'problem', status: 413, reason }, false)
      return
    }
    this.metrics.streams += 1
    this.deadline = Number.POSITIVE_INFINITY
    const stream = new Http2Stream(this, id, head, isEnd, this.peerStreamWindow)
    streams.set(id, stream)
    host.onRequest(stream, head)
  }

  private onTrailers(stream: Http2Stream, isEnd: boolean, fields: HeaderList): void {
    if (!stream.isReceiving) {
      stream.reset(ERROR.streamClosed)
      return
    }
    const trailers = isEnd && !this.decoder.isTooLarge ? parseHttp2Trailers(fields) : undefined
    if (trailers === undefined) stream.failBody(400, 'malformed trailers', true)
    else stream.receiveTrailers(allowedTrailers(trailers))
  }

  /** Answers what could not be read as a request, and says so by a reset too where it is malformed. */
  private refuse(id: number, isEnd: boolean, { status, reason }: WireProblem, isHeadRequest: boolean): void {
    this.remember(id)
    const body = edgeErrorText(status, reason)
    const head = `HTTP/1.1 ${status} \r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\ncache-control: no-store\r\n`
    const block = encodeResponseHead(head)
    this.write(headersFrames(block, id, isHeadRequest))
    if (!isHeadRequest && body.length <= this.sendWindow) {
      this.sendWindow -= body.length
      this.write(frameHead(body.length, FRAME.data, FLAG.endStream, id) + body)
    }
    if (status === 400) this.reset(id, ERROR.protocol)
    else if (!isEnd) this.reset(id, ERROR.none)
    const bytesSent = block.length + body.length
    this.host.onRefused({ connection: this, head: undefined, status, bytesSent })
    // Those who send nothing else are not listened to for long.
    if (!this.resetBudget.take(this.host.nowMs))
      throw new ConnectionError(ERROR.enhanceYourCalm, 'malformed, again and again')
  }

  private onPriority(id: number, payload: Buffer): void {
    if (id === 0) throw new ConnectionError(ERROR.protocol, 'PRIORITY without a stream')
    if (payload.length !== 5) throw new ConnectionError(ERROR.frameSize, 'PRIORITY of another length')
    if ((payload.readUInt32BE(0) & 0x7fff_ffff) === id)
      throw new ConnectionError(ERROR.protocol, 'stream that depends on itself')
    this.charge()
  }

  private onRstStream(id: number, payload: Buffer): void {
    if (id === 0 || id > this.lastStream) throw new ConnectionError(ERROR.protocol, 'RST_STREAM of no stream')
    if (payload.length !== 4) throw new ConnectionError(ERROR.frameSize, 'RST_STREAM of another length')
    const code = payload.readUInt32BE(0)
    this.metrics.countReset('client', ERROR_NAMES[code] ?? 'unknown')
    if (!this.resetBudget.take(this.host.nowMs))
      throw new ConnectionError(ERROR.enhanceYourCalm, 'streams that are opened and reset')
    const stream = this.streams.get(id)
    if (stream === undefined) return
    this.forget(stream)
    this.remember(id)
    stream.gone()
    this.endIfIdle()
  }

  private onSettings(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw new ConnectionError(ERROR.protocol, 'SETTINGS on a stream')
    if ((flags & FLAG.ack) !== 0) {
      if (payload.length > 0) throw new ConnectionError(ERROR.frameSize, 'SETTINGS that acknowledge and set')
      this.charge()
      return
    }
    if (payload.length % 6 !== 0) throw new ConnectionError(ERROR.frameSize, 'SETTINGS of another length')
    this.charge()
    for (let at = 0; at < payload.length; at += 6)
      this.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
    this.write(SETTINGS_ACK)
  }

  private set(setting: number, value: number): void {
    if (setting === SETTING.enablePush && value > 1)
      throw new ConnectionError(ERROR.protocol, 'bad ENABLE_PUSH')
    if (setting === SETTING.maxFrameSize && (value < FRAME_BYTES_MAX || value > 0xff_ffff))
      throw new ConnectionError(ERROR.protocol, 'bad MAX_FRAME_SIZE')
    if (setting !== SETTING.initialWindowSize) return
    if (value > WINDOW_MAX) throw new ConnectionError(ERROR.flowControl, 'bad INITIAL_WINDOW_SIZE')
    const more = value - this.peerStreamWindow
    this.peerStreamWindow = value
    for (const stream of this.streams.values()) {
      stream.sendWindow += more
      if (stream.sendWindow > WINDOW_MAX) throw new ConnectionError(ERROR.flowControl, 'window too large')
    }
    if (more > 0) this.pumpAll()
  }

  private onPing(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw new ConnectionError(ERROR.protocol, 'PING on a stream')
    if (payload.length !== 8) throw new ConnectionError(ERROR.frameSize, 'PING of another length')
    this.charge()
    if ((flags & FLAG.ack) === 0)
      this.write(frameHead(8, FRAME.ping, FLAG.ack, 0) + payload.toString('latin1'))
  }

  private onWindowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw new ConnectionError(ERROR.frameSize, 'WINDOW_UPDATE of another length')
    const more = payload.readUInt32BE(0) & 0x7fff_ffff
    if (id === 0) {
      if (more === 0) throw new ConnectionError(ERROR.protocol, 'WINDOW_UPDATE of nothing')
      this.sendWindow += more
      if (this.sendWindow > WINDOW_MAX) throw new ConnectionError(ERROR.flowControl, 'window too large')
      this.pumpAll()
      return
    }
    if (id > this.lastStream) throw new ConnectionError(ERROR.protocol, 'WINDOW_UPDATE on an idle stream')
    const stream = this.streams.get(id)
    // It asks for no answer, and those who download send thousands: it is not charged.
    if (stream === undefined) return
    if (more === 0) return stream.reset(ERROR.protocol)
    stream.sendWindow += more
    if (stream.sendWindow > WINDOW_MAX) stream.reset(ERROR.flowControl)
    else if (stream.pending > 0) stream.wake()
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Text of frames, to leave with what else is written in this turn. */
  write(text: string): void {
    this.out += text
    if (this.out.length >= FLUSH_BYTES) this.flush()
    else if (!this.isConsuming && !this.isFlushDue) {
      this.isFlushDue = true
      queueMicrotask(this.flushDue)
    }
  }

  private readonly flushDue = (): void => {
    this.isFlushDue = false
    this.flush()
  }

  private flush(): void {
    if (this.out === '' || this.socket.destroyed) return
    const text = this.out
    this.out = ''
    this.bytesOut += text.length
    this.socket.write(text, 'latin1')
    // Whoever does not read what it asks for is not asked for more.
    if (this.socket.writableLength > OUT_FLOODED && !this.isPaused) {
      this.isPaused = true
      this.deadline = this.bodyDeadline()
      this.socket.pause()
    }
  }

  /** Bodies wait: the client does not keep up. */
  get isFull(): boolean {
    return this.socket.writableLength + this.out.length >= OUT_FULL
  }

  /** May a whole body of this length leave now, as far as the connection goes? */
  canSend(length: number): boolean {
    return length <= FRAME_BYTES_MAX && length <= this.sendWindow && !this.isFull
  }

  /** To be pumped when there is room again. */
  wait(stream: Http2Stream): void {
    this.waiting.add(stream)
  }

  private pumpAll(): void {
    const waiting = this.waiting
    if (waiting.size === 0) return
    this.waiting = new Set()
    for (const stream of waiting) stream.wake()
  }

  private onDrain(): void {
    if (this.isPaused && this.socket.writableLength < OUT_FULL) {
      this.isPaused = false
      if (this.streams.size > 0) this.deadline = Number.POSITIVE_INFINITY
      this.socket.resume()
    }
    this.pumpAll()
  }

  /** Bytes of bodies that were read: the client may send as many more. */
  giveBack(bytes: number): void {
    this.owed += bytes
    if (this.owed < CONNECTION_WINDOW / 2) return
    this.receiveWindow += this.owed
    this.write(windowUpdateFrame(0, this.owed))
    this.owed = 0
  }

  sendWindowUpdate(stream: number, bytes: number): void {
    this.write(windowUpdateFrame(stream, bytes))
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
    this.remember(stream.id)
    stream.release()
    this.reset(stream.id, code)
    this.endIfIdle()
  }

  private reset(id: number, code: number): void {
    this.metrics.countReset('edge', ERROR_NAMES[code]!)
    this.write(rstStreamFrame(id, code))
  }

  private forget(stream: Http2Stream): void {
    this.streams.delete(stream.id)
    this.waiting.delete(stream)
    if (this.streams.size === 0 && this.block === undefined)
      this.deadline = this.host.nowMs + this.host.limits.idle
  }

  private remember(id: number): void {
    this.wereReset.add(id)
    if (this.wereReset.size > RESET_KEPT) this.wereReset.delete(this.wereReset.values().next().value!)
  }

  // ── time and end ────────────────────────────────────────────────────────────────────────────────────────────

  checkDeadline(nowMs: number): void {
    for (const stream of this.streams.values()) stream.checkDeadline(nowMs)
    if (nowMs < this.deadline) return
    if (this.isClosing || this.isPaused || this.block !== undefined || !this.hasPreface) this.socket.destroy()
    else if (this.streams.size === 0) this.fail(ERROR.none)
  }

  closeIdle(): void {
    if (this.isClosing) return
    if (!this.isDraining) {
      this.isDraining = true
      this.write(goawayFrame(this.lastStream, ERROR.none))
    }
    this.endIfIdle()
  }

  private endIfIdle(): void {
    if (this.isDraining && this.streams.size === 0 && !this.isClosing) this.fail(ERROR.none)
  }

  /** Tells the client why, and ends. */
  private fail(code: number): void {
    if (this.isClosing) return
    this.isClosing = true
    if (code !== ERROR.none) this.metrics.countError(ERROR_NAMES[code]!)
    this.out += goawayFrame(this.lastStream, code)
    this.flush()
    this.leftover = undefined
    this.block = undefined
    this.deadline = this.host.nowMs + LINGER_MS
    if (this.isPaused) this.socket.resume()
    this.socket.end()
    this.endStreams()
  }

  private endStreams(): void {
    const streams = [...this.streams.values()]
    this.streams.clear()
    this.waiting.clear()
    for (const stream of streams) stream.gone()
  }

  private onClientEnd(): void {
    if (this.isClosing) {
      this.socket.destroySoon()
      return
    }
    this.isDraining = true
    for (const stream of this.streams.values())
      if (stream.isReceiving) stream.failBody(400, 'the request ended in the middle of its body', true)
    this.endIfIdle()
  }

  private onClose(): void {
    this.metrics.connections -= 1
    this.isClosing = true
    this.leftover = undefined
    this.host.onClose(this)
    this.endStreams()
  }
}

/** The payload without its padding (§6.1). */
function unpadded(flags: number, payload: Buffer): Buffer {
  if ((flags & FLAG.padded) === 0) return payload
  const padding = payload[0]
  if (padding === undefined) throw new ConnectionError(ERROR.frameSize, 'padding without its length')
  if (padding >= payload.length) throw new ConnectionError(ERROR.protocol, 'more padding than payload')
  return payload.subarray(1, payload.length - padding)
}

/** Does the request ask for a head alone? It may be malformed otherwise. */
const isHead = (fields: HeaderList): boolean => {
  const at = fields.indexOf(':method')
  return at >= 0 && fields[at + 1] === 'HEAD'
}
