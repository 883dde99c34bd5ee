/**
 * One connection over which queries come one after the other, two bytes of length in front of each (RFC 7766): TCP, or TLS. Answers go out as they are
 * there, whatever the order of the questions.
 */
import type { Socket } from 'node:net'
import { formatIp, type IpAddress, parseIp } from '../../base/ip-address.ts'
import { DROPPED, DnsStream, type DnsOutcome, type DnsTransport } from '../../contract/dns.ts'
import { OPTION } from '../../wire/dns/codes.ts'
import { DnsMessage, MESSAGE_BYTES_MAX } from '../../wire/dns/message.ts'
import { encodeMessage } from '../../wire/dns/message-writer.ts'
import { type DnsPeer, ServerQuery } from '../query.ts'
import type { Seat } from './admission.ts'
import { writeRefusal } from './answer-writer.ts'
import { type Answering, malformedCookie } from './answering.ts'
import { IGNORED, readQuery } from './query-reader.ts'

/** Queries of one connection that are on their way; beyond that, nothing more is read from it. */
const PENDING_MAX = 128
/** Bytes that wait to be sent: beyond that, nothing more is read until the client has taken them. */
const UNSENT_MAX = 256 * 1024
const LENGTH_BYTES = 2

/** Answers are written here, and copied at their real length. */
const room = Buffer.allocUnsafeSlow(2 * (MESSAGE_BYTES_MAX + 1024))

export interface StreamTimeouts {
  /** Milliseconds from the first byte of a query to its last, and from the connection to its first query. */
  readonly readMs: number
  /** Milliseconds in which the client has to take something of what waits for it. */
  readonly writeMs: number
  /** Milliseconds without a query, and with none on its way. */
  readonly idleMs: number
}

export class StreamConnection {
  readonly #socket: Socket
  readonly #seat: Seat
  readonly #answering: Answering
  readonly #peer: DnsPeer
  readonly #timeouts: StreamTimeouts
  #received: Buffer = Buffer.alloc(0)
  /** Nothing more is taken. */
  #isEnding = false
  /** The client has asked all that it will ask. */
  #hasAskedAll = false
  #timer: NodeJS.Timeout | undefined
  #waitsFor: 'query' | 'rest' | 'client' | undefined

  constructor(
    socket: Socket,
    seat: Seat,
    transport: DnsTransport,
    answering: Answering,
    timeouts: StreamTimeouts,
  ) {
    this.#socket = socket
    this.#seat = seat
    this.#answering = answering
    this.#timeouts = timeouts
    this.#peer = peerOf(socket, transport, answering.endpoint.label)
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.on('drain', () => this.#goOn())
    socket.on('end', () => {
      this.#hasAskedAll = true
      this.#goOn()
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => clearTimeout(this.#timer))
    this.#await('rest', timeouts.readMs)
  }

  /** Takes no more queries; closes once what is on its way was answered. */
  end(): void {
    this.#isEnding = true
    if (this.#seat.pending === 0) this.#finish()
    else this.#await(undefined, 0)
  }

  /** Who does not take the last answers is not waited for. */
  #finish(): void {
    this.#socket.end()
    this.#await('client', this.#timeouts.writeMs, true)
  }

  #take(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes])
    this.#goOn()
  }

  /** Answers what is there whole, as far as there is room for more. */
  #goOn(): void {
    let at = 0
    // Answers of one go leave in one piece.
    this.#socket.cork()
    while (!this.#isEnding && !this.#isFull()) {
      if (this.#received.length - at < LENGTH_BYTES) break
      const end = at + LENGTH_BYTES + this.#received.readUInt16BE(at)
      if (end > this.#received.length) break
      this.#query(this.#received.subarray(at + LENGTH_BYTES, end))
      at = end
    }
    this.#socket.uncork()
    if (at > 0) this.#received = this.#received.subarray(at)
    if (this.#isEnding) return
    if (this.#hasAskedAll && !this.#isFull()) {
      // What is left of it is no whole query.
      this.end()
      return
    }
    if (this.#isFull()) this.#socket.pause()
    else this.#socket.resume()
    this.#awaitNext(at > 0)
  }

  #isFull(): boolean {
    return this.#seat.pending >= PENDING_MAX || this.#socket.writableLength > UNSENT_MAX
  }

  /** Begins the time of what is awaited, unless that is awaited already and nothing came. */
  #awaitNext(hasProgressed: boolean): void {
    const { readMs, writeMs, idleMs } = this.#timeouts
    if (this.#socket.writableLength > 0) this.#await('client', writeMs, hasProgressed)
    else if (this.#received.length > 0 && !this.#isFull()) this.#await('rest', readMs, hasProgressed)
    else if (this.#seat.pending === 0) this.#await('query', idleMs, hasProgressed)
    else this.#await(undefined, 0)
  }

  #await(what: 'query' | 'rest' | 'client' | undefined, ms: number, isNew = false): void {
    if (what === this.#waitsFor && !isNew) return
    this.#waitsFor = what
    clearTimeout(this.#timer)
    this.#timer = what && setTimeout(() => this.#socket.destroy(), ms)
  }

  #query(bytes: Buffer): void {
    this.#seat.use()
    const asked = readQuery(bytes, 0, bytes.length)
    if (asked === IGNORED) {
      // No client of ours: nothing that follows is believed either.
      this.#socket.destroy()
      this.#isEnding = true
      return
    }
    if (typeof asked === 'number') {
      this.#sendRefusal(bytes, asked)
      return
    }
    const query = new ServerQuery(asked, this.#peer, bytes, this.#answering.nowMs())
    const cookie = asked.edns?.options.find(({ code }) => code === OPTION.COOKIE)
    if (cookie && this.#answering.cookies.read(cookie.data, query.addressBytes()) === 'malformed') {
      this.#send(query, malformedCookie(query))
      return
    }
    const outcome = this.#answering.answer(query)
    if (!(outcome instanceof Promise) && !(outcome instanceof DnsStream)) {
      this.#send(query, outcome)
      return
    }
    this.#seat.pending += 1
    void this.#sendLate(query, outcome)
  }

  async #sendLate(query: ServerQuery, outcome: DnsOutcome | Promise<DnsOutcome>): Promise<void> {
    const late = await outcome
    if (late instanceof DnsStream) await this.#sendAll(query, late)
    else this.#send(query, late)
    this.#seat.pending -= 1
    this.#seat.use()
    if (this.#isEnding) {
      if (this.#seat.pending === 0) this.#finish()
    } else this.#goOn()
  }

  /** One message after the other, each when the client has taken those before it. */
  async #sendAll(query: ServerQuery, stream: DnsStream): Promise<void> {
    let isFirst = true
    try {
      for await (const message of stream.messages) {
        if (this.#socket.destroyed) return
        const bytes = isFirst ? this.#written(query, message) : signedBy(query, encodeMessage(message))
        isFirst = false
        if (!this.#write(bytes)) await this.#drained()
      }
    } catch {
      // Half a zone is none: the client sees that it was cut.
      this.#socket.destroy()
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#socket.off('drain', done).off('close', done)
        resolve()
      }
      this.#socket.once('drain', done).once('close', done)
      this.#await('client', this.#timeouts.writeMs, true)
    })
  }

  #send(query: ServerQuery, outcome: DnsOutcome): void {
    if (outcome === DROPPED) this.#socket.destroy()
    else if (!this.#socket.destroyed && !(outcome instanceof DnsStream))
      this.#write(this.#written(query, outcome))
  }

  #sendRefusal(bytes: Buffer, rcode: number): void {
    this.#write(Buffer.from(room.subarray(0, writeRefusal(bytes, 0, bytes.length, rcode, room))))
  }

  #written(
    query: ServerQuery,
    outcome: DnsMessage | Exclude<DnsOutcome, DnsMessage | DnsStream | typeof DROPPED>,
  ): Buffer {
    return Buffer.from(room.subarray(0, this.#answering.write(query, outcome, room)))
  }

  #write(message: Buffer): boolean {
    const framed = Buffer.allocUnsafe(LENGTH_BYTES + message.length)
    framed.writeUInt16BE(message.length)
    message.copy(framed, LENGTH_BYTES)
    return this.#socket.write(framed)
  }
}

const signedBy = ({ signature }: ServerQuery, bytes: Buffer): Buffer =>
  signature ? signature.sign(bytes) : bytes

function peerOf(socket: Socket, transport: DnsTransport, server: string): DnsPeer {
  // As they are while it is open: afterwards Node has forgotten them.
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket
  const address: IpAddress | undefined = parseIp(remoteAddress.split('%')[0]!)
  const local = parseIp(localAddress.split('%')[0]!)
  const ip = address ? formatIp(address) : remoteAddress
  const localIp = local ? formatIp(local) : localAddress
  return {
    transport,
    isUdp: false,
    isProven: true,
    server,
    ip: () => ip,
    ...(address && { address: () => address }),
    port: () => remotePort,
    localIp: () => localIp,
    localPort: () => localPort,
  }
}
