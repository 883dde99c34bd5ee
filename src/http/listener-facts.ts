/** What the address that a connection came in by says about all of its requests. */
import type { HstsConfig, ListenerConfig, RedirectConfig } from '../config/schema.ts'

export interface ListenerFacts {
  readonly scheme: 'http' | 'https'
  /** Every request is sent to HTTPS. */
  readonly redirect: RedirectConfig | undefined
  /** HTTP/2 by prior knowledge is spoken as well. */
  readonly h2c: boolean
  /** Edit that adds `Strict-Transport-Security`; empty where there is none. */
  readonly hsts: string
}

export function listenerFacts(listener: ListenerConfig): ListenerFacts {
  const { tls, redirectHttps, hsts } = listener
  return {
    scheme: tls === undefined ? 'http' : 'https',
    redirect: redirectHttps === false ? undefined : (redirectHttps as RedirectConfig),
    h2c: listener.h2c,
    hsts: hstsEdit(hsts),
  }
}

/** RFC 6797 §6.1, as an edit of the response (see `edits.ts`): it replaces what the origin says. */
export function hstsEdit(hsts: HstsConfig | undefined): string {
  if (hsts === undefined) return ''
  const { maxAge, includeSubDomains, preload } = hsts
  const more = `${includeSubDomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`
  return `H strict-transport-security: max-age=${Math.floor(maxAge / 1000)}${more}\n`
}
