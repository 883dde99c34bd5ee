/**
 * What a unit answered, read from its lines (see `sandbox/protocol.ts`) and made a message.
 *
 * Nothing of it is believed: the lines come out of an isolate that is the unit's. What was read of short lines is kept, since units give the same
 * few answers again and again, and to read a record costs more than all the rest of an answer.
 */
import type { DnsQuery } from '../../contract/dns.ts'
import { parseClass, parseRcode, parseType, RCODE } from '../../wire/dns/codes.ts'
import type { DnsMessage } from '../../wire/dns/message.ts'
import { DnsName, DnsNameError } from '../../wire/dns/name.ts'
import { parseRdata, RdataError } from '../../wire/dns/rdata-text.ts'
import { DnsRecord } from '../../wire/dns/record.ts'

/** Seconds that a record without a TTL of its own may be kept. */
const DEFAULT_TTL = 60
/** Seconds (RFC 2181 §8). */
const TTL_MAX = 0x7fff_ffff
/** Answers that are kept, and how many characters the text of one has at most. */
const KEPT_MAX = 2048
const KEPT_TEXT_MAX = 512

/** An answer for any name: owners that are undefined are the name that was asked for. */
export interface UnitAnswer {
  readonly kind: 'answer'
  readonly rcode: number
  readonly isAuthoritative: boolean
  readonly answer: readonly AnsweredRecord[]
  readonly authority: readonly AnsweredRecord[]
  readonly additional: readonly AnsweredRecord[]
}

interface AnsweredRecord {
  readonly name: DnsName | undefined
  readonly type: number
  readonly class: number | undefined
  readonly ttl: number
  readonly rdata: Buffer
}

/** What is asked in place of the query; undefined: as the client has it. */
export interface UnitAsk {
  readonly kind: 'ask'
  readonly name: DnsName | undefined
  readonly type: number | undefined
}

/** It was not in form: what is wrong, for the unit's author. */
export class UnitAnswerError extends Error {}

export class UnitAnswers {
  readonly #kept = new Map<string, UnitAnswer | UnitAsk>()

  /** Throws `UnitAnswerError`. */
  parse(text: string): UnitAnswer | UnitAsk {
    const known = this.#kept.get(text)
    if (known !== undefined) return known
    const parsed = parse(text)
    if (text.length <= KEPT_TEXT_MAX) {
      if (this.#kept.size >= KEPT_MAX) this.#kept.clear()
      // In memory of its own: what came is a part of all that the sandbox said.
      this.#kept.set(Buffer.from(text, 'utf16le').toString('utf16le'), parsed)
    }
    return parsed
  }
}

/** The message for this query. */
export function messageOf(query: DnsQuery, parsed: UnitAnswer): DnsMessage {
  const message = query.reply(parsed.rcode)
  message.isAuthoritative = parsed.isAuthoritative
  for (const record of parsed.answer) message.answer.push(recordOf(query, record))
  for (const record of parsed.authority) message.authority.push(recordOf(query, record))
  for (const record of parsed.additional) message.additional.push(recordOf(query, record))
  return message
}

const recordOf = (query: DnsQuery, { name, type, ttl, rdata, class: klass }: AnsweredRecord): DnsRecord =>
  new DnsRecord(name ?? query.qname, type, ttl, rdata, klass ?? query.qclass)

function parse(text: string): UnitAnswer | UnitAsk {
  const [head = '', ...lines] = text.split('\n')
  const [kind, first = '', second = ''] = head.split(' ')
  if (kind === 'q') return parseAsk(first, second)
  if (kind !== 'a' || lines.pop() !== '') throw new UnitAnswerError('its answer is not in form')
  const rcode = parseRcode(first)
  if (rcode === undefined) {
    const known = Object.keys(RCODE).slice(0, 6).join(', ')
    throw new UnitAnswerError(`rcode ${shown(first)} is none: expected ${known}…`)
  }
  const sections = {
    n: [] as AnsweredRecord[],
    u: [] as AnsweredRecord[],
    x: [] as AnsweredRecord[],
  }
  for (const line of lines) {
    const section = sections[line.slice(0, 1) as keyof typeof sections]
    if (section === undefined) throw new UnitAnswerError('its answer is not in form')
    section.push(parseLine(line.slice(1)))
  }
  const { n: answer, u: authority, x: additional } = sections
  return { kind: 'answer', rcode, isAuthoritative: second === '1', answer, authority, additional }
}

function parseAsk(type: string, name: string): UnitAsk {
  const parsed = type === '-' ? undefined : parseType(type)
  if (parsed === undefined && type !== '-')
    throw new UnitAnswerError(`ask.type ${shown(type)} is no type: expected one such as "A" or "TXT"`)
  return { kind: 'ask', name: name === '-' ? undefined : nameOf(name, 'ask.name'), type: parsed }
}

/** `[NAME.] [TTL] [CLASS] TYPE DATA`: TTL and class in either order, as RFC 1035 §5.1 has them. */
function parseLine(given: string): AnsweredRecord {
  const line = given.trim()
  let at = 0
  const word = (): string => {
    const end = line.indexOf(' ', at)
    return end < 0 ? line.slice(at) : line.slice(at, end)
  }
  const skip = (text: string): void => {
    at += text.length
    while (line.charCodeAt(at) === 32) at += 1
  }
  let name: DnsName | undefined
  const owner = word()
  if (owner === '@' || owner.endsWith('.')) {
    if (owner !== '@') name = nameOf(owner, 'the name of a record')
    skip(owner)
  }
  let ttl = DEFAULT_TTL
  let klass: number | undefined
  for (let times = 0; times < 2; times++) {
    const next = word()
    if (/^\d+$/.test(next)) {
      ttl = Number(next)
      if (ttl > TTL_MAX)
        throw new UnitAnswerError(`record ${shown(line)}: a TTL is at most ${TTL_MAX} seconds`)
    } else {
      const found = parseType(next) === undefined ? parseClass(next) : undefined
      if (found === undefined) break
      klass = found
    }
    skip(next)
  }
  const type = word()
  const number = parseType(type)
  if (number === undefined)
    throw new UnitAnswerError(
      `record ${shown(line)}: ${shown(type)} is no type; expected [NAME.] [TTL] TYPE DATA, such as "60 A 192.0.2.1" (a name ends with a dot)`,
    )
  skip(type)
  return {
    name,
    type: number,
    class: klass,
    ttl,
    rdata: dataOf(number, type, line.slice(at), line),
  }
}

function dataOf(type: number, typeText: string, data: string, line: string): Buffer {
  try {
    return parseRdata(type, data)
  } catch (error) {
    if (!(error instanceof RdataError)) throw error
    throw new UnitAnswerError(`record ${shown(line)}: ${typeText}: ${error.message}`)
  }
}

function nameOf(text: string, what: string): DnsName {
  try {
    return DnsName.parse(text)
  } catch (error) {
    if (!(error instanceof DnsNameError)) throw error
    throw new UnitAnswerError(`${what}: ${error.message}`)
  }
}

const SHOWN_MAX = 100

const shown = (text: string): string =>
  JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text)
