/**
 * A socket to one server, with many questions on their way at once.
 *
 * It is connected: the kernel drops what comes from elsewhere, and says when nobody listens there.
 */
import { createSocket, type Socket } from 'node:dgram'
import type { Exchange } from './exchange.ts'
import { UpstreamError } from './upstream-error.ts'

/** Questions on their way at once through one socket. */
export const UDP_IN_FLIGHT_MAX = 256

export class UdpLink {
  /** By id, the oldest first. */
  readonly inFlight = new Map<number, Exchange>()
  /** Questions that it was given so far. */
  taken = 0
  readonly openedMs: number
  isClosed = false
  readonly #socket: Socket
  readonly #server: string
  /** Until it is connected: what is to be sent then. */
  #waiting: Exchange[] | undefined = []
  readonly #onSent = (error: Error | null): void => {
    if (error) this.#fail(error)
  }

  constructor(address: string, port: number, server: string, nowMs: number) {
    this.#server = server
    this.openedMs = nowMs
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    this.#socket = socket
    socket.on('message', (answer) => this.#take(answer))
    socket.on('error', (error) => this.#fail(error))
    socket.once('connect', () => {
      const waiting = this.#waiting ?? []
      this.#waiting = undefined
      // Who gave up while it was waiting is not asked for.
      for (const exchange of waiting) if (!exchange.isDone) socket.send(exchange.bytes, this.#onSent)
    })
    socket.connect(port, address)
  }

  send(exchange: Exchange): void {
    exchange.takeId(this.inFlight)
    this.inFlight.set(exchange.id, exchange)
    this.taken += 1
    if (this.#waiting) this.#waiting.push(exchange)
    else this.#socket.send(exchange.bytes, this.#onSent)
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#socket.close()
  }

  #take(answer: Buffer): void {
    if (answer.length < 2) return
    const id = answer.readUInt16BE(0)
    const exchange = this.inFlight.get(id)
    if (!exchange) return
    // What does not match may come from somebody who guesses: the true answer may still come.
    if (!exchange.isAnsweredBy(answer)) {
      exchange.mismatches += 1
      return
    }
    this.inFlight.delete(id)
    exchange.resolve(answer)
  }

  #fail(error: Error): void {
    const { code = error.message } = error as NodeJS.ErrnoException
    for (const exchange of this.inFlight.values())
      exchange.reject(new UpstreamError('refused', `${this.#server}: ${code}`))
    this.inFlight.clear()
    this.close()
  }
}
