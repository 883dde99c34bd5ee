/**
 * Another server that is asked: over UDP, TCP or TLS, with everything that waits bounded in number and time.
 *
 * A clock of its own ends what waits for too long and closes what is not used. It stands still as long as nothing is open.
 */
import { DnsMalformed } from '../wire/dns/malformed.ts'
import { DnsMessage, HEADER_BYTES } from '../wire/dns/message.ts'
import { Exchange } from './exchange.ts'
import type { UpstreamTls } from './stream-link.ts'
import { StreamPool } from './stream-pool.ts'
import { UdpPool } from './udp-pool.ts'
import type { UpstreamAddress } from './upstream-address.ts'
import { UpstreamError } from './upstream-error.ts'

/** How exact time-outs are while something waits. */
const TICK_MS = 50
const IDLE_TICK_MS = 1000

export interface UpstreamOptions {
  /** How long sockets and connections are kept. Default 10 s. */
  readonly expireMs?: number
  /** How long one attempt waits for its answer, connection and handshake included. Default 2 s. */
  readonly timeoutMs?: number
  /** For an address with `tls://`. */
  readonly tls?: UpstreamTls
  /** Letters of names go out in a case by chance, and must come back so. */
  readonly isCaseRandom?: boolean
  /** Connections at once; 0 or more than 8: 8. */
  readonly connectionsMax?: number
  /** Told of each question that was sent: whether what carried it was open before. */
  readonly onSend?: (proto: UpstreamProto, isReused: boolean) => void
}

export type UpstreamProto = 'udp' | 'tcp' | 'tcp-tls'

export class Upstream {
  /** As metrics and errors have it: `192.0.2.1:53`. */
  readonly name: string
  readonly isTls: boolean
  readonly #options: UpstreamOptions
  readonly #timeoutMs: number
  readonly #udp: UdpPool
  readonly #stream: StreamPool
  #timer: NodeJS.Timeout | undefined
  #isTickFast = false
  #sweptMs = 0
  #isClosed = false

  constructor(address: UpstreamAddress, options: UpstreamOptions = {}) {
    const { host, port, transport } = address
    const { expireMs = 10_000, timeoutMs = 2000 } = options
    this.name = address.text
    this.isTls = transport === 'tls'
    this.#options = options
    this.#timeoutMs = timeoutMs
    this.#udp = new UdpPool(host, port, this.name, expireMs)
    this.#stream = new StreamPool(host, port, this.name, {
      expireMs,
      tls: options.tls,
      linksMax: options.connectionsMax ?? 0,
    })
  }

  /**
   * The server's answer, with the id and the question of `query`. Rejects with `UpstreamError`. Over UDP, what does not match is passed over until the time is
   * up; an answer may be truncated.
   */
  async exchange(query: DnsMessage, isTcp = false, timeoutMs = this.#timeoutMs): Promise<DnsMessage> {
    if (this.#isClosed) throw new UpstreamError('stopped', `${this.name}: the server is ending`)
    const answer = await this.#send(query, isTcp || this.isTls, timeoutMs)
    const message = this.#decode(answer, query)
    message.id = query.id
    message.question = query.question
    return message
  }

  /** Questions on their way. */
  get inFlight(): number {
    return this.#udp.inFlight + this.#stream.inFlight
  }

  /** Open sockets and connections. */
  get sockets(): number {
    return this.#udp.sockets + this.#stream.sockets
  }

  /** Takes no more; what is on its way may still be answered. */
  close(): void {
    this.#isClosed = true
    this.#udp.close()
    this.#stream.close()
    this.#sweep()
  }

  async #send(query: DnsMessage, isStream: boolean, timeoutMs: number): Promise<Buffer> {
    const startMs = performance.now()
    for (let isFresh = false; ; isFresh = true) {
      const exchange = new Exchange(query, this.#options.isCaseRandom === true)
      exchange.deadlineMs = startMs + timeoutMs
      this.#wake()
      if (!isStream) {
        const isOpen = this.#udp.send(exchange, startMs)
        this.#options.onSend?.('udp', isOpen)
        return await exchange.answer
      }
      const link = this.#stream.send(exchange, startMs, isFresh)
      const isReused = link.answers > 0
      this.#options.onSend?.(this.isTls ? 'tcp-tls' : 'tcp', isReused)
      try {
        return await exchange.answer
      } catch (error) {
        // A server closes what was idle for some time (RFC 7766 §6.2.4), just as we write into it: that says nothing of the server.
        if (isReused && !isFresh && error instanceof UpstreamError && error.failure === 'closed') continue
        throw error
      }
    }
  }

  #decode(answer: Buffer, query: DnsMessage): DnsMessage {
    try {
      return DnsMessage.decode(answer)
    } catch (error) {
      if (!(error instanceof DnsMalformed)) throw error
      // Cut off where it was too long: that much can be told of it.
      if ((answer[2]! & 0x02) !== 0) return cut(answer, query)
      throw new UpstreamError('malformed', `${this.name}: its answer cannot be read: ${error.message}`)
    }
  }

  /** The clock runs fast while something waits. */
  #wake(): void {
    if (this.#isTickFast) return
    clearTimeout(this.#timer)
    this.#sweptMs = performance.now()
    this.#isTickFast = true
    this.#timer = setTimeout(this.#onTick, TICK_MS)
  }

  readonly #onTick = (): void => {
    // The process stood still: answers may lie there unread. They are read before anything is given up.
    if (this.#isTickFast && performance.now() - this.#sweptMs > TICK_MS * 4) setImmediate(() => this.#sweep())
    else this.#sweep()
  }

  #sweep(): void {
    clearTimeout(this.#timer)
    const nowMs = performance.now()
    this.#sweptMs = nowMs
    this.#udp.sweep(nowMs)
    this.#stream.sweep(nowMs)
    this.#isTickFast = this.inFlight > 0
    if (this.#isTickFast) this.#timer = setTimeout(this.#onTick, TICK_MS)
    else if (this.sockets > 0) this.#timer = setTimeout(this.#onTick, IDLE_TICK_MS).unref()
    else this.#timer = undefined
  }
}

function cut(answer: Buffer, query: DnsMessage): DnsMessage {
  const message = DnsMessage.decode(Buffer.concat([answer.subarray(0, 4), Buffer.alloc(HEADER_BYTES - 4)]))
  message.question = query.question
  return message
}
