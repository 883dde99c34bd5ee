/**
 * What the handler `dns` returned, as the lines that cross (see `protocol.ts`).
 *
 * Only the form is looked at here, so that the author reads what is wrong with it; whether a record is one is the worker's to say, who has to
 * check it anyway.
 */
import { describe, quoted } from './fields.ts'
import { charCodeAt, indexOf, isArray, isInteger, numberToString } from './primordials.ts'

/** Records of one answer: more than a message of 64 KiB holds. */
const RECORDS_MAX = 4096

const EXPECTED =
  'return nothing, a list of records, { ask: { name, type } }, or { rcode, answer, authority, additional, aa }'

/** The lines of what was returned. Throws where it is none of what may be returned. */
export function dnsAnswerText(result: unknown): string {
  if (typeof result !== 'object' || result === null)
    throw new TypeError(`dns returned ${describe(result)}; ${EXPECTED}`)
  if (isArray(result)) return `a NOERROR 1\n${recordLines('n', result, 'the list')}`
  const { ask, rcode, aa, answer, authority, additional } = result as Record<string, unknown>
  if (ask !== undefined) return askLine(ask)
  if (rcode === undefined && answer === undefined && authority === undefined && additional === undefined)
    throw new TypeError(`dns returned an object without answer, rcode or ask; ${EXPECTED}`)
  return (
    `a ${rcode === undefined ? 'NOERROR' : word(rcode, 'rcode', '"NXDOMAIN"')} ${aa === false ? 0 : 1}\n` +
    recordLines('n', answer, 'answer') +
    recordLines('u', authority, 'authority') +
    recordLines('x', additional, 'additional')
  )
}

function askLine(ask: unknown): string {
  if (typeof ask !== 'object' || ask === null)
    throw new TypeError(`ask is ${describe(ask)}; expected { name, type }`)
  const { name, type } = ask as Record<string, unknown>
  if (name === undefined && type === undefined)
    throw new TypeError('ask names nothing: expected a name, a type, or both')
  const asked = name === undefined ? '-' : word(name, 'ask.name', '"www.example.org"')
  return `q ${type === undefined ? '-' : word(type, 'ask.type', '"A"')} ${asked}\n`
}

function recordLines(section: string, records: unknown, what: string): string {
  if (records === undefined) return ''
  if (!isArray(records))
    throw new TypeError(`${what} is ${describe(records)}; expected a list of records such as "A 192.0.2.1"`)
  if (records.length > RECORDS_MAX)
    throw new RangeError(`${what} has ${records.length} records: an answer has at most ${RECORDS_MAX}`)
  let lines = ''
  for (let i = 0; i < records.length; i++) {
    const record: unknown = records[i]
    lines += section + (typeof record === 'string' ? line(record, what) : recordText(record, what)) + '\n'
  }
  return lines
}

function recordText(record: unknown, what: string): string {
  if (typeof record !== 'object' || record === null)
    throw new TypeError(
      `${what} holds ${describe(record)}; a record is text such as "A 192.0.2.1", or { type, data }`,
    )
  const { name, ttl, type, data } = record as Record<string, unknown>
  let text = ''
  if (name !== undefined) {
    text = word(name, 'name of a record', '"www.example.org"')
    // Where the first word of a line is a name, a dot at its end says so.
    text += charCodeAt(text, text.length - 1) === 46 ? ' ' : '. '
  }
  if (ttl !== undefined) {
    if (!isInteger(ttl) || (ttl as number) < 0)
      throw new TypeError(`ttl of a record is ${describe(ttl)}; expected whole seconds from 0`)
    text += `${numberToString(ttl as number)} `
  }
  text += `${word(type, 'type of a record', '"A"')} `
  if (isArray(data)) {
    for (let i = 0; i < data.length; i++) text += `${i === 0 ? '' : ' '}${inQuotes(data[i])}`
    return text
  }
  if (typeof data !== 'string')
    throw new TypeError(
      `data of a record is ${describe(data)}; expected text as in a zone file, such as "192.0.2.1"`,
    )
  return text + line(data, 'data of a record')
}

/** A text of its own, as TXT has them (RFC 1035 §5.1). */
function inQuotes(text: unknown): string {
  if (typeof text !== 'string')
    throw new TypeError(`data of a record holds ${describe(text)}; expected texts`)
  let out = '"'
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code === 34 || code === 92) out += `\\${text[i]!}`
    else if (code < 32) out += `\\0${code < 10 ? '0' : ''}${code}`
    else out += text[i]!
  }
  return `${out}"`
}

/** Text that stays on its line. */
function line(text: string, what: string): string {
  if (indexOf(text, '\n') !== -1 || indexOf(text, '\r') !== -1)
    throw new TypeError(`${what} holds a line break: ${quoted(text)}; each record is an item of its own`)
  return text
}

function word(value: unknown, what: string, example: string): string {
  if (typeof value !== 'string' || value === '')
    throw new TypeError(`${what} is ${describe(value)}; expected text such as ${example}`)
  for (let i = 0; i < value.length; i++)
    if (charCodeAt(value, i) <= 32) throw new TypeError(`${what} is ${quoted(value)}: it holds a blank`)
  return value
}
