/** Takes connections over TCP and TLS, no more of them than can be looked after. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Answering } from './answering.ts'
import { StreamConnection, type StreamTimeouts } from './stream-connection.ts'

/** Connections of one endpoint, and of one address among them. Where there are more, the one that was idle for longest is closed. */
export const CONNECTIONS_MAX = 4096
export const CONNECTIONS_OF_ONE_MAX = 256

export class StreamServer {
  readonly #connections = new Map<Socket, StreamConnection>()
  readonly #byAddress = new Map<string, number>()
  readonly #answering: Answering
  readonly #timeouts: StreamTimeouts
  readonly server: Server

  /** `wrap` puts TLS around a connection. It calls back once that stands. */
  constructor(
    answering: Answering,
    timeouts: StreamTimeouts,
    wrap?: (socket: Socket, ready: (secure: Socket) => void) => void,
  ) {
    this.#answering = answering
    this.#timeouts = timeouts
    this.server = createServer({ noDelay: true }, (socket) => {
      if (!this.#admit(socket)) return
      if (wrap) wrap(socket, (secure) => this.#open(socket, secure))
      else this.#open(socket, socket)
    })
  }

  get connections(): number {
    return this.#byAddress.size === 0 ? 0 : [...this.#byAddress.values()].reduce((sum, one) => sum + one, 0)
  }

  #admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? ''
    const own = this.#byAddress.get(address) ?? 0
    if (own >= CONNECTIONS_OF_ONE_MAX || this.#connections.size >= CONNECTIONS_MAX)
      this.#closeIdle(own >= CONNECTIONS_OF_ONE_MAX ? address : undefined)
    this.#byAddress.set(address, own + 1)
    socket.on('error', () => socket.destroy())
    // Not a byte of a handshake or a query in that time, and it is gone.
    const timer = setTimeout(() => socket.destroy(), this.#timeouts.readMs + this.#timeouts.idleMs)
    socket.once('close', () => {
      clearTimeout(timer)
      this.#connections.delete(socket)
      const left = (this.#byAddress.get(address) ?? 1) - 1
      if (left > 0) this.#byAddress.set(address, left)
      else this.#byAddress.delete(address)
    })
    this.#timers.set(socket, timer)
    return !socket.destroyed
  }

  readonly #timers = new WeakMap<Socket, NodeJS.Timeout>()

  #open(socket: Socket, secure: Socket): void {
    clearTimeout(this.#timers.get(socket))
    const transport = this.#answering.endpoint.transport
    this.#connections.set(socket, new StreamConnection(secure, transport, this.#answering, this.#timeouts))
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
      for (const connection of this.#connections.values()) connection.destroy()
    }, withinMs)
    await closed
    clearTimeout(timer)
  }
}
