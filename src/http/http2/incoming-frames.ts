/** The meaning of each frame of a client (RFC 9113 §5.1, §6): to which stream it goes, and what ends the connection. */
import {
  ERROR,
  ERROR_NAMES,
  FLAG,
  FRAME,
  frameHead,
  SETTINGS_ACK,
  WINDOW_MAX,
} from '../../wire/http2/frames.ts'
import { ConnectionError } from './connection-error.ts'
import type { Http2Connection } from './connection.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { checkDependency, checkShape, unpadded } from './frame-shape.ts'
import { HeadReader } from './head-reader.ts'
import type { Http2Stream } from './stream.ts'

export class IncomingFrames implements FrameSink {
  private readonly connection: Http2Connection
  private readonly reader = new FrameReader(this)
  private readonly heads: HeadReader

  constructor(connection: Http2Connection) {
    this.connection = connection
    this.heads = new HeadReader(connection.host)
  }

  get isClosing(): boolean {
    return this.connection.isClosing
  }

  get hasPreface(): boolean {
    return this.reader.hasPreface
  }

  /** A head has begun and not ended. */
  get isInsideHead(): boolean {
    return this.heads.open !== undefined
  }

  /** What was read last asks for a head alone. */
  get isHeadRequest(): boolean {
    return this.heads.isHeadRequest
  }

  /** Throws a `ConnectionError`, or an `HpackError`, where the client broke the protocol. */
  read(received: Buffer): void {
    this.reader.read(received)
  }

  /** Nothing more is read. */
  forget(): void {
    this.reader.forget()
  }

  onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    const { open } = this.heads
    if (open !== undefined && (type !== FRAME.continuation || stream !== open.stream))
      throw new ConnectionError(ERROR.protocol, 'another frame inside a head')
    checkShape(type, flags, stream, payload)
    switch (type) {
      case FRAME.data:
        return this.onDataFrame(flags, stream, payload)
      case FRAME.headers:
        return this.onHeadersFrame(flags, stream, payload)
      case FRAME.priority:
        checkDependency(stream, payload)
        return this.connection.guard.onIdleFrame()
      case FRAME.rstStream:
        return this.onRstStream(stream, payload)
      case FRAME.settings:
        return this.onSettings(flags, payload)
      case FRAME.pushPromise:
        throw new ConnectionError(ERROR.protocol, 'push from a client')
      case FRAME.ping:
        return this.onPing(flags, payload)
      case FRAME.goaway:
        return this.connection.onClientGoaway()
      case FRAME.windowUpdate:
        return this.onWindowUpdate(stream, payload)
      case FRAME.continuation:
        return this.onContinuation(flags, stream, payload)
      default:
        // §4.1: unknown ones are ignored.
        this.connection.guard.onIdleFrame()
    }
  }

  private onDataFrame(flags: number, id: number, payload: Buffer): void {
    const { connection } = this
    const { numbers, guard } = connection
    if (numbers.isIdle(id)) throw new ConnectionError(ERROR.protocol, 'DATA on an idle stream')
    const counted = payload.length
    const data = unpadded(flags, payload)
    if (!connection.receiveWindow.take(counted))
      throw new ConnectionError(ERROR.flowControl, 'more than the window')
    const isEnd = (flags & FLAG.endStream) !== 0
    if (data.length === 0 && !isEnd) guard.onIdleFrame()
    const stream = connection.streams.get(id)
    const body = stream?.receiving
    if (body === undefined) {
      connection.giveBack(counted)
      if (stream !== undefined) stream.reset(ERROR.streamClosed)
      // What was under way when we reset it is nobody's fault.
      else if (numbers.wasReset(id)) guard.onIdleFrame()
      else throw new ConnectionError(ERROR.streamClosed, 'DATA on a closed stream')
    } else if (!body.receive(data, counted, isEnd)) {
      connection.giveBack(counted)
      stream!.reset(ERROR.flowControl)
    }
  }

  private onHeadersFrame(flags: number, id: number, payload: Buffer): void {
    if (id % 2 === 0) throw new ConnectionError(ERROR.protocol, 'HEADERS on no stream of a client')
    const block = this.heads.begin(flags, id, payload)
    if (block === undefined) this.connection.onHeadBegun()
    else this.onBlock(id, (flags & FLAG.endStream) !== 0, block)
  }

  private onContinuation(flags: number, id: number, payload: Buffer): void {
    const isEnd = this.heads.open?.isEnd ?? false
    const block = this.heads.continue(flags, payload)
    if (block === undefined) return
    this.connection.onHeadEnded()
    this.onBlock(id, isEnd, block)
  }

  private onBlock(id: number, isEnd: boolean, block: Buffer): void {
    const { heads, connection } = this
    const { numbers } = connection
    const open = connection.streams.get(id)
    if (open !== undefined) {
      this.onTrailers(open, isEnd, block)
    } else if (!numbers.isIdle(id)) {
      if (numbers.wasLeftOut(id)) throw new ConnectionError(ERROR.protocol, 'a stream older than the last')
      if (!numbers.wasReset(id)) throw new ConnectionError(ERROR.streamClosed, 'HEADERS on a closed stream')
      heads.skip(block)
      connection.guard.onIdleFrame()
      connection.restIfIdle()
    } else {
      const head = heads.readRequest(block, isEnd)
      numbers.use(id)
      if ('kind' in head) connection.refuse(id, isEnd, head)
      else connection.open(id, isEnd, head)
    }
  }

  private onTrailers(stream: Http2Stream, isEnd: boolean, block: Buffer): void {
    const trailers = this.heads.readTrailers(block)
    const body = stream.receiving
    if (body === undefined) stream.reset(ERROR.streamClosed)
    else if (trailers === undefined || !isEnd) body.fail(400, 'malformed trailers', true)
    else body.receiveTrailers(trailers)
  }

  private onRstStream(id: number, payload: Buffer): void {
    const { connection } = this
    if (connection.numbers.isIdle(id)) throw new ConnectionError(ERROR.protocol, 'RST_STREAM of no stream')
    const code = payload.readUInt32BE(0)
    connection.metrics.countReset('client', ERROR_NAMES[code] ?? 'unknown')
    connection.guard.onBrokenStream()
    const stream = connection.streams.get(id)
    if (stream === undefined) return
    connection.forget(stream)
    stream.gone()
    connection.endIfIdle()
  }

  private onSettings(flags: number, payload: Buffer): void {
    const { guard, settings, outflow } = this.connection
    guard.onIdleFrame()
    if ((flags & FLAG.ack) !== 0) return
    let more = 0
    for (let at = 0; at < payload.length; at += 6) {
      // An honest client sets each once.
      if (at > 0) guard.onIdleFrame()
      more += settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
    }
    if (more !== 0) this.resizeStreams(more)
    outflow.write(SETTINGS_ACK)
  }

  /** §6.9.2: a change of the initial size counts for streams that are open, too. */
  private resizeStreams(more: number): void {
    const { streams, outflow } = this.connection
    for (const stream of streams.values()) {
      stream.sendWindow += more
      if (stream.sendWindow > WINDOW_MAX) throw new ConnectionError(ERROR.flowControl, 'window too large')
    }
    if (more > 0) outflow.pumpAll()
  }

  private onPing(flags: number, payload: Buffer): void {
    const { guard, outflow } = this.connection
    guard.onIdleFrame()
    if ((flags & FLAG.ack) === 0)
      outflow.write(frameHead(8, FRAME.ping, FLAG.ack, 0) + payload.toString('latin1'))
  }

  private onWindowUpdate(id: number, payload: Buffer): void {
    const { guard, numbers, outflow, streams } = this.connection
    guard.onWindowUpdate()
    const more = payload.readUInt32BE(0) & 0x7fff_ffff
    if (id === 0) {
      if (more === 0) throw new ConnectionError(ERROR.protocol, 'WINDOW_UPDATE of nothing')
      if (!outflow.widen(more)) throw new ConnectionError(ERROR.flowControl, 'window too large')
      outflow.pumpAll()
      return
    }
    if (numbers.isIdle(id)) throw new ConnectionError(ERROR.protocol, 'WINDOW_UPDATE on an idle stream')
    const stream = streams.get(id)
    if (stream === undefined) return
    if (more === 0) return stream.reset(ERROR.protocol)
    stream.sendWindow += more
    if (stream.sendWindow > WINDOW_MAX) stream.reset(ERROR.flowControl)
    else if (stream.isWaiting) stream.wake()
  }
}
