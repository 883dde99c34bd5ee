/**
 * What goes live with a reload. Everything else belongs to processes and sockets that are there already, and needs a restart.
 *
 * The reference page of the configuration marks these keys, so what is said of them and what is done are one list.
 */

/** A key with all that is below it; `[]` stands for any place in a list. */
const LIVE_KEYS: ReadonlySet<string> = new Set([
  'sites',
  'limits',
  'geo',
  'dns',
  'sources',
  'telemetry',
  'edge.listen[].tls.certificates',
  'edge.listen[].tls.minVersion',
  'edge.listen[].tls.ciphers',
  'edge.listen[].tls.clientAuth',
  'edge.listen[].http2',
  'edge.listen[].h2c',
  'edge.listen[].redirectHttps',
  'edge.listen[].hsts',
  'edge.acme',
  'edge.ticketsRotate',
  'edge.requestId',
  'edge.trace',
  'bans.never',
  'bans.units',
  'bans.max',
  'edge.trustedProxies',
  'edge.forwardedFrom',
  'edge.fetch',
  'edge.kv',
  'edge.unitCache',
  'edge.debugToken',
  'edge.accessLog',
  'control.token',
  'control.hosts',
  'control.requests',
  'control.units',
])

/** Each limit is told by itself when it changes. */
const LIMITS = 'edge.limits.'

/** Whether a value at this path, such as `edge.listen[0].hsts`, changes as a whole while the node runs. */
export function isLiveKey(path: string): boolean {
  return path.startsWith(LIMITS) || LIVE_KEYS.has(path.replace(/\[\d+\]/g, '[]'))
}
