/**
 * Listens, keeps the connections, sweeps their deadlines, drains.
 *
 * Draining ends nothing that is in progress: every connection closes with its next answer, a quiet one after a moment of
 * grace in which a request that is already under way may still arrive.
 */
import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { waitingConnections } from '../base/tcp-info.ts'
import { within } from '../base/within.ts'
import type { ListenerConfig } from '../config/schema.ts'
import type { ClientCertificate, TlsMaterial } from '../contract/tls.ts'
import { clientCertificate } from '../tls/client-certificate.ts'
import type { RequestHead } from '../wire/http1/message.ts'
import type { BannedAt } from './banning.ts'
import type { ClientConnection } from './client-connection.ts'
import { ServerConnection } from './connection.ts'
import type { AttachPoint, ConnectionHost, ConnectionLimits, Held, Refusal } from './connection-host.ts'
import { Announcement, endsOf, mayAnnounce } from './forwarding/announced.ts'
import type { ProxyTrust } from './forwarding/peer.ts'
import type { HttpMetrics } from './http-metrics.ts'
import { Http2Connection } from './http2/connection.ts'
import type { Http2Metrics } from './http2/metrics.ts'
import { ProtocolChoice } from './protocol-choice.ts'
import { listenerFacts, type ListenerFacts } from './listener-facts.ts'
import { acceptInto, readIntoShared, type ReadInto } from './shared-reads.ts'
import { rawSocket, TlsListener, type HandshakeLimits } from './tls-listener.ts'
import type { TlsMetrics } from './tls-metrics.ts'

export type ServerLimits = ConnectionLimits & HandshakeLimits & { readonly connections: number }

/** Says who is let in: see `banning.ts`. */
export interface Door {
  /** Nobody is kept out. */
  readonly isEmpty: boolean
  keepsOut(address: string): boolean
  count(at: BannedAt): void
}

export interface HttpServerOptions {
  readonly limits: ServerLimits
  /** As in `config.edge.listen`. */
  readonly listeners: readonly ListenerConfig[]
  readonly metrics: HttpMetrics
  readonly tlsMetrics: TlsMetrics
  /** Who may announce clients, on listeners with `proxyProtocol`. */
  readonly trust: ProxyTrust
  readonly http2Metrics: Http2Metrics
  /** Absent: everybody is let in. */
  readonly door?: Door | undefined
  readonly monotonic: () => number
  onRequest(connection: ClientConnection & AttachPoint, head: RequestHead): void
  /** A message was answered by its status and the end of its connection. */
  onRefused?(refusal: Refusal): void
  /** Called a few times a second, for whoever else has deadlines. */
  onSweep?(): void
}

const SWEEP_MS = 250
/** How long a quiet connection may still bring a request while the node drains. */
const DRAIN_GRACE_MS = 500
/** The kernel reads this again with each process that accepts. */
const BACKLOG = 4096
/** Turns of the event loop in which connections that wait are accepted before a socket is closed. */
const LAST_TURNS = 100

export class HttpServer implements ConnectionHost {
  /** May be replaced while it runs: what starts from then on is held to the new ones. */
  limits: ServerLimits
  trust: ProxyTrust
  draining = false
  nowMs: number
  private readonly options: HttpServerOptions
  private readonly servers: { readonly server: Server; readonly fd: number }[] = []
  private readonly connections = new Set<Held>()
  private readonly facts: readonly ListenerFacts[]
  private readonly tlsListeners: TlsListener[] = []
  private tlsMaterial: TlsMaterial | undefined
  private readonly sweep: NodeJS.Timeout
  private onEmpty: (() => void) | undefined

  constructor(options: HttpServerOptions) {
    this.options = options
    this.limits = options.limits
    this.trust = options.trust
    this.facts = options.listeners.map(listenerFacts)
    this.nowMs = options.monotonic()
    this.sweep = setInterval(() => this.checkDeadlines(), SWEEP_MS)
    this.sweep.unref()
  }

  /** Accepts from a listening socket, for the configured listener of that index. */
  listen(fd: number, index: number): Promise<void> {
    const listener = this.options.listeners[index]!
    const facts = this.facts[index]!
    const tls = listener.tls === undefined ? undefined : this.openTls(index, facts)
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    this.servers.push({ server, fd })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ fd, backlog: BACKLOG }, () => {
        server.off('error', reject)
        if (listener.proxyProtocol)
          server.on('connection', (socket) => this.acceptAnnounced(socket, facts, tls))
        else if (tls !== undefined)
          server.on('connection', (socket) => this.turnsAway(socket, 'accept') || this.acceptTls(socket, tls))
        else
          acceptInto(
            server,
            (socket, read) => this.turnsAway(socket, 'accept') || this.accept(socket, facts, read),
          )
        // Out of descriptors, or a client that was gone before it was accepted: the next one may do better.
        server.on('error', () => {})
        resolve()
      })
    })
  }

  private openTls(index: number, facts: ListenerFacts): TlsListener {
    assert(this.tlsMaterial, 'a listener with TLS is opened before there are certificates')
    const options = {
      index,
      limits: () => this.limits,
      metrics: this.options.tlsMetrics,
      onSecure: (socket: TLSSocket) => {
        const isHttp2 = socket.alpnProtocol === 'h2'
        readIntoShared(socket, this.open(socket, facts, isHttp2, clientCertificate(socket)))
      },
    }
    const tls = new TlsListener(options, this.tlsMaterial)
    this.tlsListeners.push(tls)
    return tls
  }

  /** What listeners say of their requests from now on, also of those on connections that are open: each asks when it starts. */
  useListeners(listeners: readonly ListenerConfig[]): void {
    for (const [index, listener] of listeners.entries())
      Object.assign(this.facts[index]!, listenerFacts(listener))
  }

  /** What handshakes from now on use. */
  updateTls(material: TlsMaterial): void {
    this.tlsMaterial = material
    for (const listener of this.tlsListeners) listener.update(material)
  }

  private acceptTls(socket: Socket, tls: TlsListener): void {
    if (this.isFull) this.refuse(socket)
    else tls.accept(socket)
  }

  /** A connection that begins with a PROXY header. What comes after it is accepted as if it had just connected. */
  private acceptAnnounced(socket: Socket, facts: ListenerFacts, tls: TlsListener | undefined): void {
    const { metrics } = this.options
    if (this.turnsAway(socket, 'accept')) return
    if (!mayAnnounce(socket, this.trust)) {
      metrics.countProxyHeader('untrusted')
      socket.destroy()
      return
    }
    if (this.isFull) {
      this.refuse(socket)
      return
    }
    const announcement: Announcement = new Announcement(socket, this.nowMs + this.limits.head, {
      onRead: (rest) => {
        this.forget(announcement)
        if (this.turnsAway(socket, 'proxy')) return
        if (tls === undefined) {
          this.accept(socket, facts, readAfter(socket, rest))
        } else {
          if (rest.length > 0) socket.unshift(rest)
          this.acceptTls(socket, tls)
        }
      },
      onFailed: (failure) => {
        metrics.countProxyHeader(failure)
        this.forget(announcement)
      },
      onGone: () => this.forget(announcement),
    })
    this.connections.add(announcement)
    metrics.connections = this.connections.size
  }

  /** Resets the connection of somebody who is banned. */
  private turnsAway(socket: Socket, at: BannedAt): boolean {
    const { door } = this.options
    if (door === undefined || door.isEmpty || !door.keepsOut(endsOf(socket).address)) return false
    door.count(at)
    const raw = rawSocket(socket)
    // Who left at the same moment tells so here.
    raw.on('error', () => {})
    raw.resetAndDestroy()
    return true
  }

  /** More are kept out: whoever of them is in goes, and what is in progress for those whom proxies name is broken off. */
  closeBanned(): void {
    const { door } = this.options
    for (const connection of this.connections) {
      if (this.turnsAway(connection.socket, 'open')) continue
      for (const asked of connection.requests ?? [connection]) {
        if (!door?.keepsOut(asked.inProgress?.client?.address ?? '')) continue
        door.count('open')
        asked.cut?.()
      }
    }
    for (const { handshaking } of this.tlsListeners)
      for (const socket of handshaking) this.turnsAway(socket, 'open')
  }

  private forget(connection: Held): void {
    this.connections.delete(connection)
    this.options.metrics.connections = this.connections.size
    if (this.connections.size === 0) this.onEmpty?.()
  }

  private accept(socket: Socket, facts: ListenerFacts, read: ReadInto): void {
    if (this.isFull) {
      this.refuse(socket)
      return
    }
    read(facts.h2c ? this.choose(socket, facts) : this.open(socket, facts, false))
  }

  /** Makes the connection that speaks over this socket; returns who takes what comes. */
  private open(
    socket: Socket,
    facts: ListenerFacts,
    isHttp2: boolean,
    certificate?: ClientCertificate,
  ): (bytes: Buffer) => void {
    const connection = isHttp2
      ? new Http2Connection(socket, this, facts, this.options.http2Metrics, certificate)
      : new ServerConnection(socket, this, facts, certificate)
    this.keep(connection)
    return (bytes) => connection.onData(bytes)
  }

  private choose(socket: Socket, facts: ListenerFacts): (bytes: Buffer) => void {
    let receive: ((bytes: Buffer) => void) | undefined
    const choice = new ProtocolChoice(socket, this, (isHttp2) => {
      this.connections.delete(choice)
      return this.open(socket, facts, isHttp2)
    })
    this.connections.add(choice)
    return (bytes) => {
      if (receive === undefined) receive = choice.onData(bytes)
      else receive(bytes)
    }
  }

  /** Handshakes count: a client that never ends one takes a place all the same. */
  private get isFull(): boolean {
    return this.connections.size + this.options.tlsMetrics.handshaking >= this.limits.connections
  }

  private refuse(socket: Socket): void {
    this.options.metrics.countRefused(503)
    socket.destroy()
  }

  private keep(connection: Held): void {
    const { metrics } = this.options
    this.connections.add(connection)
    metrics.connections = this.connections.size
    metrics.connectionsTotal += 1
  }

  onRequest(connection: ClientConnection & AttachPoint, head: RequestHead): void {
    this.options.onRequest(connection, head)
  }

  onRefused(refusal: Refusal): void {
    this.options.metrics.countRefused(refusal.status)
    this.options.onRefused?.(refusal)
  }

  onClose(connection: Held): void {
    this.options.metrics.bytesOut += connection.bytesOut
    this.forget(connection)
  }

  private checkDeadlines(): void {
    this.nowMs = this.options.monotonic()
    for (const connection of this.connections) connection.checkDeadline(this.nowMs)
    this.options.onSweep?.()
  }

  /** Accepts what waits and nothing after it, lets what is in progress finish for at most `timeoutMs`, then ends the rest. */
  async drain(timeoutMs: number): Promise<void> {
    this.draining = true
    await Promise.all(this.servers.map(closeWhenEmpty))
    const isEmpty = new Promise<void>((resolve) => {
      this.onEmpty = resolve
      if (this.connections.size === 0) resolve()
    })
    const grace = setInterval(() => {
      for (const connection of this.connections) connection.closeIdle()
    }, DRAIN_GRACE_MS)
    await within(timeoutMs, isEmpty)
    clearInterval(grace)
    for (const connection of this.connections) connection.socket.destroy()
    for (const { handshaking } of this.tlsListeners) for (const socket of handshaking) socket.destroy()
    clearInterval(this.sweep)
  }
}

/** A connection that the kernel has taken would be reset where the last socket that it waits in is closed. */
async function closeWhenEmpty({
  server,
  fd,
}: {
  readonly server: Server
  readonly fd: number
}): Promise<void> {
  for (let turn = 0; turn < LAST_TURNS && waitingConnections(fd) > 0; turn++) await setImmediate()
  server.close()
}

/** Reads on from a paused socket of which some bytes were taken already. */
function readAfter(socket: Socket, rest: Buffer): ReadInto {
  return (receive) => {
    socket.on('data', receive)
    socket.resume()
    // Whoever receives them may pause again, so this comes last.
    if (rest.length > 0) receive(rest)
  }
}
