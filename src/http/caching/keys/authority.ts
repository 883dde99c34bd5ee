/** Host and port in the one way that keys write them: in lower case, without a dot at the end, without the scheme's own port. */

/** As the head of a request has them: `authority` in lower case, `host` without its port and the dot at its end. */
export interface AskedHost {
  readonly authority: string
  readonly host: string
}

const DEFAULT_PORTS = { http: 80, https: 443 } as const

// A client names one authority again and again, mostly as the same string.
let lastAuthority = ''
let lastScheme: 'http' | 'https' = 'http'
let lastCanonical = ''

export function canonicalAuthority({ authority, host }: AskedHost, scheme: 'http' | 'https'): string {
  if (authority === host) return host
  if (authority === lastAuthority && scheme === lastScheme) return lastCanonical
  const port = portOf(authority)
  lastAuthority = authority
  lastScheme = scheme
  lastCanonical = port === undefined || port === DEFAULT_PORTS[scheme] ? host : `${host}:${port}`
  return lastCanonical
}

/** The port that it names. The colons of an IPv6 address stand within brackets. */
export function portOf(authority: string): number | undefined {
  const colon = authority.lastIndexOf(':')
  return colon < 0 || authority.endsWith(']') ? undefined : Number(authority.slice(colon + 1))
}

/** The port that a canonical authority means. */
export const portAsked = (authority: string, scheme: 'http' | 'https'): number =>
  portOf(authority) ?? DEFAULT_PORTS[scheme]
