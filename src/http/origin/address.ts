/** Where an endpoint is and how it is spoken to, worked out once from its URL. */
import { isIP, isIPv6 } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { EdgeError } from '../../base/errors.ts'
import type { EndpointConfig, OriginConfig } from '../../config/schema.ts'
import { readAuthorities } from '../../tls/certificate.ts'

export interface Address {
  /** As configured: its name, or URL without a trailing slash. For messages and metrics. */
  readonly name: string
  /** `example.org:9000`: the `Host` of requests that bring none. */
  readonly authority: string
  /** Of a name, one of its addresses. */
  readonly host: string
  readonly port: number
  /** Absent for plain HTTP. */
  readonly tls: TlsSettings | undefined
}

export interface TlsSettings {
  readonly context: SecureContext
  /** Asked for by SNI, and checked in the certificate. */
  readonly serverName: string
  readonly verify: boolean
}

/** Made once for all connections of an origin: reading the authorities costs milliseconds. */
export function secureContextOf(config: OriginConfig): SecureContext | undefined {
  if (!config.endpoints.some(({ url }) => url.startsWith('https:'))) return undefined
  return createSecureContext(config.tls.ca === undefined ? {} : { ca: authoritiesIn(config.tls.ca) })
}

/** The host is still as configured: a name, or an address. */
export function addressOf(
  endpoint: EndpointConfig,
  config: OriginConfig,
  context: SecureContext | undefined,
): Address {
  const url = new URL(endpoint.url)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const isTls = url.protocol === 'https:'
  return {
    name: endpoint.name,
    authority: url.host,
    host,
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    tls: isTls
      ? { context: context!, serverName: config.tls.serverName ?? host, verify: config.tls.verify }
      : undefined,
  }
}

/** `10.0.0.1:9000`, `[::1]:9000`. */
export const hostAndPort = ({ host, port }: Address): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`

/** RFC 6066 §3: SNI carries names, never addresses. */
export function sniOf(settings: TlsSettings): string {
  return isIP(settings.serverName) === 0 ? settings.serverName : ''
}

function authoritiesIn(file: string): string {
  try {
    return readAuthorities(file)
  } catch (error) {
    throw new EdgeError('config-invalid', `origin.tls.ca: ${(error as Error).message}`, { cause: error })
  }
}
