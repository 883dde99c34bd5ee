/**
 * Field lines: the block of `name: value` lines in requests, responses and trailers.
 *
 * Two passes. The first walks the bytes once, refuses what is not exactly RFC 9112 §5 (obs-fold, space before the colon, bare CR or LF, control
 * characters), and notes where names and values lie. It makes nothing, so an incomplete or bad block costs little. The second cuts the names
 * and values out of one string of the whole head: substrings of it are cheaper than decoding each from the bytes.
 */
import { COLON, CR, LF, SPACE, TAB, TOKEN, VALUE } from './characters.ts'
import {
  CONNECTION,
  CONTENT_LENGTH,
  EXPECT,
  fieldName,
  FORWARDING,
  HOST,
  IMPOSTOR,
  TRANSFER_ENCODING,
  UPGRADE,
} from './field-names.ts'
import type { WireProblem } from './message.ts'
import { BARE_CR, BARE_LF, problem, TOO_MANY_FIELDS } from './problems.ts'

/** From `scanFields`: the block does not end in these bytes. */
export const INCOMPLETE = -1

const CONTROL = problem(400, 'control character in a field value')
const NO_NAME = problem(400, 'field line without a name')
const FOLDED = problem(400, 'field line that begins with a space (obsolete folding)')
const SPACE_BEFORE_COLON = problem(400, 'space before the colon of a field')
const BAD_NAME = problem(400, 'field name with a character that is not allowed')
const BAD_FIRST_LINE = problem(400, 'space before the first field')

/** Four positions a field line: start and end of its name, start and end of its value. Of the last block scanned. */
let spans = new Int32Array(4 * 128)
let spanCount = 0

/** Walks the block at `at`, the empty line included. Returns the index after it, `INCOMPLETE`, or what is wrong. */
export function scanFields(bytes: Buffer, at: number, end: number, countMax: number): number | WireProblem {
  let n = 0
  while (at < end) {
    if (bytes[at] === CR) {
      if (at + 1 === end) return INCOMPLETE
      if (bytes[at + 1] !== LF) return BARE_CR
      spanCount = n
      return at + 2
    }
    if (n === countMax * 4) return TOO_MANY_FIELDS
    if (n === spans.length) grow()

    const nameStart = at
    while (at < end && TOKEN[bytes[at]!] === 1) at++
    if (at === end) return INCOMPLETE
    if (bytes[at] !== COLON || at === nameStart) return nameProblem(bytes[at]!, at === nameStart, n === 0)
    const nameEnd = at++

    while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++
    const valueStart = at
    while (at < end && VALUE[bytes[at]!] === 1) at++
    if (at === end) return INCOMPLETE
    if (bytes[at] !== CR) return bytes[at] === LF ? BARE_LF : CONTROL
    let valueEnd = at++
    if (at === end) return INCOMPLETE
    if (bytes[at++] !== LF) return BARE_CR
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)) valueEnd--

    spans[n] = nameStart
    spans[n + 1] = nameEnd
    spans[n + 2] = valueStart
    spans[n + 3] = valueEnd
    n += 4
  }
  return INCOMPLETE
}

function grow(): void {
  const larger = new Int32Array(spans.length * 2)
  larger.set(spans)
  spans = larger
}

function nameProblem(byte: number, empty: boolean, first: boolean): WireProblem {
  if (byte === LF) return BARE_LF
  if (empty && byte === COLON) return NO_NAME
  if (empty && (byte === SPACE || byte === TAB)) return first ? BAD_FIRST_LINE : FOLDED
  if (byte === SPACE || byte === TAB) return SPACE_BEFORE_COLON
  return BAD_NAME
}

/** The fields of a block, and those among them that speak of the message itself. Several of one name are joined by `, `. */
export class Fields {
  readonly headers: string[] = []
  host: string | undefined = undefined
  hostCount = 0
  contentLength: string | undefined = undefined
  transferEncoding: string | undefined = undefined
  connection: string | undefined = undefined
  expect: string | undefined = undefined
  upgrade: string | undefined = undefined
  /** There is one that says where the message came from, or over whom. */
  hasForwarding = false
  /** Why servers may disagree whether a field is about framing. */
  doubt: string | undefined = undefined
}

/** Cuts out the fields of the block scanned last. `text` is Latin-1 and begins with the byte at `textStart`. */
export function readFields(text: string, textStart: number): Fields {
  const fields = new Fields()
  const headers = fields.headers
  for (let i = 0; i < spanCount; i += 4) {
    const { name, role } = fieldName(text.substring(spans[i]! - textStart, spans[i + 1]! - textStart))
    const value = text.substring(spans[i + 2]! - textStart, spans[i + 3]! - textStart)
    headers.push(name, value)
    if (role === 0) continue
    if (role === FORWARDING) fields.hasForwarding = true
    else if (role === UPGRADE) fields.upgrade = joined(fields.upgrade, value)
    if (role >= FORWARDING) continue
    note(fields, role, name, value)
    if (endsInTab(text, spans[i + 3]! - textStart)) fields.doubt = `${name} that ends in a tab`
  }
  return fields
}

/** White space, and allowed; but llhttp takes `chunked` and a tab for another coding than `chunked`. */
function endsInTab(text: string, valueEnd: number): boolean {
  return text.charCodeAt(valueEnd) !== CR && text.slice(valueEnd, text.indexOf('\r', valueEnd)).includes('\t')
}

function note(fields: Fields, role: number, name: string, value: string): void {
  switch (role) {
    case HOST:
      fields.host = value
      fields.hostCount++
      break
    case CONTENT_LENGTH:
      fields.contentLength = joined(fields.contentLength, value)
      break
    case TRANSFER_ENCODING:
      fields.transferEncoding = joined(fields.transferEncoding, value)
      break
    case CONNECTION:
      fields.connection = joined(fields.connection, value)
      break
    case EXPECT:
      fields.expect = joined(fields.expect, value)
      break
    case IMPOSTOR:
      fields.doubt = `${name}, which some servers take for a framing field`
      break
  }
}

/** RFC 9110 §5.3: several lines of one name are one list. */
function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`
}
