/** Parameters of SVCB and HTTPS records (RFC 9460 §2.1, §7, Appendix A). */
import { formatIp, parseIp } from '../../../base/ip-address.ts'
import { DnsMalformed } from '../malformed.ts'
import { base64Bytes, type RdataField } from './rdata-fields.ts'
import { escaped, quoted, type RdataWords } from './rdata-words.ts'

const KEYS = [
  'mandatory',
  'alpn',
  'no-default-alpn',
  'port',
  'ipv4hint',
  'ech',
  'ipv6hint',
  'dohpath',
  'ohttp',
]
const MANDATORY = 0
const ALPN = 1
const NO_DEFAULT_ALPN = 2

export const svcParams: RdataField = {
  parse(words, into) {
    const params = new Map<number, Buffer>()
    while (!words.isAtEnd) {
      const { text, isQuoted } = words.take('a parameter')
      const equals = isQuoted ? -1 : text.indexOf('=')
      const keyText = equals < 0 ? text : text.slice(0, equals)
      const key = isQuoted ? undefined : keyOf(keyText)
      if (key === undefined)
        return words.fail(`"${text}" is no parameter: expected one such as alpn=h2, or key65280=value`)
      if (params.has(key)) words.fail(`the parameter ${keyText} stands twice`)
      let value = equals < 0 ? undefined : text.slice(equals + 1)
      const next = words.peeked
      if (value === '' && next?.isQuoted && next.isJoined) value = words.take('a value').text
      params.set(
        key,
        parseValue(words, key, value === undefined ? undefined : words.unescaped(value, keyText)),
      )
    }
    checkTogether(words, params)
    for (const [key, value] of [...params].toSorted(([a], [b]) => a - b)) {
      into.number(key, 2)
      into.number(value.length, 2)
      into.buffer(value)
    }
  },
  text(from) {
    const params: string[] = []
    let before = -1
    while (from.left > 0) {
      const key = from.number(2)
      if (key <= before) throw new DnsMalformed('the parameters of a record are out of order')
      before = key
      const value = from.view(from.number(2))
      const text = valueText(key, value)
      params.push(text === undefined ? keyName(key) : `${keyName(key)}=${quotedWhereNeeded(text)}`)
    }
    return params.join(' ')
  },
}

const keyName = (key: number): string => KEYS[key] ?? `key${key}`

/** Undefined where it is no key. Keys are in lower case (§2.1). */
function keyOf(text: string): number | undefined {
  const named = KEYS.indexOf(text)
  if (named >= 0) return named
  const digits = /^key(0|[1-9]\d{0,4})$/.exec(text)?.[1]
  return digits !== undefined && Number(digits) < 65_535 ? Number(digits) : undefined
}

/** `value` has no escapes of strings any more; those of lists are still in it. */
function parseValue(words: RdataWords, key: number, value: string | undefined): Buffer {
  const name = keyName(key)
  const required = (): string => value || words.fail(`${name} has no value: expected ${name}=…`)
  switch (name) {
    case 'mandatory': {
      const keys = required()
        .split(',')
        .map((text) => keyOf(text) ?? words.fail(`mandatory names "${text}", which is no parameter`))
        .toSorted((a, b) => a - b)
      if (keys.includes(MANDATORY)) words.fail('mandatory names itself: it is always mandatory')
      if (new Set(keys).size < keys.length) words.fail('mandatory names a parameter twice')
      return numbers16(keys)
    }
    case 'alpn': {
      const ids = listOf(required())
      if (ids.some((id) => id.length === 0 || id.length > 255))
        words.fail(`alpn is "${value}": expected protocols of 1 to 255 bytes with commas between them`)
      return Buffer.from(ids.map((id) => String.fromCharCode(id.length) + id).join(''), 'latin1')
    }
    case 'no-default-alpn':
    case 'ohttp':
      if (value) words.fail(`${name} takes no value`)
      return Buffer.alloc(0)
    case 'port':
      if (!/^\d{1,5}$/.test(required()) || Number(value) > 65_535)
        words.fail(`port is "${value}": expected a number from 0 to 65535`)
      return numbers16([Number(value)])
    case 'ipv4hint':
    case 'ipv6hint':
      return Buffer.concat(
        required()
          .split(',')
          .map((text) => hint(words, text, name === 'ipv4hint' ? 4 : 6)),
      )
    case 'ech':
      return base64Bytes(words, required(), 'ech')
    case 'dohpath':
      return Buffer.from(required(), 'latin1')
    default:
      return Buffer.from(value ?? '', 'latin1')
  }
}

/** What one parameter says about another (§7.1.1, §8). */
function checkTogether(words: RdataWords, params: ReadonlyMap<number, Buffer>): void {
  if (params.has(NO_DEFAULT_ALPN) && !params.has(ALPN))
    words.fail('no-default-alpn stands without alpn: then no protocol is left')
  const mandatory = params.get(MANDATORY)
  for (let at = 0; mandatory && at < mandatory.length; at += 2) {
    const key = mandatory.readUInt16BE(at)
    if (!params.has(key)) words.fail(`${keyName(key)} is mandatory and does not stand there`)
  }
}

const numbers16 = (numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(numbers.length * 2)
  for (const [index, one] of numbers.entries()) bytes.writeUInt16BE(one, index * 2)
  return bytes
}

function hint(words: RdataWords, text: string, family: 4 | 6): Buffer {
  const ip = parseIp(text)
  const isFamily = ip && text.includes(':') === (family === 6)
  if (!isFamily)
    words.fail(`"${text}" is no IPv${family} address: expected addresses with commas between them`)
  const parts =
    ip.family === 4 && family === 6 ? [0, 0, 0xffff, ip.words[3]] : ip.words.slice(family === 4 ? 3 : 0)
  const bytes = Buffer.alloc(parts.length * 4)
  for (const [index, word] of parts.entries()) bytes.writeUInt32BE(word, index * 4)
  return bytes
}

/** Parts between commas; `\,` is a comma and `\\` a backslash in one (Appendix A.1). */
function listOf(text: string): string[] {
  const parts = ['']
  for (let at = 0; at < text.length; at++) {
    if (text[at] === ',') parts.push('')
    else parts[parts.length - 1]! += text[at] === '\\' && at + 1 < text.length ? text[++at]! : text[at]!
  }
  return parts
}

/** Undefined where it has none. Not yet escaped as a string. Throws `DnsMalformed`. */
function valueText(key: number, value: Buffer): string | undefined {
  switch (keyName(key)) {
    case 'mandatory':
      return pieces(value, 2)
        .map((piece) => keyName(piece.readUInt16BE()))
        .join(',')
    case 'alpn': {
      const ids: string[] = []
      for (let at = 0; at < value.length; at += 1 + value[at]!) {
        const end = at + 1 + value[at]!
        if (end > value.length || end === at + 1) throw new DnsMalformed('alpn is cut')
        ids.push(value.toString('latin1', at + 1, end).replaceAll(/[\\,]/g, (special) => `\\${special}`))
      }
      if (ids.length === 0) throw new DnsMalformed('alpn is empty')
      return ids.join(',')
    }
    case 'no-default-alpn':
    case 'ohttp':
      if (value.length > 0) throw new DnsMalformed('a parameter has a value that takes none')
      return undefined
    case 'port':
      if (value.length !== 2) throw new DnsMalformed('port is no number of two bytes')
      return String(value.readUInt16BE())
    case 'ipv4hint':
      return pieces(value, 4)
        .map((piece) => formatIp({ family: 4, words: [0, 0, 0, piece.readUInt32BE()] }))
        .join(',')
    case 'ipv6hint':
      return pieces(value, 16)
        .map((piece) => {
          const word = (at: number) => piece.readUInt32BE(at)
          return formatIp({ family: 6, words: [word(0), word(4), word(8), word(12)] })
        })
        .join(',')
    case 'ech':
      if (value.length === 0) throw new DnsMalformed('ech is empty')
      return value.toString('base64')
    default:
      return value.length === 0 ? undefined : value.toString('latin1')
  }
}

function pieces(value: Buffer, bytes: number): Buffer[] {
  if (value.length === 0 || value.length % bytes !== 0) throw new DnsMalformed('a parameter is cut')
  return Array.from({ length: value.length / bytes }, (_, index) =>
    value.subarray(index * bytes, (index + 1) * bytes),
  )
}

const quotedWhereNeeded = (text: string): string =>
  /[\s"();\\]/.test(text) || /[^\x21-\x7e]/.test(text) ? quoted(text) : escaped(text, '')
