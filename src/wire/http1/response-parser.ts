/**
 * Parses the head of a response as strictly as that of a request: what an origin sends must have one meaning, or the bytes of one answer
 * could be taken for those of the next.
 */
import { CR, LF, SPACE, VALUE } from './characters.ts'
import { INCOMPLETE, readFields, scanFields, type Fields } from './fields.ts'
import { connectionOptions, declaredFraming, NO_BODY, UNTIL_CLOSE } from './framing.ts'
import { lookForHeadEnd } from './head-end.ts'
import type { Framing, HeaderList, HeadLimits, ResponseHead, WireProblem } from './message.ts'
import { BARE_LF, HEAD_TOO_LARGE, problem } from './problems.ts'

export type ResponseHeadResult =
  /** The body, or the next response, begins at `next`. */
  | { readonly kind: 'head'; readonly head: ResponseHead; readonly next: number }
  | { readonly kind: 'more' }
  | WireProblem

const MORE = { kind: 'more' } as const
const NOT_HTTP = problem(400, 'status line that does not begin with HTTP/1.1 or HTTP/1.0')
const BAD_STATUS = problem(400, 'status that is not three digits')
const BAD_REASON = problem(400, 'control character in the status line')

/** `HTTP/1.1 200` */
const STATUS_BYTES = 12

/**
 * Parses the head at `start` of the answer to a request with that method: the answer to HEAD has no body, whatever it says.
 * `scanned` is as for requests.
 */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  limits: Pick<HeadLimits, 'headBytes' | 'headerCount'>,
  method: string,
  scanned = 0,
): ResponseHeadResult {
  if (scanned > 0 && end - start <= limits.headBytes) {
    const seen = lookForHeadEnd(bytes, start, start + scanned, end)
    if (seen !== true) return seen ?? MORE
  }
  let at = start + STATUS_BYTES
  if (end < at) return isPrefix(bytes.toString('latin1', start, end)) ? MORE : NOT_HTTP
  const version = bytes.toString('latin1', start, start + 9)
  if (version !== 'HTTP/1.1 ' && version !== 'HTTP/1.0 ') return NOT_HTTP
  const minor = version === 'HTTP/1.1 ' ? 1 : 0
  const status = threeDigits(bytes, start + 9)
  if (status === -1) return BAD_STATUS

  // RFC 9112 §4 asks for a space even before an empty reason; some servers leave it out, and nothing is unclear.
  if (at < end && bytes[at] !== SPACE && bytes[at] !== CR) return bytes[at] === LF ? BARE_LF : BAD_STATUS
  while (at < end && VALUE[bytes[at]!] === 1) at++
  const reasonEnd = at
  if (at < end && bytes[at] !== CR) return bytes[at] === LF ? BARE_LF : BAD_REASON
  if (at + 1 < end && bytes[at + 1] !== LF) return BAD_REASON

  const fieldsStart = at + 2
  const next = fieldsStart >= end ? INCOMPLETE : scanFields(bytes, fieldsStart, end, limits.headerCount)
  if (typeof next !== 'number') return next
  if ((next === INCOMPLETE ? end : next) - start > limits.headBytes) return HEAD_TOO_LARGE
  if (next === INCOMPLETE) return MORE

  const text = bytes.toString('latin1', start, next)
  const head = buildHead(
    status,
    text.slice(STATUS_BYTES + 1, reasonEnd - start),
    minor,
    readFields(text, start),
    method,
  )
  return 'kind' in head ? head : { kind: 'head', head, next }
}

function isPrefix(text: string): boolean {
  return 'HTTP/1.1 '.startsWith(text.slice(0, 9)) || 'HTTP/1.0 '.startsWith(text.slice(0, 9))
}

/** A status from 100 to 999, or -1. */
function threeDigits(bytes: Buffer, at: number): number {
  const a = bytes[at]! - 0x30
  const b = bytes[at + 1]! - 0x30
  const c = bytes[at + 2]! - 0x30
  return a >= 1 && a <= 9 && b >= 0 && b <= 9 && c >= 0 && c <= 9 ? a * 100 + b * 10 + c : -1
}

function buildHead(
  status: number,
  reason: string,
  minor: 0 | 1,
  fields: Fields,
  method: string,
): ResponseHead | WireProblem {
  const declared = declaredFraming(fields, minor)
  if (declared?.kind === 'problem') return declared
  const options = connectionOptions(fields.connection, minor)
  if (options.kind === 'problem') return options

  const framing = framingOf(status, method, declared)
  // RFC 9110 §8.6 forbids a length here. Whoever sends one may send the bytes too, later, as if they were the next answer.
  const isBare = status < 200 || status === 204
  const isDoubtful = isBare && declared !== undefined && !isEmpty(declared)
  return {
    status,
    reason,
    minor,
    headers: isBare && declared !== undefined ? withoutFraming(fields.headers) : fields.headers,
    framing,
    keepAlive: options.keepAlive && framing.kind !== 'close' && !isDoubtful,
    nominated: options.nominated,
  }
}

/** RFC 9112 §6.3. */
function framingOf(status: number, method: string, declared: Framing | undefined): Framing {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return NO_BODY
  return declared ?? UNTIL_CLOSE
}

function isEmpty(framing: Framing): boolean {
  return framing.kind === 'length' && framing.bytes === 0
}

/** What would promise a body that does not come, to a client that believes it. */
function withoutFraming(headers: HeaderList): HeaderList {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name !== 'content-length' && name !== 'transfer-encoding') kept.push(name, headers[i + 1]!)
  }
  return kept
}
