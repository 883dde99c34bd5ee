/**
 * Parses the head of an HTTP/1.1 request, strictly: what two servers could read differently is refused, and the connection closes.
 *
 * Nothing is made until the whole head has arrived and was found sound. A client on a kept connection sends nearly the same
 * fields with each request, so a `HeadMemo` holds the last block of them and what it meant: comparing a block costs a tenth of parsing it.
 * See request-parser.bench.ts; request-parser.fuzz.ts compares with llhttp.
 */
import { parseAuthority } from './authority.ts'
import { BACKSLASH, CR, LF, METHOD, QUESTION_MARK, SLASH, SPACE, TARGET } from './characters.ts'
import { INCOMPLETE, readFields, scanFields, type Fields } from './fields.ts'
import { lookForHeadEnd } from './head-end.ts'
import { connectionOptions, declaredFraming, NO_BODY } from './framing.ts'
import type { HeadLimits, RequestHead, WireProblem } from './message.ts'
import { BARE_CR, BARE_LF, HEAD_TOO_LARGE, problem } from './problems.ts'
import { parseTarget } from './request-target.ts'
import { serialiseHeaders, serialiseRequestLine } from './serialise.ts'

export type { HeadLimits } from './message.ts'

export type RequestHeadResult =
  /** The body, or the next request, begins at `next`. */
  | { readonly kind: 'head'; readonly head: RequestHead; readonly next: number }
  /** So far sound, and not whole. */
  | { readonly kind: 'more' }
  | WireProblem

/** The last block of fields of a connection, with the head it was part of. Make one a connection. */
export class HeadMemo {
  block = ''
  head: RequestHead | undefined = undefined
}

/** A longer head is not remembered: an idle connection would hold on to all of it. */
const MEMO_HEAD_BYTES_MAX = 4096

const MORE = { kind: 'more' } as const

const NO_METHOD = problem(400, 'request line that does not begin with a method')
const LONG_METHOD = problem(501, 'method too long')
const BAD_TARGET = problem(400, 'character that is not allowed in a request target')
const TARGET_TOO_LONG = problem(414, 'request target too long')
const BAD_VERSION = problem(400, 'request line that does not end in an HTTP version')
const OTHER_VERSION = problem(505, 'only HTTP/1.1 and HTTP/1.0 are spoken on this connection')
const NO_HOST = problem(400, 'no Host')
const TWO_HOSTS = problem(400, 'two Host')
const BAD_HOST = problem(400, 'malformed Host')
const BAD_EXPECT = problem(417, 'Expect other than 100-continue')

/** The longest registered method, UPDATEREDIRECTREF, has 17 letters. */
const METHOD_BYTES_MAX = 32

/** Where the parts of the request line scanned last lie. */
const line: { methodEnd: number; targetEnd: number; minor: 0 | 1; next: number } = {
  methodEnd: 0,
  targetEnd: 0,
  minor: 1,
  next: 0,
}

/**
 * Parses the head at `start`. `scanned` bytes from there were handed in before, when the answer was `more`: with it, a head that
 * drips in costs one look at each byte.
 */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
  memo?: HeadMemo,
  scanned = 0,
): RequestHeadResult {
  if (scanned > 0 && end - start <= limits.headBytes) {
    const seen = lookForHeadEnd(bytes, start, start + scanned, end)
    if (seen !== true) return seen ?? MORE
  }
  // RFC 9112 §2.2: an empty line before a request is ignored; one is enough.
  const first = bytes[start] === CR && end - start > 1 && bytes[start + 1] === LF ? start + 2 : start
  const bad = scanRequestLine(bytes, first, end, limits)
  if (bad !== undefined) return bad === MORE && end - start > limits.headBytes ? HEAD_TOO_LARGE : bad

  if (
    memo?.head !== undefined &&
    line.next + memo.block.length + 2 <= Math.min(end, start + limits.headBytes)
  ) {
    const repeated = parseRepeated(bytes, first, memo.block, memo.head)
    if (repeated !== undefined) return repeated
  }
  const next = scanFields(bytes, line.next, end, limits.headerCount)
  if (typeof next !== 'number') return next
  if ((next === INCOMPLETE ? end : next) - start > limits.headBytes) return HEAD_TOO_LARGE
  if (next === INCOMPLETE) return MORE

  const raw = bytes.toString('latin1', first, next - 2)
  const head = buildHead(raw, first, readFields(raw, first))
  if ('kind' in head) return head
  if (memo !== undefined) {
    const isKept = raw.length <= MEMO_HEAD_BYTES_MAX && isOriginForm(bytes, head.method)
    memo.block = isKept ? raw.substring(line.next - first) : ''
    memo.head = isKept ? head : undefined
  }
  return { kind: 'head', head, next }
}

/** Checks `METHOD TARGET HTTP/1.x CRLF` and notes its parts in `line`. Undefined: it is sound. */
function scanRequestLine(
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): WireProblem | typeof MORE | undefined {
  let at = start
  while (at < end && METHOD[bytes[at]!] === 1) at++
  if (at - start > METHOD_BYTES_MAX) return LONG_METHOD
  if (at === end) return MORE
  if (at === start || bytes[at] !== SPACE) return methodProblem(bytes, at, start, end)
  line.methodEnd = at++

  const targetStart = at
  while (at < end && (TARGET[bytes[at]!] === 1 || isBackslashInQuery(bytes, targetStart, at))) at++
  if (at - targetStart > limits.targetBytes) return TARGET_TOO_LONG
  if (at === end) return MORE
  if (bytes[at] !== SPACE) return bytes[at] === LF ? BARE_LF : bytes[at] === CR ? BAD_VERSION : BAD_TARGET
  if (at === targetStart) return BAD_TARGET
  line.targetEnd = at

  // ` HTTP/1.x` and CRLF.
  if (end - at < 11) return partialVersion(bytes, at, end)
  if (
    bytes[at + 1] === 0x48 &&
    bytes[at + 2] === 0x54 &&
    bytes[at + 3] === 0x54 &&
    bytes[at + 4] === 0x50 &&
    bytes[at + 5] === 0x2f &&
    bytes[at + 6] === 0x31 &&
    bytes[at + 7] === 0x2e &&
    (bytes[at + 8] === 0x31 || bytes[at + 8] === 0x30) &&
    bytes[at + 9] === CR &&
    bytes[at + 10] === LF
  ) {
    line.minor = bytes[at + 8] === 0x31 ? 1 : 0
    line.next = at + 11
    return undefined
  }
  return versionProblem(bytes.toString('latin1', at + 1, at + 11))
}

function isBackslashInQuery(bytes: Buffer, targetStart: number, at: number): boolean {
  if (bytes[at] !== BACKSLASH) return false
  const mark = bytes.indexOf(QUESTION_MARK, targetStart)
  return mark !== -1 && mark < at
}

function methodProblem(bytes: Buffer, at: number, start: number, end: number): WireProblem | typeof MORE {
  if (at > start) return NO_METHOD
  if (bytes[at] === LF) return BARE_LF
  if (bytes[at] === CR) return end - at === 1 ? MORE : bytes[at + 1] === LF ? NO_METHOD : BARE_CR
  return NO_METHOD
}

function partialVersion(bytes: Buffer, at: number, end: number): WireProblem | typeof MORE {
  const text = bytes.toString('latin1', at + 1, end)
  if (text.includes('\n')) return versionProblem(text)
  return 'HTTP/1.1\r'.startsWith(text) || 'HTTP/1.0\r'.startsWith(text) ? MORE : versionProblem(text)
}

function versionProblem(text: string): WireProblem {
  if (/^HTTP\/1\.[01]\n/.test(text)) return BARE_LF
  if (/^HTTP\/1\.[01]\r/.test(text)) return BARE_CR
  return /^HTTP\/\d(?:\.\d)?\r/.test(text) ? OTHER_VERSION : BAD_VERSION
}

/** Does the target scanned last need no parsing? */
function isOriginForm(bytes: Buffer, method: string): boolean {
  return bytes[line.methodEnd + 1] === SLASH && method !== 'CONNECT'
}

/** The head, if its fields are to the byte those of the one before. A sound block holds no empty line, so its end is the same too. */
function parseRepeated(
  bytes: Buffer,
  start: number,
  block: string,
  before: RequestHead,
): RequestHeadResult | undefined {
  const blockEnd = line.next + block.length
  if (bytes[blockEnd] !== CR || bytes[blockEnd + 1] !== LF || before.minor !== line.minor) return undefined
  const raw = bytes.toString('latin1', start, blockEnd)
  if (raw.substring(line.next - start) !== block) return undefined
  const method = methodName(raw.substring(0, line.methodEnd - start))
  if (!isOriginForm(bytes, method)) return undefined
  const target = raw.substring(line.methodEnd + 1 - start, line.targetEnd - start)
  const mark = target.indexOf('?')
  const head: RequestHead = {
    method,
    target,
    path: mark === -1 ? target : target.substring(0, mark),
    query: mark === -1 ? '' : target.substring(mark + 1),
    authority: before.authority,
    host: before.host,
    minor: before.minor,
    headers: before.headers,
    raw,
    framing: before.framing,
    keepAlive: before.keepAlive,
    expectContinue: before.expectContinue,
    nominated: before.nominated,
    hasForwarding: before.hasForwarding,
    upgrade: before.upgrade,
  }
  return { kind: 'head', head, next: blockEnd + 2 }
}

/** Judges the fields and puts the head together. */
function buildHead(received: string, start: number, fields: Fields): RequestHead | WireProblem {
  const { minor } = line
  const method = methodName(received.substring(0, line.methodEnd - start))
  const form = received.substring(line.methodEnd + 1 - start, line.targetEnd - start)

  // RFC 9112 §3.2: exactly one in HTTP/1.1, also beside a target in absolute form; HTTP/1.0 may have none.
  if (fields.hostCount > 1) return TWO_HOSTS
  if (fields.host === undefined && minor === 1) return NO_HOST
  const named = parseAuthority(fields.host ?? '')
  if (named === undefined) return BAD_HOST

  const framing = declaredFraming(fields, minor) ?? NO_BODY
  if (framing.kind === 'problem') return framing
  const options = connectionOptions(fields.connection, minor)
  if (options.kind === 'problem') return options
  if (fields.expect !== undefined && !/^100-continue$/i.test(fields.expect)) return BAD_EXPECT

  let target = form
  let authority = named
  let raw = received
  if (form.charCodeAt(0) !== SLASH || method === 'CONNECT') {
    const parsed = parseTarget(method, form)
    if (parsed.kind === 'problem') return parsed
    target = parsed.target
    if (parsed.authority !== undefined) {
      authority = parsed.authority
      setHost(fields.headers, authority.authority)
      raw = serialiseRequestLine(method, target, minor) + serialiseHeaders(fields.headers)
    }
  }
  const mark = target.indexOf('?')
  return {
    method,
    target,
    path: mark === -1 ? target : target.substring(0, mark),
    query: mark === -1 ? '' : target.substring(mark + 1),
    authority: authority.authority,
    host: authority.host,
    minor,
    headers: fields.headers,
    raw,
    framing,
    keepAlive: options.keepAlive,
    // RFC 9110 §10.1.1: an expectation in HTTP/1.0 is ignored; without a body there is nothing to wait for.
    expectContinue: fields.expect !== undefined && minor === 1 && framing.kind !== 'none',
    nominated: options.nominated,
    hasForwarding: fields.hasForwarding,
    // RFC 9110 §7.8: it counts where `Connection` names it, and not in HTTP/1.0.
    upgrade: minor === 1 && options.nominated.includes('upgrade') ? fields.upgrade : undefined,
  }
}

/** RFC 9112 §3.2.2: the authority of a target in absolute form replaces the received `Host`. */
function setHost(headers: string[], authority: string): void {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text === 'host')
  if (at === -1) headers.unshift('host', authority)
  else headers[at + 1] = authority
}

const METHODS = new Map(
  ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'].map((method) => [method, method]),
)

/** One string for each common method, so that comparing it later compares addresses. */
function methodName(text: string): string {
  return METHODS.get(text) ?? text
}
