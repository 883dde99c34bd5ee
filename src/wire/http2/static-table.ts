/** The fields that both ends of HPACK know from the start (RFC 7541, appendix A). */
const LINES = `
:authority
:method: GET
:method: POST
:path: /
:path: /index.html
:scheme: http
:scheme: https
:status: 200
:status: 204
:status: 206
:status: 304
:status: 400
:status: 404
:status: 500
accept-charset
accept-encoding: gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
`
  .trim()
  .split('\n')

/** Name and value in turn: entry 1 at 0 and 1. */
export const STATIC_TABLE: readonly string[] = LINES.flatMap((line) => {
  const colon = line.indexOf(': ', 1)
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 2)]
})

export const STATIC_COUNT = LINES.length
