/**
 * One address that speaks TLS: takes accepted connections through the handshake, within bounds of time and number.
 *
 * What it is given (`update`) counts from the next handshake on. While an ACME authority checks a name by TLS-ALPN-01, the first message
 * of each client is looked at, and those who speak `acme-tls/1` get the certificate that answers; nobody else does.
 */
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { ListenerConfig } from '../config/schema.ts'
import type { CertificateMaterial, TlsMaterial } from '../contract/tls.ts'
import { parseClientHello } from '../tls/client-hello.ts'
import { SecureContexts } from '../tls/secure-contexts.ts'
import { handshakeFailure, type TlsMetrics } from './tls-metrics.ts'

const ACME_PROTOCOL = 'acme-tls/1'

/** How long one may take, in milliseconds, and how many there may be at once. */
export interface HandshakeLimits {
  readonly handshake: number
  readonly handshakes: number
}

export interface TlsListenerOptions {
  readonly listener: ListenerConfig
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
  private readonly server: Server
  private readonly acmeServer: Server
  private acme: ReadonlyMap<string, CertificateMaterial> = new Map()
  private readonly acmeContexts: SecureContexts

  constructor(options: TlsListenerOptions) {
    const { listener, index } = options
    const limits = options.limits()
    const { clientAuth } = listener.tls!
    this.options = options
    this.contexts = new SecureContexts(listener.tls!, `orla ${index}`)
    this.server = createServer({
      handshakeTimeout: limits.handshake,
      ALPNProtocols: listener.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      requestCert: clientAuth !== undefined,
      rejectUnauthorized: clientAuth?.mode === 'require',
      SNICallback: (name, use) => use(null, this.contexts.find(name)),
    })
    this.server.on('secureConnection', (socket) => this.onSecure(socket))
    this.server.on('tlsClientError', (error, socket) => this.onFailed(error, socket))
    this.acmeContexts = new SecureContexts({ certificates: [], minVersion: '1.2' }, 'acme')
    this.acmeServer = createServer({
      handshakeTimeout: limits.handshake,
      ALPNProtocols: [ACME_PROTOCOL],
      SNICallback: (name, use) => use(null, this.acmeContexts.find(name)),
    })
    // RFC 8737 §4: the handshake is all there is to it.
    this.acmeServer.on('secureConnection', (socket) => socket.end())
    this.acmeServer.on('tlsClientError', (error, socket) => this.onFailed(error, socket))
  }

  /** Replaces certificates, authorities and keys, at once. */
  update(material: TlsMaterial): void {
    const own = material.listeners[this.options.index]
    if (own === undefined) return
    this.contexts.update(own, material.ticketKeys)
    this.contexts.useIn(this.server)
    this.acme = material.challenges.tlsAlpn
    this.acmeContexts.update(
      { certificates: [...this.acme.values()], clientCa: undefined },
      material.ticketKeys,
    )
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
    if (this.acme.size === 0) this.server.emit('connection', socket)
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
      ;(isChallenge ? this.acmeServer : this.server).emit('connection', socket)
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

  private onFailed(error: Error, socket: TLSSocket): void {
    this.settle(rawSocket(socket))
    const isRefused =
      socket.authorizationError !== null &&
      socket.authorizationError !== undefined &&
      this.options.listener.tls?.clientAuth?.mode === 'require'
    this.options.metrics.countFailed(handshakeFailure((error as NodeJS.ErrnoException).code, isRefused))
    socket.destroy()
  }
}

/** The connection below, as it was accepted. */
export function rawSocket(socket: Socket): Socket {
  return (socket as unknown as { readonly _parent?: Socket })['_parent'] ?? socket
}
