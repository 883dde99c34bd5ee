/**
 * Listens, keeps the connections, sweeps their deadlines, drains.
 *
 * Draining ends nothing that is in progress: every connection closes with its next answer, a quiet one after a moment of
 * grace in which a request that is already under way may still arrive.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { RequestHead } from '../wire/http1/message.ts'
import { ServerConnection } from './connection.ts'
import type { ConnectionHost, ConnectionLimits } from './connection-host.ts'
import type { HttpMetrics } from './http-metrics.ts'
import { acceptInto, type ReadInto } from './shared-reads.ts'

export type ServerLimits = ConnectionLimits & { readonly connections: number }

export interface HttpServerOptions {
  readonly limits: ServerLimits
  readonly metrics: HttpMetrics
  readonly monotonic: () => number
  onRequest(connection: ServerConnection, head: RequestHead): void
  /** Called a few times a second, for whoever else has deadlines. */
  onSweep?(): void
}

const SWEEP_MS = 250
/** How long a quiet connection may still bring a request while the node drains. */
const DRAIN_GRACE_MS = 500
const BACKLOG = 4096

export class HttpServer implements ConnectionHost {
  /** May be replaced while it runs: what starts from then on is held to the new ones. */
  limits: ServerLimits
  draining = false
  nowMs: number
  private readonly options: HttpServerOptions
  private readonly servers: Server[] = []
  private readonly connections = new Set<ServerConnection>()
  private readonly sweep: NodeJS.Timeout
  private onEmpty: (() => void) | undefined

  constructor(options: HttpServerOptions) {
    this.options = options
    this.limits = options.limits
    this.nowMs = options.monotonic()
    this.sweep = setInterval(() => this.checkDeadlines(), SWEEP_MS)
    this.sweep.unref()
  }

  /** Listens on `ADDRESS:PORT`, sharing the port with other workers; resolves to the address with its real port. */
  listen(address: string): Promise<string> {
    const colon = address.lastIndexOf(':')
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    this.servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(
        { host, port: Number(address.slice(colon + 1)), backlog: BACKLOG, reusePort: true },
        () => {
          server.off('error', reject)
          acceptInto(server, (socket, read) => this.accept(socket, read))
          // Out of descriptors, or a client that was gone before it was accepted: the next one may do better.
          server.on('error', () => {})
          resolve(`${address.slice(0, colon)}:${(server.address() as AddressInfo).port}`)
        },
      )
    })
  }

  private accept(socket: Socket, read: ReadInto): void {
    const { metrics } = this.options
    if (this.connections.size >= this.limits.connections) {
      metrics.countRefused(503)
      socket.destroy()
      return
    }
    const connection = new ServerConnection(socket, this)
    this.connections.add(connection)
    metrics.connections = this.connections.size
    metrics.connectionsTotal += 1
    read((bytes) => connection.onData(bytes))
  }

  onRequest(connection: ServerConnection, head: RequestHead): void {
    this.options.onRequest(connection, head)
  }

  onRefused(status: number): void {
    this.options.metrics.countRefused(status)
  }

  onClose(connection: ServerConnection): void {
    const { metrics } = this.options
    this.connections.delete(connection)
    metrics.connections = this.connections.size
    metrics.bytesOut += connection.bytesOut
    if (this.connections.size === 0) this.onEmpty?.()
  }

  private checkDeadlines(): void {
    this.nowMs = this.options.monotonic()
    for (const connection of this.connections) connection.checkDeadline(this.nowMs)
    this.options.onSweep?.()
  }

  /** Stops accepting, lets what is in progress finish for at most `timeoutMs`, then ends the rest. */
  async drain(timeoutMs: number): Promise<void> {
    this.draining = true
    for (const server of this.servers) server.close()
    const isEmpty = new Promise<void>((resolve) => {
      this.onEmpty = resolve
      if (this.connections.size === 0) resolve()
    })
    const grace = setInterval(() => {
      for (const connection of this.connections) connection.closeIdle()
    }, DRAIN_GRACE_MS)
    let timer: NodeJS.Timeout | undefined
    const tooLong = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)))
    await Promise.race([isEmpty, tooLong])
    clearTimeout(timer)
    clearInterval(grace)
    for (const connection of this.connections) connection.socket.destroy()
    clearInterval(this.sweep)
  }
}
