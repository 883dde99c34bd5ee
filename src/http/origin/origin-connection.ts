/**
 * One connection to an endpoint: connects, carries one call at a time, and goes back to its pool only when both directions ended cleanly.
 *
 * Reads land in one buffer that all connections share (`onread` of node:net): bytes are looked at before the next read, so nothing
 * is allocated for them. Deadlines are numbers which the pool's sweep compares, not timers.
 */
import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { EdgeError } from '../../base/errors.ts'
import {
  headerValue,
  type HeaderList,
  type ResponseHead,
  type WireProblem,
} from '../../wire/http1/message.ts'
import { sniOf, type Address } from './address.ts'
import type { Call } from './call.ts'
import { connectFailure, earlyEnd, type ConnectStage } from './failures.ts'
import { requestHeadText } from './request-text.ts'
import { ResponseReader, type ResponseSink } from './response-reader.ts'

/** What a connection needs of its pool. */
export interface ConnectionPool {
  readonly address: Address
  /** Milliseconds. */
  readonly timeouts: { readonly connect: number; readonly response: number; readonly idle: number }
  /** The last TLS session, to resume. */
  session: Buffer | undefined
  now(): number
  /** It is connected, or its call is done: it may carry another. */
  onReady(connection: OriginConnection): void
  onGone(connection: OriginConnection): void
}

const READ_BYTES = 64 * 1024
/** Of all connections of this process: what it holds is valid until the next read of any of them. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)

/** Ends an idle connection this long before the origin said it would, so that a request does not cross the close. */
const KEEP_ALIVE_MARGIN_MS = 500

export class OriginConnection implements ResponseSink {
  /** When the sweep ends it: a connect, an answer or an idle wait that lasts too long. */
  deadline: number
  private readonly pool: ConnectionPool
  private readonly socket: Socket
  private readonly reader = new ResponseReader(this)
  private stage: ConnectStage | 'ready' = 'tcp'
  private call: Call | undefined = undefined
  /** The call this connection was opened for, until it is ready. */
  private opener: Call | undefined
  private callsServed = 0
  private agreedToKeep = false
  private idleMs: number
  private isPaused = false
  /** It speaks another protocol now, and whoever relays it has the deadlines. */
  private isTunnel = false
  private isGone = false
  private lastError: Error | undefined = undefined

  constructor(pool: ConnectionPool, opener: Call) {
    this.pool = pool
    this.opener = opener
    this.idleMs = pool.timeouts.idle
    this.deadline = pool.now() + pool.timeouts.connect
    this.socket = this.open()
    this.socket.on('drain', () => this.onDrain())
    this.socket.on('end', () => this.onInputEnd())
    // Told by `close`, which always follows.
    this.socket.on('error', (error) => (this.lastError = error))
    this.socket.on('close', () => this.onClose())
  }

  private open(): Socket {
    const { host, port, tls } = this.pool.address
    const onread = { buffer: readBuffer, callback: (bytes: number) => this.onBytes(bytes) }
    if (tls === undefined) {
      const socket = connectTcp({ host, port, noDelay: true, onread })
      socket.once('connect', () => this.onConnected())
      return socket
    }
    // Node's documentation of `tls.connect` has `onread`; its types do not.
    const options: ConnectionOptions & { onread: OnReadOpts } = {
      host,
      port,
      servername: sniOf(tls),
      rejectUnauthorized: tls.verify,
      secureContext: tls.context,
      ALPNProtocols: ['http/1.1'],
      ...(this.pool.session === undefined ? {} : { session: this.pool.session }),
      onread,
    }
    const socket = connectTls(options)
    socket.setNoDelay(true)
    socket.once('connect', () => (this.stage = 'tls'))
    socket.once('secureConnect', () => this.onConnected())
    socket.on('session', (session) => (this.pool.session = session))
    return socket
  }

  private onConnected(): void {
    this.stage = 'ready'
    const opener = this.opener
    this.opener = undefined
    if (opener === undefined || opener.isOver) this.pool.onReady(this)
    else this.carry(opener)
  }

  // ── one call ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends the head of a call and expects its answer. Only on a connection that is ready and idle. */
  carry(call: Call): void {
    this.call = call
    this.reader.begin(call.request.method, call.request.upgrade !== undefined)
    const head = requestHeadText(call.request, this.pool.address.authority)
    this.deadline = Number.POSITIVE_INFINITY
    if (call.isSent) {
      this.socket.write(head, 'latin1')
      this.onRequestSent()
      call.onConnection(this, this.callsServed > 0)
      return
    }
    // The first piece of the body is mostly at hand: it leaves with the head.
    this.socket.cork()
    this.socket.write(head, 'latin1')
    process.nextTick(() => this.socket.uncork())
    call.onConnection(this, this.callsServed > 0)
  }

  write(piece: string | Buffer): boolean {
    const flowing = typeof piece === 'string' ? this.socket.write(piece, 'latin1') : this.socket.write(piece)
    // While the client has nothing to send, the origin owes nothing. Once it does not read, it does.
    this.deadline = flowing ? Number.POSITIVE_INFINITY : this.answerDeadline()
    return flowing
  }

  onRequestSent(): void {
    if (!this.isPaused) this.deadline = this.answerDeadline()
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    if (this.call?.isSent === true) this.deadline = this.answerDeadline()
    this.socket.resume()
  }

  /** Gives up whatever is under way, and tells nobody. */
  destroy(): void {
    this.call = undefined
    this.opener = undefined
    this.reader.stop()
    this.socket.destroy()
    this.onClose()
  }

  get isUsable(): boolean {
    return !this.isGone && !this.socket.destroyed && this.socket.writable
  }

  /** No more request, no answer: its place in the pool is free for others. */
  private leavePool(): void {
    this.isTunnel = true
    this.pool.onGone(this)
  }

  /** Sends no more; what was written leaves. */
  end(): void {
    this.socket.end()
  }

  private answerDeadline(): number {
    if (this.isTunnel) return Number.POSITIVE_INFINITY
    return this.pool.now() + this.pool.timeouts.response
  }

  // ── the socket's side ─────────────────────────────────────────────────────────────────────────────────────────

  /** False stops reading until `resume`. */
  private onBytes(bytes: number): boolean {
    // An origin that speaks unasked: whatever it is, it must not become the answer to the next request.
    if (this.call === undefined) {
      this.destroy()
      return false
    }
    this.reader.feed(readBuffer, bytes)
    return !this.isPaused
  }

  private onInputEnd(): void {
    if (this.call !== undefined && this.reader.endOfInput()) return
    this.socket.destroy()
  }

  private onDrain(): void {
    const call = this.call
    if (call === undefined) return
    this.deadline = call.isSent ? this.answerDeadline() : Number.POSITIVE_INFINITY
    call.onDrain()
  }

  private onClose(): void {
    if (this.isGone) return
    this.isGone = true
    const { call, opener, stage, reader } = this
    const { state, isUntouched, left } = reader
    const endpoint = this.pool.address.name
    this.call = undefined
    this.opener = undefined
    reader.stop()
    if (!this.isTunnel) this.pool.onGone(this)
    if (stage !== 'ready') opener?.onConnectFailure(connectFailure(endpoint, stage, this.lastError))
    else
      call?.onEarlyEnd(
        earlyEnd(endpoint, state, isUntouched, left, this.lastError),
        this.callsServed > 0,
        isUntouched,
      )
  }

  /** Called by the sweep when the deadline has passed. */
  onDeadline(): void {
    const { call, opener, stage } = this
    const { name } = this.pool.address
    const { connect, response } = this.pool.timeouts
    const hasHead = this.reader.state !== 'head'
    this.destroy()
    if (stage !== 'ready') {
      const step = stage === 'tls' ? 'finish the TLS handshake' : 'accept the connection'
      opener?.onConnectFailure(
        new EdgeError('origin-timeout-connect', `${name} did not ${step} within ${connect} ms`),
      )
    } else {
      const what = hasHead ? 'sent nothing more of its answer' : 'did not answer'
      const error = new EdgeError('origin-timeout-response', `${name} ${what} within ${response} ms`)
      if (hasHead) call?.fail(error)
      else call?.onNoAnswer(error)
    }
  }

  // ── the reader's side ─────────────────────────────────────────────────────────────────────────────────────────

  onInformational(head: ResponseHead): void {
    this.call?.onInformational(head)
  }

  onHead(head: ResponseHead): void {
    const call = this.call!
    this.agreedToKeep = head.keepAlive && head.status !== 101
    if (head.status === 101) this.leavePool()
    if (head.keepAlive) this.idleMs = idleTime(head.headers, this.pool.timeouts.idle)
    if (call.isSent) this.deadline = this.answerDeadline()
    call.onHead(head)
  }

  onData(chunk: Buffer): void {
    const call = this.call
    if (call === undefined) return
    const goOn = call.onData(chunk)
    if (this.call === undefined) return
    if (goOn) {
      if (call.isSent && !this.isPaused) this.deadline = this.answerDeadline()
    } else if (!this.isPaused) {
      this.isPaused = true
      // The client is slow, not the origin.
      this.deadline = Number.POSITIVE_INFINITY
      this.socket.pause()
    }
  }

  onEnd(trailers: HeaderList, isClean: boolean): void {
    const call = this.call
    if (call === undefined) return
    this.call = undefined
    this.callsServed++
    if (isClean && this.agreedToKeep && call.isSent && this.isUsable && this.socket.writableLength === 0) {
      if (this.isPaused) {
        this.isPaused = false
        this.socket.resume()
      }
      this.deadline = this.pool.now() + this.idleMs
      this.pool.onReady(this)
    } else {
      this.destroy()
    }
    call.onEnd(trailers)
  }

  onProblem(problem: WireProblem): void {
    const { call } = this
    this.destroy()
    call?.fail(
      new EdgeError(
        'origin-garbage',
        `${this.pool.address.name} sent what is not HTTP/1.1: ${problem.reason}`,
      ),
    )
  }
}

/** How long a connection may wait: as configured, or less where the origin says when it closes (`Keep-Alive: timeout=5`). */
function idleTime(headers: HeaderList, idle: number): number {
  const value = headerValue(headers, 'keep-alive')
  if (value === undefined) return idle
  const match = /\btimeout=(\d{1,6})\b/i.exec(value)
  return match === null ? idle : Math.min(idle, Math.max(0, Number(match[1]) * 1000 - KEEP_ALIVE_MARGIN_MS))
}
