/**
 * A way back to a client on which the body of the answer has a pace: so many bytes a second, after so many at full speed.
 *
 * It stands between a request and its connection. What it is given beyond the pace waits here, and whoever sends is told to wait, as by a slow
 * client; so all ways on which bodies come (the cache, origins, units, files) know what to do. A body at hand is read piece by piece. Several limits
 * stand behind each other, and the slowest counts.
 */
import type { Socket } from 'node:net'
import type { HeaderList } from '../../wire/http1/message.ts'
import type { BodyFraming } from '../answer-writer.ts'
import type { StoredBody } from '../caching/stored-body.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { Answering } from '../connection-host.ts'
import type { Exchange } from '../exchange.ts'
import type { Peer, PeerFacts } from '../forwarding/peer.ts'
import type { BodyConsumer } from '../incoming-body.ts'
import type { ListenerFacts } from '../listener-facts.ts'
import type { Range } from '../ranges/byte-ranges.ts'
import { whenSent } from '../when-sent.ts'

export interface Pace {
  readonly bytesPerSecond: number
  /** Bytes that go out at full speed first. */
  readonly after: number
}

/** Waits for so much of a second's bytes, where that much is left: often enough to be smooth, seldom enough to cost nothing. */
const QUANTUM_SECONDS = 1 / 20
const QUANTUM_MAX_BYTES = 64 * 1024
/**
 * So much of a second's bytes is made up for at once: timers come late, and sockets have room a moment after they had none. Where that was lost each time, a
 * busy machine would send at half the pace, and a fast pace would never be reached.
 */
const LATE_SECONDS = 1 / 4

/** A body that waits: pieces that were given, or a part of a stored one. */
interface Stored {
  readonly body: StoredBody
  at: number
  readonly end: number
  readonly onSent: () => void
}

export class PacedConnection implements ClientConnection, Answering {
  switchProtocols?: (head: string, consumer: BodyConsumer) => void
  private readonly real: ClientConnection
  private readonly exchange: Exchange
  /** Who is told of the client: the request, or another pace behind this one. */
  private inProgress: Answering
  private readonly bytesPerSecond: number
  private readonly quantum: number
  private readonly creditMax: number
  private credit: number
  /** Undefined until there is a body. */
  private countedMs: number | undefined
  /** Whole answers that nothing is held of: no body to be paced. */
  private isOpen = false
  private waiting: Buffer[] = []
  private stored: Stored | undefined
  private ending: HeaderList | undefined
  private timer: NodeJS.Timeout | undefined
  private isFull = false
  /** All of the answer was handed over: who gave it is told nothing more. */
  private isHandedOver = false
  private isOver = false
  private headLength = 0
  private given = 0
  private readonly whenGone: (() => void)[] = []

  constructor(real: ClientConnection, exchange: Exchange, { bytesPerSecond, after }: Pace) {
    this.real = real
    this.exchange = this.inProgress = exchange
    this.bytesPerSecond = bytesPerSecond
    this.quantum = Math.min(QUANTUM_MAX_BYTES, Math.ceil(bytesPerSecond * QUANTUM_SECONDS))
    this.creditMax = Math.max(this.quantum, bytesPerSecond * LATE_SECONDS)
    this.credit = after + this.quantum
    const { switchProtocols } = real
    if (switchProtocols !== undefined)
      this.switchProtocols = (head, consumer) => {
        // What follows is no answer.
        this.isOpen = true
        switchProtocols.call(real, head, consumer)
      }
    real.attach(this)
  }

  // ── what passes as it is ────────────────────────────────────────────────────────────────────────────────────

  get socket(): Socket {
    return this.real.socket
  }

  get ends(): PeerFacts {
    return this.real.ends
  }

  get peer(): Peer | undefined {
    return this.real.peer
  }

  set peer(peer: Peer | undefined) {
    this.real.peer = peer
  }

  get listener(): ListenerFacts {
    return this.real.listener
  }

  get hasBody(): boolean {
    return this.real.hasBody
  }

  readBody(consumer: BodyConsumer): void {
    this.real.readBody(consumer)
  }

  resumeBody(): void {
    this.real.resumeBody()
  }

  get hasSentHead(): boolean {
    return this.real.hasSentHead
  }

  attach(inProgress: Answering): void {
    this.inProgress = inProgress
  }

  flushHead(): void {
    this.real.flushHead()
  }

  sendInformational(status: number, headers: HeaderList): void {
    this.real.sendInformational(status, headers)
  }

  // ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────

  sendWhole(head: string, body: string | Buffer): void {
    this.refill()
    if (body.length <= this.credit) {
      this.isHandedOver = true
      this.real.sendWhole(head, body)
      this.over()
      return
    }
    this.real.startStream(head, 'length')
    this.headLength = head.length
    this.given = body.length
    this.handOver()
    this.waiting.push(typeof body === 'string' ? Buffer.from(body, 'latin1') : body)
    this.ending = []
    this.pump()
  }

  sendStored(head: string, body: StoredBody, onSent: () => void, part: Range = body.whole): void {
    this.real.startStream(head, 'length')
    this.stored = { body, at: part.start, end: part.end, onSent }
    this.ending = []
    this.pump()
  }

  startStream(head: string, body: BodyFraming): void {
    this.headLength = head.length
    // No body follows: none has to wait.
    if (body === 'none' || this.exchange.head.method === 'HEAD') this.isOpen = true
    this.real.startStream(head, body)
  }

  sendChunk(chunk: Buffer): boolean {
    return this.send(chunk, false)
  }

  sendParts(parts: readonly Buffer[]): boolean {
    if (this.isOpen) return this.real.sendParts(parts)
    let isFlowing = true
    for (const part of parts) isFlowing = this.send(part, true)
    return isFlowing
  }

  private send(chunk: Buffer, isOurs: boolean): boolean {
    if (this.isOpen) return this.real.sendChunk(chunk)
    if (this.isOver || chunk.length === 0) return true
    this.given += chunk.length
    this.waiting.push(isOurs ? chunk : Buffer.from(chunk))
    this.pump()
    return this.waiting.length === 0 && !this.isFull && this.timer === undefined
  }

  endStream(trailers: HeaderList): void {
    if (this.isOpen) {
      this.isHandedOver = true
      this.real.endStream(trailers)
      this.over()
      return
    }
    this.handOver()
    this.ending = trailers
    this.pump()
  }

  cut(): void {
    this.over()
    this.real.cut()
  }

  /** `then` is called when the last byte has left, or the client is gone. */
  whenSent(then: () => void): void {
    if (this.isOver) whenSent(this.real, [then])
    else this.whenGone.push(then)
  }

  // ── the pace ────────────────────────────────────────────────────────────────────────────────────────────────

  private refill(): void {
    const nowMs = this.exchange.node.monotonic()
    const more = ((nowMs - (this.countedMs ?? nowMs)) * this.bytesPerSecond) / 1000
    this.countedMs = nowMs
    // What was not used for longer is not saved up.
    this.credit = Math.max(this.credit, Math.min(this.credit + more, this.creditMax))
  }

  private pump(): void {
    if (this.isOver || this.timer !== undefined) return
    this.refill()
    while (!this.isOver && !this.isFull && this.credit > 0) {
      const piece = this.next(Math.floor(Math.min(this.credit, QUANTUM_MAX_BYTES)))
      if (piece === undefined) break
      this.credit -= piece.length
      if (!this.real.sendChunk(piece)) this.isFull = true
    }
    // It may have been cut meanwhile, or its client have gone.
    if (this.isOver) return
    if (this.hasMore) {
      if (!this.isFull) this.wait()
    } else if (this.ending !== undefined) {
      this.end(this.ending)
    } else if (this.credit < 1 && !this.isFull) {
      this.wait()
    }
  }

  private get hasMore(): boolean {
    return this.waiting.length > 0 || (this.stored !== undefined && this.stored.at < this.stored.end)
  }

  /** Undefined: there is nothing, or what was stored is not what it was. */
  private next(bytesMax: number): Buffer | undefined {
    const { stored } = this
    if (bytesMax < 1) return undefined
    if (stored !== undefined && stored.at < stored.end) {
      const piece = stored.body.readIfWhole(stored.at, Math.min(stored.end, stored.at + bytesMax))
      if (piece === undefined) this.cut()
      else stored.at += piece.length
      return piece
    }
    const piece = this.waiting.shift()
    if (piece === undefined || piece.length <= bytesMax) return piece
    this.waiting.unshift(piece.subarray(bytesMax))
    return piece.subarray(0, bytesMax)
  }

  private wait(): void {
    const ms = Math.ceil(((this.quantum - this.credit) * 1000) / this.bytesPerSecond)
    this.timer = setTimeout(this.onTime, Math.max(1, ms))
  }

  private readonly onTime = (): void => {
    this.timer = undefined
    this.pump()
    this.askForMore()
  }

  private askForMore(): void {
    if (this.isOver || this.isHandedOver || this.stored !== undefined) return
    if (!this.hasMore && !this.isFull && this.timer === undefined) this.inProgress.onDrain()
  }

  private end(trailers: HeaderList): void {
    const { stored } = this
    this.isHandedOver = true
    this.real.endStream(trailers)
    stored?.onSent()
    this.over()
  }

  /** Who answered is done with it, and tells of it now: what it took is known, though not all of it has left. */
  private handOver(): void {
    this.isHandedOver = true
    this.headBytes = this.headLength
    this.bytesSent = this.headLength + this.given
  }

  private over(): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.timer)
    this.timer = undefined
    this.waiting = []
    this.stored = undefined
    // Another pace may stand before this one.
    whenSent(this.real, this.whenGone.splice(0))
  }

  // ── told by the connection ──────────────────────────────────────────────────────────────────────────────────

  set bytesSent(bytes: number) {
    this.inProgress.bytesSent = bytes
  }

  set headBytes(bytes: number) {
    this.inProgress.headBytes = bytes
  }

  set bytesReceived(bytes: number) {
    this.inProgress.bytesReceived = bytes
  }

  onDrain(): void {
    this.isFull = false
    if (this.isOpen) return this.inProgress.onDrain()
    this.pump()
    this.askForMore()
  }

  onGone(): void {
    this.over()
    if (!this.isHandedOver) this.inProgress.onGone()
  }
}
