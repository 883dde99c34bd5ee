/**
 * Headers of a request that make many origins answer something else, and that no key holds unless a site says so.
 *
 * Frameworks take another host, scheme, path or method from them, so one request with such a header would decide what everybody gets
 * who asks for the same address (cache poisoning: Kettle, "Practical Web Cache Poisoning", 2018, and "Web Cache Entanglement", 2020). On sites
 * with a cache they do not reach the origin: what it answers is made from what the key holds. `X-Forwarded-For` is not among them: it is
 * about who asks, and origins that answer by address say so (`private`, `Vary`) or have to.
 */
import type { SiteCacheConfig } from '../../../config/schema.ts'

const NAMES: ReadonlySet<string> = new Set([
  // Host, scheme and port.
  'forwarded',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-protocol',
  'x-forwarded-scheme',
  'x-forwarded-port',
  'x-forwarded-ssl',
  'x-forwarded-server',
  'x-host',
  'x-http-host-override',
  'x-original-host',
  'x-real-host',
  'x-backend-host',
  'x-scheme',
  'x-url-scheme',
  'x-proto',
  'front-end-https',
  'x-https',
  'x-arr-ssl',
  'proxy-host',
  // RFC 3875 §4.1.18 makes it the variable by which libraries find their proxy ("httpoxy").
  'proxy',
  'x-proxy-url',
  // Path and query.
  'x-original-url',
  'x-original-uri',
  'x-rewrite-url',
  'x-rewrite-uri',
  'x-rewrite-path',
  'x-override-url',
  'x-request-uri',
  'x-request-url',
  'x-real-url',
  'x-real-uri',
  'x-http-destinationurl',
  'x-http-path-override',
  'x-forwarded-path',
  'x-forwarded-prefix',
  'x-forwarded-uri',
  'x-forwarded-url',
  'x-envoy-original-path',
  'x-envoy-original-url',
  'x-script-name',
  'base-url',
  'request-uri',
  'x-invoke-path',
  'x-invoke-query',
  'x-invoke-status',
  'x-matched-path',
  'x-now-route-matches',
  'x-middleware-subrequest',
  'x-middleware-prefetch',
  'x-middleware-rewrite',
  // The method.
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-forwarded-method',
  // What we say ourselves.
  'orla-device',
])

/** Whether a header of this name (in lower case) is kept from the origin of this site. */
export function compileUnkeyed({
  key,
  unkeyedHeaders,
}: Pick<SiteCacheConfig, 'key' | 'unkeyedHeaders'>): (name: string) => boolean {
  const passes = new Set([...key.headers, ...unkeyedHeaders])
  // Our own word is not the client's to say, in the key or not.
  passes.delete('orla-device')
  return (name) => {
    if (passes.has(name)) return false
    if (!name.includes('_')) return NAMES.has(name)
    const meant = name.replaceAll('_', '-')
    return NAMES.has(meant) || passes.has(meant) || SELECTING.has(meant)
  }
}

/**
 * What answers are told apart by, and what changes them, spelt with `_`: servers that hand headers on as variables (CGI, WSGI) take one for the
 * other, so that it would say something else than what stands in the key.
 */
const SELECTING: ReadonlySet<string> = new Set([
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'sec-ch-ua-mobile',
  'user-agent',
])
