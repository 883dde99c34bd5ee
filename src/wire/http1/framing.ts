/**
 * Where a message's body ends, and whether the connection outlives it. RFC 9112 §6 and §9.3.
 *
 * Stricter than the RFC wherever it lets a recipient choose: two servers that choose differently are what request smuggling is made of.
 */
import type { Fields } from './fields.ts'
import type { Framing, WireProblem } from './message.ts'
import { problem } from './problems.ts'

export const NO_BODY: Framing = { kind: 'none' }
export const CHUNKED: Framing = { kind: 'chunked' }
export const UNTIL_CLOSE: Framing = { kind: 'close' }
const EMPTY_BODY: Framing = { kind: 'length', bytes: 0 }

const BOTH = problem(400, 'both Content-Length and Transfer-Encoding')
const SEVERAL_LENGTHS = problem(400, 'several Content-Length')
const BAD_LENGTH = problem(400, 'Content-Length that is not a number')
const OLD_CHUNKED = problem(400, 'Transfer-Encoding in HTTP/1.0')
const BAD_CODING = problem(400, 'Transfer-Encoding that is not exactly chunked')
const UNKNOWN_CODING = problem(501, 'Transfer-Encoding other than chunked')
const BAD_CONNECTION = problem(400, 'Connection that is not a list of names')

/** Framing as the fields say it; undefined where they say nothing. */
export function declaredFraming(fields: Fields, minor: 0 | 1): Framing | WireProblem | undefined {
  const { contentLength, transferEncoding } = fields
  if (fields.doubt !== undefined) return problem(400, fields.doubt)
  if (transferEncoding !== undefined) {
    if (contentLength !== undefined) return BOTH
    // RFC 9112 §6.1: HTTP/1.0 has no transfer codings, so somebody on the way did not understand it.
    if (minor === 0) return OLD_CHUNKED
    return /^chunked$/i.test(transferEncoding) ? CHUNKED : codingProblem(transferEncoding)
  }
  return contentLength === undefined ? undefined : lengthFraming(contentLength)
}

function lengthFraming(text: string): Framing | WireProblem {
  if (text === '0') return EMPTY_BODY
  // 15 digits stay below 2^53, where numbers are exact.
  if (/^\d{1,15}$/.test(text)) return { kind: 'length', bytes: Number(text) }
  return text.includes(',') ? SEVERAL_LENGTHS : BAD_LENGTH
}

/** RFC 9112 §6.1 asks for 501 where a coding is not understood, §6.3 for 400 where `chunked` is not the last. */
function codingProblem(text: string): WireProblem {
  const codings = text.toLowerCase().split(/[ \t]*,[ \t]*/)
  const last = codings.pop()
  const understood = codings.every((coding) => /^[\w!#$%&'*+.^`|~-]+$/.test(coding) && coding !== 'chunked')
  return last === 'chunked' && understood ? UNKNOWN_CODING : BAD_CODING
}

/** What `Connection` says. `nominated` names fields that are for this connection alone. */
export interface ConnectionOptions {
  readonly kind: 'options'
  readonly keepAlive: boolean
  readonly nominated: readonly string[]
}

const NONE: readonly string[] = []
const KEEP: ConnectionOptions = { kind: 'options', keepAlive: true, nominated: NONE }
const CLOSE: ConnectionOptions = { kind: 'options', keepAlive: false, nominated: NONE }

/**
 * Fields that travel to the end whatever `Connection` says of them. A client that nominates `host`, `cookie` or `x-forwarded-for`
 * wants a check behind the edge to miss it; RFC 9110 §7.6.1 forbids nominating fields that are for all recipients.
 */
const NEVER_NOMINATED = new Set(
  `host content-length content-type content-encoding content-range content-language content-location authorization cookie
  set-cookie www-authenticate cache-control expires age date vary etag last-modified location pragma via forwarded x-forwarded-for x-forwarded-host
  x-forwarded-proto x-real-ip x-request-id range if-range if-match if-none-match if-modified-since if-unmodified-since expect
  max-forwards origin referer accept accept-encoding accept-language allow retry-after`.split(/\s+/),
)

/** RFC 9112 §9.3: HTTP/1.1 stays open unless told to close, HTTP/1.0 closes unless told to stay. */
export function connectionOptions(value: string | undefined, minor: 0 | 1): ConnectionOptions | WireProblem {
  if (value === undefined) return minor === 1 ? KEEP : CLOSE
  if (value === 'keep-alive' || value === 'Keep-Alive') return KEEP
  if (value === 'close') return CLOSE
  let close = false
  let keep = false
  const nominated: string[] = []
  for (const part of value.toLowerCase().split(',')) {
    // Blanks of HTTP alone: `trim` would take a no-break space (byte A0) for one, which others do not.
    const option = part.replace(/^[\t ]+|[\t ]+$/g, '')
    if (option === 'close') close = true
    else if (option === 'keep-alive') keep = true
    else if (option === '') continue // RFC 9110 §5.6.1.2: empty elements of a list mean nothing.
    else if (!/^[\w!#$%&'*+.^`|~-]+$/.test(option)) return BAD_CONNECTION
    else if (!NEVER_NOMINATED.has(option)) nominated.push(option)
  }
  return { kind: 'options', keepAlive: !close && (minor === 1 || keep), nominated }
}
