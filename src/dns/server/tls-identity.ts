/** Certificate and key of `tls://` and `https://`: read from their files, and read again when those change. */
import { statSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions, type TLSSocket, type TlsOptions } from 'node:tls'
import { readTlsFiles } from '../../base/tls-files.ts'
import { EdgeError } from '../../base/errors.ts'
import type { DnsTls } from '../../contract/dns.ts'
import type { Endpoint } from '../endpoint.ts'

/** How often the files are looked at. */
const LOOK_MS = 5000

export class TlsIdentity {
  tls: DnsTls
  readonly #where: string
  #seen: string
  readonly #servers: { setSecureContext(options: SecureContextOptions): void }[] = []
  readonly #timer: NodeJS.Timeout

  /** Throws `file-unreadable`, or what node:tls says of their contents. */
  constructor({ tls, label }: Endpoint) {
    if (!tls)
      throw new EdgeError(
        'file-unreadable',
        `${label} needs a certificate: add a line such as "tls cert.pem key.pem"`,
      )
    this.tls = tls
    this.#where = `${label} tls`
    this.#seen = this.#look()
    createSecureContext(this.serverOptions())
    this.#timer = setInterval(() => this.#renew(), LOOK_MS).unref()
  }

  /** For a server of node:tls or node:http2: who connects is shown the certificate as it is by then. */
  serverOptions({ cert, key, ca, clientAuth }: DnsTls = this.tls): TlsOptions {
    return {
      ...readTlsFiles(this.#where, { cert, key, ca }),
      minVersion: 'TLSv1.2',
      requestCert: clientAuth !== 'nocert',
      rejectUnauthorized: false,
    }
  }

  /**
   * Another line of the Corefile, while it is served: read now, in force once the function that is returned is called. Throws as the constructor does.
   */
  change(tls: DnsTls): () => void {
    const options = this.serverOptions(tls)
    createSecureContext(options)
    return () => {
      this.tls = tls
      this.#seen = this.#look()
      for (const server of this.#servers) {
        server.setSecureContext(options)
        // Read for each connection; there is no other way to change it.
        Object.assign(server, { requestCert: options.requestCert })
      }
    }
  }

  /** Has a server show what is read from now on. */
  follow(server: { setSecureContext(options: SecureContextOptions): void }): void {
    this.#servers.push(server)
  }

  /** Whether a client may stay. */
  admits(socket: TLSSocket): boolean {
    const hasShown = Object.keys(socket.getPeerCertificate() ?? {}).length > 0
    switch (this.tls.clientAuth) {
      case 'require':
        return hasShown
      case 'verify_if_given':
        return socket.authorized || !hasShown
      case 'require_and_verify':
        return socket.authorized
      default:
        return true
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): string {
    const { cert, key, ca } = this.tls
    return [cert, key, ca].map((path) => (path === undefined ? '' : stampOf(path))).join()
  }

  /** What cannot be used changes nothing: a certificate that is being written is read at the next look. */
  #renew(): void {
    const seen = this.#look()
    if (seen === this.#seen) return
    try {
      const options = this.serverOptions()
      createSecureContext(options)
      for (const server of this.#servers) server.setSecureContext(options)
      this.#seen = seen
    } catch {
      // The former one goes on.
    }
  }
}

function stampOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path)
    return `${mtimeMs}/${size}/${ino}`
  } catch {
    return ''
  }
}
