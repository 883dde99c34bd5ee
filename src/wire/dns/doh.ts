/** DNS over HTTPS (RFC 8484): the query in a request, and for how long an answer is fresh. */
import { TYPE } from './codes.ts'
import { DnsMalformed } from './malformed.ts'
import { DnsMessage, HEADER_BYTES, MESSAGE_BYTES_MAX } from './message.ts'

export const DOH_MEDIA_TYPE = 'application/dns-message'

/** Why a request holds no query, as an answer of HTTP. */
export interface DohRefusal {
  readonly status: 400 | 405 | 413 | 415
  readonly detail: string
}

/** What a request asks. `query` is of the URL, without `?`; `contentType` and `body` count for POST. */
export function dohQuery(
  method: string,
  query: string,
  contentType: string | undefined,
  body: Buffer,
): Buffer | DohRefusal {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return fromQuery(query)
    case 'POST':
      return mediaTypeOf(contentType) === DOH_MEDIA_TYPE
        ? checked(body)
        : { status: 415, detail: `a query is ${DOH_MEDIA_TYPE}` }
    default:
      return { status: 405, detail: 'DNS over HTTPS takes GET and POST' }
  }
}

/** In base64url without padding (RFC 8484 §6); in padding nobody is hindered. */
function fromQuery(query: string): Buffer | DohRefusal {
  const text = new URLSearchParams(query).get('dns')
  if (text === null) return { status: 400, detail: 'GET takes a query as ?dns=…, in base64url' }
  // Four characters are three bytes.
  if (text.length > Math.ceil(MESSAGE_BYTES_MAX / 3) * 4) return TOO_LARGE
  if (!/^[A-Za-z0-9_-]*={0,2}$/.test(text)) return { status: 400, detail: '?dns= is not base64url' }
  return checked(Buffer.from(text, 'base64url'))
}

const TOO_LARGE: DohRefusal = { status: 413, detail: `a message has at most ${MESSAGE_BYTES_MAX} bytes` }

function checked(bytes: Buffer): Buffer | DohRefusal {
  if (bytes.length > MESSAGE_BYTES_MAX) return TOO_LARGE
  if (bytes.length < HEADER_BYTES) return { status: 400, detail: 'a query is shorter than its header' }
  return bytes
}

const mediaTypeOf = (contentType: string | undefined): string =>
  (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()

/**
 * Seconds that an answer may be kept by caches of HTTP: as long as all of its records (RFC 8484 §5.1), or as its SOA says where there is nothing of
 * what was asked (RFC 2308 §5). Zero for failures.
 */
export function freshSeconds(answer: Buffer): number {
  let message: DnsMessage
  try {
    message = DnsMessage.decode(answer)
  } catch (error) {
    if (error instanceof DnsMalformed) return 0
    throw error
  }
  if (message.isTruncated || (message.rcode !== 0 && message.rcode !== NXDOMAIN)) return 0
  let least = Infinity
  for (const { ttl } of message.answer) least = Math.min(least, ttl)
  if (message.answer.length === 0 || message.rcode === NXDOMAIN) {
    const soa = message.authority.find(({ type }) => type === TYPE.SOA)
    if (soa === undefined || soa.rdata.length < 4) return 0
    least = Math.min(least, soa.ttl, soa.rdata.readUInt32BE(soa.rdata.length - 4))
  }
  return least
}

const NXDOMAIN = 3
