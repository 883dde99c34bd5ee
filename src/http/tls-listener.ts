/**
 * One address that speaks TLS: takes accepted connections through the handshake, within bounds of time and number.
 *
 * What it is given (`update`) counts from the next handshake on. While an ACME authority checks a name by TLS-ALPN-01, the first message
 * of each client is looked at, and those who speak `acme-tls/1` get the certificate that answers; nobody else does.
 */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { CertificateMaterial, ListenerMaterial, TlsMaterial } from '../contract/tls.ts'
import { parseClientHello } from '../tls/client-hello.ts'
import { SecureContexts } from '../tls/secure-contexts.ts'
import { handshakeFailure, type TlsMetrics } from './tls-metrics.ts'

const ACME_PROTOCOL = 'acme-tls/1'
const ACME_SETTINGS = { minVersion: '1.2', ciphers: undefined, clientAuth: undefined, http2: false } as const

/** How long one may take, in milliseconds, and how many there may be at once. */
export interface HandshakeLimits {
  readonly handshake: number
  readonly handshakes: number
}

/** Node's own, which hold what a handshake begins with. */
interface Servers {
  readonly clients: Server
  readonly acme: Server
  /** The limit of time that they were made with. */
  readonly handshake: number
}

export interface TlsListenerOptions {
  /** Its place in `config.edge.listen`. */
  readonly index: number
  /** As they are now: they may change while it listens. */
  readonly limits: () => HandshakeLimits
  readonly metrics: TlsMetrics
  onSecure(socket: TLSSocket): void
}

export class TlsListener {
  /** Connections whose handshake is not done. */
  readonly handshaking = new Set<Socket>()
  private readonly options: TlsListenerOptions
  private readonly contexts: SecureContexts
  private readonly acmeContexts = new SecureContexts('acme')
  private own: ListenerMaterial
  private acme: ReadonlyMap<string, CertificateMaterial> = new Map()
  private servers: Servers

  constructor(options: TlsListenerOptions, material: TlsMaterial) {
    this.options = options
    this.contexts = new SecureContexts(`orla ${options.index}`)
    this.own = this.take(material)
    this.servers = this.makeServers()
  }

  /** Replaces certificates, authorities, keys and how TLS is spoken, at once. Handshakes under way go on with what they began with. */
  update(material: TlsMaterial): void {
    this.own = this.take(material)
    this.servers = this.makeServers()
  }

  private take(material: TlsMaterial): ListenerMaterial {
    const { index } = this.options
    const own = material.listeners[index]
    assert(own, `the listener ${index} speaks TLS, and there is nothing for it to speak it with`)
    this.contexts.update(own, material.ticketKeys)
    this.acme = material.challenges.tlsAlpn
    this.acmeContexts.update(
      { ...ACME_SETTINGS, certificates: [...this.acme.values()], clientCa: undefined },
      material.ticketKeys,
    )
    return own
  }

  private makeServers(): Servers {
    const { http2, clientAuth } = this.own
    const { handshake } = this.options.limits()
    const clients = createServer({
      handshakeTimeout: handshake,
      ALPNProtocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      requestCert: clientAuth !== undefined,
      rejectUnauthorized: clientAuth === 'require',
      SNICallback: (name, use) => use(null, this.contexts.find(name)),
    })
    clients.on('secureConnection', (socket) => this.onSecure(socket))
    clients.on('tlsClientError', (error, socket) => this.onFailed(error, socket, clientAuth === 'require'))
    this.contexts.useIn(clients)
    const acme = createServer({
      handshakeTimeout: handshake,
      ALPNProtocols: [ACME_PROTOCOL],
      SNICallback: (name, use) => use(null, this.acmeContexts.find(name)),
    })
    // RFC 8737 §4: the handshake is all there is to it.
    acme.on('secureConnection', (socket) => socket.end())
    acme.on('tlsClientError', (error, socket) => this.onFailed(error, socket, false))
    return { clients, acme, handshake }
  }

  private begin(socket: Socket, isChallenge = false): void {
    // A reload may have changed the limit, which Node wants to know when a server is made.
    if (this.servers.handshake !== this.options.limits().handshake) this.servers = this.makeServers()
    const { clients, acme } = this.servers
    ;(isChallenge ? acme : clients).emit('connection', socket)
  }

  accept(socket: Socket): void {
    const { limits, metrics } = this.options
    if (this.handshaking.size >= limits().handshakes) {
      metrics.countFailed('too-many')
      socket.destroy()
      return
    }
    this.handshaking.add(socket)
    metrics.handshaking += 1
    socket.on('close', () => this.settle(socket))
    // What goes wrong before the handshake is told by `close`; after it, to the connection.
    socket.on('error', () => {})
    if (this.acme.size === 0) this.begin(socket)
    else this.peek(socket)
  }

  private settle(socket: Socket): void {
    if (this.handshaking.delete(socket)) this.options.metrics.handshaking -= 1
  }

  /** Reads the first message, puts it back, and passes the connection to whom it is for. */
  private peek(socket: Socket): void {
    let seen = Buffer.alloc(0)
    const timer = setTimeout(() => {
      this.options.metrics.countFailed('timeout')
      socket.destroy()
    }, this.options.limits().handshake)
    const done = () => {
      clearTimeout(timer)
      socket.off('data', onData)
      socket.off('close', done)
      socket.off('end', done)
    }
    const onData = (bytes: Buffer) => {
      seen = Buffer.concat([seen, bytes])
      const hello = parseClientHello(seen)
      if (hello === undefined) return
      done()
      socket.pause()
      socket.unshift(seen)
      const isChallenge =
        hello.protocols.includes(ACME_PROTOCOL) && this.acme.has((hello.serverName ?? '').toLowerCase())
      this.begin(socket, isChallenge)
    }
    socket.on('data', onData)
    socket.resume()
    socket.on('close', done)
    socket.on('end', done)
  }

  private onSecure(socket: TLSSocket): void {
    this.settle(rawSocket(socket))
    this.options.metrics.countDone(socket.getProtocol() ?? 'unknown', socket.isSessionReused())
    this.options.onSecure(socket)
  }

  private onFailed(error: Error, socket: TLSSocket, isRequired: boolean): void {
    this.settle(rawSocket(socket))
    const isRefused =
      socket.authorizationError !== null && socket.authorizationError !== undefined && isRequired
    this.options.metrics.countFailed(handshakeFailure((error as NodeJS.ErrnoException).code, isRefused))
    socket.destroy()
  }
}

/** The connection below, as it was accepted. */
export function rawSocket(socket: Socket): Socket {
  return (socket as unknown as { readonly _parent?: Socket })['_parent'] ?? socket
}
