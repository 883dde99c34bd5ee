/**
 * The certificates of one listener in a worker, as OpenSSL wants them: one context a certificate, made when it is first asked
 * for, and kept as long as its pair is in force.
 *
 * Tickets are sealed and opened by a callback, since OpenSSL's own keys can be set but not rotated: with it, tickets of the
 * key before still open. Node has that callback and does not write about it; where it is gone, the newest key alone counts.
 */
import { constants, createHash, randomBytes } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions, type Server } from 'node:tls'
import type { CertificateMaterial, ListenerMaterial, TlsSettings } from '../contract/tls.ts'
import { NameTable } from './name-table.ts'

const TLS13_CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'
/** Forward secrecy and authenticated encryption only. */
const TLS12_CIPHERS =
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:' +
  'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305'
/** Renegotiation lets a client make the server work; ChaCha is for clients that put it first, mostly phones. */
const OPTIONS = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA

type TicketAnswer = [status: number, hmac: Uint8Array, aes: Uint8Array, name?: Uint8Array, iv?: Uint8Array]

/** What Node's `SecureContext` holds inside. */
interface InnerContext {
  enableTicketKeyCallback?(): void
  onticketkeycallback?: (name: Uint8Array, iv: Uint8Array, isSealing: boolean) => TicketAnswer
  setTicketKeys?(keys: Uint8Array): void
}

export class SecureContexts {
  private readonly name: string
  private base: SecureContextOptions = {}
  private first: CertificateMaterial | undefined
  private ticketKeys: readonly Uint8Array[] = []
  private names = new NameTable<CertificateMaterial>()
  private made = new Map<string, SecureContext>()

  /** Sessions of one name are not resumed under another. */
  constructor(name: string) {
    this.name = name
  }

  /** Replaces what is in force. Connections that are open go on with what they have. */
  update(material: ListenerMaterial, ticketKeys: readonly Uint8Array[]): void {
    const base = { ...settingsOf(material), ...sessionsOf(material, this.name) }
    const isSame = JSON.stringify(base) === JSON.stringify(this.base)
    const ids = new Set(material.certificates.map(({ id }) => id))
    this.made = new Map(isSame ? [...this.made].filter(([id]) => ids.has(id)) : [])
    this.base = base
    this.first = material.certificates[0]
    this.ticketKeys = ticketKeys
    this.names = new NameTable()
    for (const certificate of material.certificates)
      for (const name of certificate.names) this.names.add(name, certificate)
    for (const context of this.made.values()) this.useTicketKeys(context)
  }

  /** For clients that name nobody, or somebody we do not know. */
  get fallback(): SecureContext {
    return this.contextOf(this.first)
  }

  find(name: string): SecureContext {
    return this.contextOf(this.names.find(name) ?? this.first)
  }

  /**
   * Makes the fallback what a server of Node's uses for those who name nobody: in place of the context it made itself.
   *
   * Node keeps that one in a field it does not write about. A Node without it is asked by its public name instead: the certificate is the
   * same, and tickets of clients that name nobody are sealed by the newest key alone.
   */
  useIn(server: Server): void {
    if ('_sharedCreds' in server) {
      Object.assign(server, { _sharedCreds: this.fallback })
      return
    }
    server.setSecureContext(this.optionsOf(this.first))
    const newest = this.ticketKeys[0]
    if (newest !== undefined) server.setTicketKeys(Buffer.from(newest))
  }

  private contextOf(certificate: CertificateMaterial | undefined): SecureContext {
    const id = certificate?.id ?? ''
    let context = this.made.get(id)
    if (context === undefined) {
      context = createSecureContext(this.optionsOf(certificate))
      this.useTicketKeys(context)
      this.made.set(id, context)
    }
    return context
  }

  private optionsOf(certificate: CertificateMaterial | undefined): SecureContextOptions {
    return { ...this.base, ...(certificate && { cert: certificate.cert, key: certificate.key }) }
  }

  private useTicketKeys(context: SecureContext): void {
    const inner = (context as { context: InnerContext }).context
    if (typeof inner.enableTicketKeyCallback !== 'function') {
      inner.setTicketKeys?.(this.ticketKeys[0]!)
      return
    }
    inner.enableTicketKeyCallback()
    inner.onticketkeycallback = (name, _iv, isSealing) => this.ticketKey(name, isSealing)
  }

  private ticketKey(name: Uint8Array, isSealing: boolean): TicketAnswer {
    const FOUND = 1
    const FOUND_AND_RENEW = 2
    const UNKNOWN = 0
    const at = isSealing
      ? 0
      : this.ticketKeys.findIndex((key) => Buffer.compare(key.subarray(0, 16), name) === 0)
    const key = this.ticketKeys[Math.max(0, at)]!
    const hmac = key.subarray(16, 32)
    const aes = key.subarray(32, 48)
    if (isSealing) return [FOUND, hmac, aes, key.subarray(0, 16), randomBytes(16)]
    return [at < 0 ? UNKNOWN : at === 0 ? FOUND : FOUND_AND_RENEW, hmac, aes]
  }
}

/** Throws what OpenSSL says of settings that no handshake could use. */
export function tryTlsSettings(settings: Pick<TlsSettings, 'minVersion' | 'ciphers'>): void {
  createSecureContext(settingsOf(settings))
}

const settingsOf = ({ minVersion, ciphers }: Pick<TlsSettings, 'minVersion' | 'ciphers'>) => ({
  minVersion: `TLSv${minVersion}` as const,
  ciphers: `${TLS13_CIPHERS}:${ciphers ?? TLS12_CIPHERS}`,
  honorCipherOrder: true,
  secureOptions: OPTIONS,
})

/**
 * Who may resume. A resumed session is taken as verified when it began, so it ends where other certificates of clients are asked for:
 * else a ticket from before would open what its client could not open now.
 */
function sessionsOf(
  { clientAuth, clientCa }: ListenerMaterial,
  name: string,
): Pick<SecureContextOptions, 'sessionIdContext' | 'ca'> {
  const text = JSON.stringify([name, clientAuth, clientCa])
  // OpenSSL takes 32 bytes.
  const sessionIdContext = createHash('sha256').update(text).digest('hex').slice(0, 32)
  return { sessionIdContext, ...(clientCa !== undefined && { ca: clientCa }) }
}
