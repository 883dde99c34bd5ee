/**
 * A connection to one server, over TCP or TLS: questions are written one after another without waiting, and answers come in any order
 * (RFC 7766 §6.2.1.1, RFC 7858 §3.3).
 *
 * A connection that let a question wait for too long takes no more: its server may have stopped in the middle of an answer.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls'
import type { Exchange } from './exchange.ts'
import { timedOut } from './udp-pool.ts'
import { UpstreamError } from './upstream-error.ts'

/** Questions on their way at once through one connection. */
export const STREAM_IN_FLIGHT_MAX = 128
/** Answers to nothing that was asked, after which a server is not listened to any more. */
const STRANGERS_MAX = 16

/** What TLS needs to be told; sessions are kept so that the next connection is quicker. */
export interface UpstreamTls {
  readonly context: SecureContext
  /** Name that the certificate must have, and that is sent (SNI). Empty: it must have the address. */
  readonly serverName: string
  session: Buffer | undefined
}

export class StreamLink {
  /** By id, the oldest first. */
  readonly inFlight = new Map<number, Exchange>()
  isClosed = false
  /** It takes no more questions, and closes when the last one is answered. */
  isLeaving = false
  /** Answers that came through it: none, and it may be that the server never takes any. */
  answers = 0
  usedMs: number
  readonly #socket: Socket | TLSSocket
  readonly #server: string
  #strangers = 0
  /** Length of the answer that comes in, byte by byte; then the answer. */
  readonly #head = Buffer.alloc(2)
  #headFilled = 0
  #body: Buffer | undefined
  #bodyFilled = 0

  constructor(address: string, port: number, server: string, tls: UpstreamTls | undefined, nowMs: number) {
    this.#server = server
    this.usedMs = nowMs
    const socket = tls ? secured(address, port, tls) : connectTcp({ host: address, port, noDelay: true })
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', (error) => this.#fail(failureOf(error, server)))
    socket.on('end', () => this.#fail(new UpstreamError('closed', `${server}: the connection was closed`)))
    socket.on('close', () => this.#fail(new UpstreamError('closed', `${server}: the connection was closed`)))
  }

  get isFull(): boolean {
    return this.inFlight.size >= STREAM_IN_FLIGHT_MAX
  }

  send(exchange: Exchange, nowMs: number): void {
    exchange.takeId(this.inFlight)
    this.inFlight.set(exchange.id, exchange)
    this.usedMs = nowMs
    const { bytes } = exchange
    const frame = Buffer.allocUnsafe(2 + bytes.length)
    frame.writeUInt16BE(bytes.length, 0)
    frame.set(bytes, 2)
    this.#socket.write(frame)
  }

  sweep(nowMs: number, expireMs: number): void {
    for (const [id, exchange] of this.inFlight) {
      if (exchange.deadlineMs > nowMs) continue
      this.inFlight.delete(id)
      this.isLeaving = true
      exchange.reject(timedOut(exchange, this.#server))
    }
    if (this.inFlight.size === 0 && (this.isLeaving || nowMs - this.usedMs > expireMs)) this.close()
  }

  close(): void {
    this.isClosed = true
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.isClosed) {
      if (!this.#body) {
        this.#head[this.#headFilled++] = chunk[at++]!
        if (this.#headFilled < 2) continue
        this.#headFilled = 0
        // At most 65,535 bytes, whatever the server says.
        this.#body = Buffer.allocUnsafe(this.#head.readUInt16BE(0))
        this.#bodyFilled = 0
      }
      const body = this.#body
      const taken = Math.min(body.length - this.#bodyFilled, chunk.length - at)
      chunk.copy(body, this.#bodyFilled, at, at + taken)
      this.#bodyFilled += taken
      at += taken
      if (this.#bodyFilled < body.length) return
      this.#body = undefined
      this.#take(body)
    }
  }

  #take(answer: Buffer): void {
    const exchange = answer.length < 2 ? undefined : this.inFlight.get(answer.readUInt16BE(0))
    if (!exchange) {
      this.#strangers += 1
      if (this.#strangers > STRANGERS_MAX)
        this.#fail(new UpstreamError('mismatch', `${this.#server}: it answers what was not asked`))
      return
    }
    this.inFlight.delete(exchange.id)
    this.answers += 1
    // Nobody else writes into this connection: here it is the server that answers wrongly.
    if (exchange.isAnsweredBy(answer)) exchange.resolve(answer)
    else
      exchange.reject(
        new UpstreamError('mismatch', `${this.#server}: it answered another question than was asked`),
      )
    if (this.isLeaving && this.inFlight.size === 0) this.close()
  }

  #fail(error: UpstreamError): void {
    for (const exchange of this.inFlight.values()) exchange.reject(error)
    this.inFlight.clear()
    this.close()
  }
}

function secured(host: string, port: number, tls: UpstreamTls): TLSSocket {
  const { context: secureContext, serverName, session } = tls
  const socket = connectTls({
    host,
    port,
    secureContext,
    // Without a name the certificate has to be for the address.
    ...(serverName !== '' && { servername: serverName }),
    ...(session && { session }),
  })
  socket.setNoDelay(true)
  socket.on('session', (latest: Buffer) => {
    tls.session = latest
  })
  socket.on('error', () => {
    // A session that the server does not take is not offered again.
    tls.session = undefined
  })
  return socket
}

function failureOf(error: Error, server: string): UpstreamError {
  const { code = '' } = error as NodeJS.ErrnoException
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return new UpstreamError('closed', `${server}: the connection was reset`)
  const isOfNetwork = /^E[A-Z]+$/.test(code)
  return new UpstreamError(
    isOfNetwork ? 'refused' : 'untrusted',
    `${server}: ${isOfNetwork ? code : error.message}`,
  )
}
