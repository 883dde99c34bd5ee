/** Where an endpoint is and how it is spoken to, worked out once from its URL. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { EdgeError } from '../../base/errors.ts'
import type { OriginConfig } from '../../config/schema.ts'

export interface Address {
  /** As configured, without a trailing slash: `http://127.0.0.1:9000`. For messages and metrics. */
  readonly name: string
  /** `127.0.0.1:9000`: the `Host` of requests that bring none. */
  readonly authority: string
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

export function endpointAddresses(config: OriginConfig): Address[] {
  const secure = config.endpoints.some((endpoint) => endpoint.startsWith('https:'))
  // Made once for all connections: reading the authorities costs milliseconds.
  const context = secure
    ? createSecureContext(config.tls.ca === undefined ? {} : { ca: readCa(config.tls.ca) })
    : undefined
  return config.endpoints.map((endpoint) => {
    const url = new URL(endpoint)
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    const isTls = url.protocol === 'https:'
    return {
      name: endpoint.replace(/\/$/, ''),
      authority: url.host,
      host,
      port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
      tls: isTls
        ? { context: context!, serverName: config.tls.serverName ?? host, verify: config.tls.verify }
        : undefined,
    }
  })
}

/** RFC 6066 §3: SNI carries names, never addresses. */
export function sniOf(settings: TlsSettings): string {
  return isIP(settings.serverName) === 0 ? settings.serverName : ''
}

function readCa(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new EdgeError('config-invalid', `origin.tls.ca: ${path} cannot be read`, { cause: error })
  }
}
