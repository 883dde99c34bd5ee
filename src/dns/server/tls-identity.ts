/** Certificate and key of `tls://` and `https://`: read from their files, and read again when those change. */
import { statSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import { readTlsFiles } from '../../base/tls-files.ts'
import { EdgeError } from '../../base/errors.ts'
import type { DnsTls } from '../../contract/dns.ts'
import type { Endpoint } from '../endpoint.ts'

/** How often the files are looked at. */
const LOOK_MS = 5000

export class TlsIdentity {
  readonly tls: DnsTls
  readonly #where: string
  #seen: string
  #context: SecureContext
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
    this.#context = this.#read()
    this.#timer = setInterval(() => this.#renew(), LOOK_MS).unref()
  }

  get context(): SecureContext {
    return this.#context
  }

  /** A client has to show a certificate, or may. */
  get asksClients(): boolean {
    return this.tls.clientAuth !== 'nocert'
  }

  /** Whether a client may stay: `isAuthorized` where its certificate was verified, `hasShown` where it has one. */
  admits(isAuthorized: boolean, hasShown: boolean): boolean {
    switch (this.tls.clientAuth) {
      case 'require':
        return hasShown
      case 'verify_if_given':
        return isAuthorized || !hasShown
      case 'require_and_verify':
        return isAuthorized
      default:
        return true
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #read(): SecureContext {
    const { cert, key, ca } = this.tls
    return createSecureContext({ ...readTlsFiles(this.#where, { cert, key, ca }), minVersion: 'TLSv1.2' })
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
      this.#context = this.#read()
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
