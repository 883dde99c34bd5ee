/**
 * Names of fields that are seen often, so that they need not be put into lower case each time, and the few that say something about
 * the message itself.
 */

/** What a field tells the parser, as a small number to switch on. */
export const PLAIN = 0
export const HOST = 1
export const CONTENT_LENGTH = 2
export const TRANSFER_ENCODING = 3
export const CONNECTION = 4
export const EXPECT = 5
export const IMPOSTOR = 6
// From here on, fields that say nothing of the message itself.
export const FORWARDING = 7
export const UPGRADE = 8

export interface FieldName {
  /** In lower case. */
  readonly name: string
  readonly role: number
}

const ROLES: Readonly<Record<string, number>> = {
  host: HOST,
  'content-length': CONTENT_LENGTH,
  'transfer-encoding': TRANSFER_ENCODING,
  connection: CONNECTION,
  expect: EXPECT,
  upgrade: UPGRADE,
  // What hops before us say of where a request came from and over whom.
  forwarded: FORWARDING,
  'x-forwarded-for': FORWARDING,
  'x-forwarded-host': FORWARDING,
  'x-forwarded-port': FORWARDING,
  'x-forwarded-proto': FORWARDING,
  'x-real-ip': FORWARDING,
  'cdn-loop': FORWARDING,
  // Servers that hand fields over as environment variables (CGI, WSGI) cannot tell these from the real ones.
  content_length: IMPOSTOR,
  transfer_encoding: IMPOSTOR,
}

const COMMON =
  `accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials
  access-control-allow-headers access-control-allow-methods access-control-allow-origin access-control-expose-headers
  access-control-max-age access-control-request-headers access-control-request-method age allow alt-svc authorization cache-control
  cache-status content-disposition content-encoding content-language content-location content-range
  content-security-policy content-type cookie cross-origin-opener-policy cross-origin-resource-policy date dnt etag expires from
  if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive last-modified link location max-forwards
  origin permissions-policy pragma priority proxy-connection range referer referrer-policy retry-after sec-ch-ua sec-ch-ua-mobile
  sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-gpc sec-websocket-key sec-websocket-version server
  server-timing set-cookie strict-transport-security te trailer upgrade-insecure-requests user-agent vary via warning
  www-authenticate x-content-type-options x-frame-options x-powered-by
  x-request-id x-requested-with x-xss-protection`.split(/\s+/)

const known = new Map<string, FieldName>()
for (const name of [...Object.keys(ROLES), ...COMMON]) {
  const entry = { name, role: ROLES[name] ?? PLAIN }
  known.set(name, entry)
  known.set(
    name.replace(/(?:^|[-_])[a-z]/g, (start) => start.toUpperCase()),
    entry,
  )
}
known.set('ETag', known.get('etag')!)
known.set('WWW-Authenticate', known.get('www-authenticate')!)
known.set('DNT', known.get('dnt')!)

/** With what CGI and WSGI cannot tell from it: they write `_` for `-`. */
const CLAIM = /^x[-_](?:forwarded[-_]|real[-_]ip$)/

/** The name in lower case and its role. */
export function fieldName(received: string): FieldName {
  const entry = known.get(received)
  if (entry !== undefined) return entry
  const name = received.toLowerCase()
  return known.get(name) ?? { name, role: CLAIM.test(name) ? FORWARDING : PLAIN }
}
