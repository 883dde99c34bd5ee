/**
 * Finishes answers and writes them: what of a message is the server's business and no plugin's. The id, question and flags of the query, EDNS as far as
 * the client speaks it, what does not fit, and errors explained (RFC 8914).
 */
import { DnsMalformed } from '../../wire/dns/malformed.ts'
import { DnsMessage, HEADER_BYTES, MESSAGE_BYTES_MAX } from '../../wire/dns/message.ts'
import { writeMessage } from '../../wire/dns/message-writer.ts'
import { EXTENDED_ERROR, OPTION, RCODE, rcodeName, TYPE } from '../../wire/dns/codes.ts'
import type { EdnsOption } from '../../wire/dns/edns.ts'
import type { NothingWritten } from '../../contract/dns.ts'
import { OUR_UDP_SIZE, type ServerQuery } from '../query.ts'
import { isCookieLength, type ServerCookies } from './server-cookies.ts'

/** Blocks that answers over encrypted transports are padded to, so that their length says little (RFC 8467 §4.1). */
const PADDING_BLOCK = 468
/** Of texts of extended errors, so that they take no room from answers. */
const EXPLANATION_MAX = 200
/** An OPT record without options. */
const OPT_BYTES = 11
/** Of what `writeRefusal` writes. */
export const REFUSAL_BYTES_MAX = HEADER_BYTES + OPT_BYTES

/** What goes with all answers at an endpoint. */
export interface AnswerSurroundings {
  readonly cookies: ServerCookies
  /** Milliseconds for which an idle connection is kept: told to those who ask (RFC 7828). */
  readonly idleMs: number
}

/**
 * Writes the answer to `query` into `into` from its beginning, and returns its length. `into` has room for the most that the answer may have, and some more.
 */
export function writeAnswer(
  query: ServerQuery,
  outcome: DnsMessage | NothingWritten,
  into: Buffer,
  around: AnswerSurroundings,
): number {
  const message = finished(query, outcome, around)
  const sizeMax = Math.min(query.size(), MESSAGE_BYTES_MAX) - (query.signature?.bytes ?? 0)
  if (!mustPad(query)) return writeMessage(message, into, sizeMax)
  // The padding is the last option: its length is known once all else is written.
  const bare = writeMessage(message, into, sizeMax)
  const padded = Math.min(Math.ceil((bare + 4) / PADDING_BLOCK) * PADDING_BLOCK, sizeMax)
  if (padded < bare + 4) return bare
  message.edns!.options.push({ code: OPTION.PADDING, data: Buffer.alloc(padded - bare - 4) })
  return writeMessage(message, into, sizeMax)
}

/**
 * Writes the least that can be answered, for whoever may not have asked: come again over TCP, or with the cookie that is in there. No record and no
 * explanation, so that it is hardly larger than the question.
 */
export function writeTruncated(
  query: ServerQuery,
  rcode: number,
  into: Buffer,
  { cookies }: AnswerSurroundings,
): number {
  const message = query.reply(rcode & 0x0f)
  message.isTruncated = true
  const cookie = query.asked.edns?.options.find(({ code }) => code === OPTION.COOKIE)
  if (cookie)
    message.edns!.options.push({
      code: OPTION.COOKIE,
      data: cookies.answer(cookie.data, query.addressBytes()),
    })
  return writeMessage(message, into, query.size() - (query.signature?.bytes ?? 0))
}

/** Only where it is encrypted, and the client pads as well (RFC 7830 §3). */
const mustPad = ({ transport, asked }: ServerQuery): boolean =>
  transport !== 'dns' && asked.edns !== undefined && has(asked.edns.options, OPTION.PADDING)

const has = (options: readonly EdnsOption[], wanted: number): boolean =>
  options.some(({ code }) => code === wanted)

function finished(
  query: ServerQuery,
  outcome: DnsMessage | NothingWritten,
  around: AnswerSurroundings,
): DnsMessage {
  const { asked } = query
  let message = typeof outcome === 'number' ? query.reply(outcome) : outcome
  const question = message.question[0]
  const isQuestionOurs =
    asked.isWithoutQuestion === true
      ? question === undefined
      : question?.name === query.qname && question.type === query.qtype
  const isTheirs =
    message.id === asked.id && isQuestionOurs && (message.edns !== undefined) === (asked.edns !== undefined)
  if (!isTheirs || (asked.edns && needsOptions(query, message))) {
    // Others may hold it.
    message = message.copy()
    message.id = asked.id
    message.question =
      asked.isWithoutQuestion === true ? [] : [{ name: query.qname, type: query.qtype, class: query.qclass }]
    query.sizeAndDo(message)
    if (message.edns) addOptions(query, message, message.edns.options, around)
  }
  message.isResponse = true
  if (!message.edns && message.rcode > 0x0f) message.rcode = RCODE.SERVFAIL
  if (query.qtype === TYPE.ANY && query.mayBeForged) return minimalAny(message)
  return message
}

function needsOptions(query: ServerQuery, { rcode }: DnsMessage): boolean {
  const { options } = query.asked.edns!
  return (
    query.explanations.length > 0 ||
    isFailure(rcode) ||
    query.explainsAll ||
    options.some(({ code }) => ANSWERED.has(code))
  )
}

const ANSWERED: ReadonlySet<number> = new Set([OPTION.COOKIE, OPTION.TCP_KEEPALIVE])

const isFailure = (rcode: number): boolean =>
  rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED || rcode === RCODE.FORMERR || rcode === RCODE.NOTIMP

function addOptions(
  query: ServerQuery,
  message: DnsMessage,
  into: EdnsOption[],
  around: AnswerSurroundings,
): void {
  const { options } = query.asked.edns!
  for (const { code, data } of options) {
    // The first of a kind is the one that was validated (RFC 7873 §5.2): more of them would only make the answer larger than the question.
    if (has(into, code)) continue
    if (code === OPTION.COOKIE) {
      // One that is malformed is nothing to build on: its answer is FORMERR (RFC 7873 §5.2.2).
      if (isCookieLength(data.length))
        into.push({ code, data: around.cookies.answer(data, query.addressBytes()) })
    } else if (code === OPTION.TCP_KEEPALIVE && query.proto() === 'tcp')
      into.push({ code, data: tenths(around.idleMs) })
  }
  if (has(into, OPTION.EXTENDED_ERROR)) return
  const who = query.answeredBy || 'server'
  for (const { error, text } of query.explanations)
    into.push(extendedError(EXTENDED_ERROR[error], saidBy(who, text)))
  if (query.explanations.length === 0 && (isFailure(message.rcode) || query.explainsAll))
    into.push(extendedError(EXTENDED_ERROR.other, `${who}: ${rcodeName(message.rcode)}`))
}

/** What says enough by its code has no text. */
const saidBy = (who: string, text: string): string =>
  text === '' ? who : text.startsWith(`${who}:`) ? text : `${who}: ${text}`

/** In units of 100 ms (RFC 7828 §3.1). */
function tenths(ms: number): Buffer {
  const data = Buffer.alloc(2)
  data.writeUInt16BE(Math.min(Math.floor(ms / 100), 0xffff))
  return data
}

function extendedError(code: number, text: string): EdnsOption {
  const data = Buffer.alloc(2 + Buffer.byteLength(text))
  data.writeUInt16BE(code)
  data.write(text, 2)
  let end = Math.min(data.length, 2 + EXPLANATION_MAX)
  // Texts are UTF-8 (RFC 8914 §2): none ends within a character.
  while (end < data.length && (data[end]! & 0xc0) === 0x80) end--
  return { code: OPTION.EXTENDED_ERROR, data: data.subarray(0, end) }
}

/** One set of records of all that the name has: enough for whoever asks, and little for whoever has it sent to others (RFC 8482 §4.1). */
function minimalAny(message: DnsMessage): DnsMessage {
  const [first] = message.answer
  if (!first || message.answer.every(({ type }) => type === first.type)) return message
  const minimal = message.copy()
  minimal.answer = message.answer.filter(
    ({ type, name }) => type === first.type && name.key === first.name.key,
  )
  minimal.additional = []
  return minimal
}

/**
 * The answer to what could not be read, or is no question: the header alone, with what of it is known. Returns its length.
 *
 * OPT goes with it where the packet has one: without it we would say that we do not know EDNS, and be asked without from then on (RFC 6891 §7).
 */
export function writeRefusal(bytes: Buffer, from: number, to: number, rcode: number, into: Buffer): number {
  into.fill(0, 0, HEADER_BYTES)
  bytes.copy(into, 0, from, from + 4)
  // QR set, opcode and RD as they came, all else cleared.
  into[2] = 0x80 | (into[2]! & 0x79)
  into[3] = rcode & 0x0f
  const additionals = bytes.readUInt16BE(from + 10)
  if (additionals === 0 || !hasEdns(bytes.subarray(from, to))) return HEADER_BYTES
  into[11] = 1
  into.fill(0, HEADER_BYTES, HEADER_BYTES + OPT_BYTES)
  into.writeUInt16BE(TYPE.OPT, HEADER_BYTES + 1)
  into.writeUInt16BE(OUR_UDP_SIZE, HEADER_BYTES + 3)
  return HEADER_BYTES + OPT_BYTES
}

function hasEdns(message: Buffer): boolean {
  try {
    return DnsMessage.decode(message).edns !== undefined
  } catch (error) {
    if (error instanceof DnsMalformed) return false
    throw error
  }
}
