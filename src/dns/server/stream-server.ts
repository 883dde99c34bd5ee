/** Takes connections over TCP and TLS, no more of them than can be looked after. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Server as TlsServer, TLSSocket } from 'node:tls'
import { Admission, type Seat, USUAL_CONNECTIONS } from './admission.ts'
import type { Answering } from './answering.ts'
import { StreamConnection, type StreamTimeouts } from './stream-connection.ts'

export interface StreamTls {
  createServer(): TlsServer
  /** Whether a client that has shown what it has may stay. */
  admits(socket: TLSSocket): boolean
}

export class StreamServer {
  readonly server: Server
  readonly #connections = new Set<StreamConnection>()
  readonly #admission: Admission
  readonly #answering: Answering
  readonly #timeouts: StreamTimeouts

  constructor(answering: Answering, timeouts: StreamTimeouts, tls?: StreamTls) {
    this.#answering = answering
    this.#timeouts = timeouts
    this.#admission = new Admission({ ...USUAL_CONNECTIONS, beginMs: timeouts.readMs + timeouts.idleMs })
    if (tls) {
      const server = tls.createServer()
      server.on('connection', (socket) => void this.#admission.admit(socket))
      server.on('secureConnection', (socket) => {
        const seat = this.#admission.seatOf(socket)
        if (seat && tls.admits(socket)) this.#open(socket, seat)
        else socket.destroy()
      })
      server.on('tlsClientError', (_, socket) => socket.destroy())
      this.server = server
    } else {
      // Who has asked all may say so and wait for the answers.
      this.server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
        const seat = this.#admission.admit(socket)
        if (seat) this.#open(socket, seat)
      })
    }
  }

  #open(socket: Socket, seat: Seat): void {
    seat.hasBegun()
    const { transport } = this.#answering.endpoint
    const connection = new StreamConnection(socket, seat, transport, this.#answering, this.#timeouts)
    this.#connections.add(connection)
    socket.once('close', () => this.#connections.delete(connection))
  }

  /** Takes no more connections; those that are there are ended in order. */
  async close(withinMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    for (const connection of this.#connections) connection.end()
    const timer = setTimeout(() => {
      for (const socket of this.#admission.sockets) socket.destroy()
    }, withinMs)
    await closed
    clearTimeout(timer)
  }
}
