/**
 * Who asks, as the edge believes it: the other end of the connection, or whom a trusted proxy names.
 *
 * One object for all requests of a connection where it is the same, so that what is made of it is made once.
 */
import { type IpAddress, parseIp } from '../base/ip-address.ts'
import type { ClientCertificate } from '../contract/tls.ts'

export interface ClientFacts {
  /** IPv4 or IPv6, in the one way to write it. Empty where it is not known. */
  readonly address: string
  /** 0 where it is not known. */
  readonly port: number
  /** What the client speaks, to us or to the trusted proxy before us. */
  readonly scheme: 'http' | 'https'
  /** The host that a trusted proxy was asked for. */
  readonly forwardedHost?: string | undefined
  /** What it showed in the TLS handshake. */
  readonly certificate?: ClientCertificate | undefined
}

export class Client implements ClientFacts {
  readonly address: string
  readonly port: number
  readonly scheme: 'http' | 'https'
  readonly forwardedHost: string | undefined
  readonly certificate: ClientCertificate | undefined
  /**
   * What stands before host and target where answers are kept, and what stands behind them: an answer may depend on what the origin is
   * told of the scheme and the host, so those who would be told otherwise share nothing. See `caching/keys/site-key.ts`.
   */
  readonly keyPrefix: string
  readonly keySuffix: string
  /** Kept for `client-meta.ts`. */
  meta = ''
  private parsed: IpAddress | null | undefined

  constructor({ address, port, scheme, forwardedHost, certificate }: ClientFacts) {
    this.address = address
    this.port = port
    this.scheme = scheme
    this.forwardedHost = forwardedHost
    this.certificate = certificate
    this.keyPrefix = `${scheme}://`
    // An authority holds no space.
    this.keySuffix = forwardedHost === undefined ? '' : ` f:${forwardedHost}`
  }

  /** The address as integers, read when it is first asked for. Undefined where it is none. */
  get ip(): IpAddress | undefined {
    if (this.parsed === undefined) this.parsed = parseIp(this.address) ?? null
    return this.parsed ?? undefined
  }
}
