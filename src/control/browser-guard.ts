/**
 * Keeps pages in a browser away from the control plane. It has no cookies, so no page can borrow somebody's rights; but a page may reach
 * what listens on the reader's own machine, where `/metrics` asks for no token.
 *
 * - A name that is not this control plane's is refused where it listens on the loopback: a page of `evil.example` whose name was made to mean
 *   127.0.0.1 (DNS rebinding) still says `Host: evil.example`.
 * - What a browser says comes from another site is refused. No answer ever carries `Access-Control-Allow-Origin`.
 */
import { EdgeError } from '../base/errors.ts'

export interface GuardOptions {
  /** Names besides addresses of the loopback and `localhost`. Undefined: any, as it listens to the network. */
  readonly hosts: readonly string[] | undefined
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|\[::1\]|\[::ffff:7f[0-9a-f:]+\]|(?:[a-z0-9-]+\.)?localhost)$/

export function guardFromBrowsers(request: Request, { hosts }: GuardOptions): void {
  const { hostname, host } = new URL(request.url)
  if (
    hosts !== undefined &&
    !LOOPBACK.test(hostname) &&
    !hosts.some((name) => name.toLowerCase() === hostname)
  ) {
    throw new EdgeError('host-unknown', `\`${host}\` is no name of this control plane`)
  }
  const origin = request.headers.get('origin')
  const site = request.headers.get('sec-fetch-site')
  const isForeign = origin !== null && !isSameHost(origin, host)
  if (isForeign || site === 'cross-site' || site === 'same-site') {
    throw new EdgeError('cross-site', `the request comes from ${origin ?? 'another site'}`)
  }
}

/** The scheme is left out: a proxy that ends TLS may stand before it. */
function isSameHost(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host
}
