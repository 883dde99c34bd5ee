/** Takes connections over TCP and TLS, no more of them than can be looked after. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Server as TlsServer, TLSSocket } from 'node:tls'
import type { Answering } from './answering.ts'
import { StreamConnection, type StreamTimeouts } from './stream-connection.ts'

/** Connections of one endpoint, and of one address among them. Where there are more, the one that was idle for longest is closed. */
export const CONNECTIONS_MAX = 4096
export const CONNECTIONS_OF_ONE_MAX = 256

export interface StreamTls {
  createServer(): TlsServer
  /** Whether a client that has shown what it has may stay. */
  admits(socket: TLSSocket): boolean
}

/** The same for a connection and what is around it. */
const keyOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

export class StreamServer {
  readonly #connections = new Map<Socket, StreamConnection>()
  /** With those that have not yet agreed on keys. */
  readonly #admitted = new Set<Socket>()
  readonly #byAddress = new Map<string, number>()
  readonly #answering: Answering
  readonly #timeouts: StreamTimeouts
  readonly server: Server
  /** Connections whose first query has not begun: they have their time. */
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(answering: Answering, timeouts: StreamTimeouts, tls?: StreamTls) {
    this.#answering = answering
    this.#timeouts = timeouts
    if (tls) {
      const server = tls.createServer()
      server.on('connection', (socket) => this.#admit(socket))
      server.on('secureConnection', (socket) => {
        if (tls.admits(socket)) this.#open(socket)
        else socket.destroy()
      })
      server.on('tlsClientError', (_, socket) => socket.destroy())
      this.server = server
    } else {
      this.server = createServer({ noDelay: true }, (socket) => {
        this.#admit(socket)
        this.#open(socket)
      })
    }
  }

  #admit(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    const own = this.#byAddress.get(address) ?? 0
    if (own >= CONNECTIONS_OF_ONE_MAX) this.#closeIdle(address)
    else if (this.#admitted.size >= CONNECTIONS_MAX) this.#closeIdle(undefined)
    this.#byAddress.set(address, own + 1)
    this.#admitted.add(socket)
    socket.on('error', () => socket.destroy())
    const key = keyOf(socket)
    this.#timers.set(
      key,
      setTimeout(() => socket.destroy(), this.#timeouts.readMs + this.#timeouts.idleMs),
    )
    socket.once('close', () => {
      clearTimeout(this.#timers.get(key))
      this.#timers.delete(key)
      this.#admitted.delete(socket)
      const left = (this.#byAddress.get(address) ?? 1) - 1
      if (left > 0) this.#byAddress.set(address, left)
      else this.#byAddress.delete(address)
    })
  }

  #open(socket: Socket): void {
    const key = keyOf(socket)
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
    const transport = this.#answering.endpoint.transport
    this.#connections.set(socket, new StreamConnection(socket, transport, this.#answering, this.#timeouts))
    socket.once('close', () => this.#connections.delete(socket))
  }

  /** In the order in which they came, the first one with nothing on its way; else the first of all. */
  #closeIdle(address: string | undefined): void {
    let oldest: StreamConnection | undefined
    let looked = 0
    for (const [socket, connection] of this.#connections) {
      if (address !== undefined && socket.remoteAddress !== address) continue
      if (!oldest || (oldest.isBusy && !connection.isBusy) || connection.usedMs < oldest.usedMs)
        oldest = connection
      // Nobody is to make us look through all of them for each connection.
      if (++looked >= 64) break
    }
    oldest?.destroy()
  }

  /** Takes no more connections; those that are there are ended in order. */
  async close(withinMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    for (const connection of this.#connections.values()) connection.end()
    const timer = setTimeout(() => {
      for (const socket of this.#admitted) socket.destroy()
    }, withinMs)
    await closed
    clearTimeout(timer)
  }
}
