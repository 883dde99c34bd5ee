/** What the data of records is made of: each kind of field once, with its text both ways. */
import { formatIp, parseIp } from '../../../base/ip-address.ts'
import { parseType, typeName } from '../codes.ts'
import { DnsMalformed } from '../malformed.ts'
import type { RdataBuilder, RdataReader } from './rdata-bytes.ts'
import { type RdataWords, quoted } from './rdata-words.ts'
import { parseTtl } from './ttl-text.ts'

/** A piece of data: from words to bytes, and from bytes to words. */
export interface RdataField {
  parse(words: RdataWords, into: RdataBuilder): void
  text(from: RdataReader): string
}

/** A number in so many bytes. `mnemonics` may be written instead of it. */
export const number = (
  what: string,
  bytes: 1 | 2 | 4,
  mnemonics: Readonly<Record<string, number>> = {},
): RdataField => ({
  parse(words, into) {
    const named = mnemonics[words.peeked?.text.toUpperCase() ?? '']
    if (named === undefined) return into.number(words.number(what, 256 ** bytes - 1), bytes)
    words.take(what)
    into.number(named, bytes)
  },
  text: (from) => String(from.number(bytes)),
})

/** Seconds, which may be written with units: `1h30m`. */
export const seconds = (what: string): RdataField => ({
  parse(words, into) {
    const { text } = words.take(what)
    into.number(
      parseTtl(text) ??
        words.fail(`${what} is "${text}": expected seconds up to ${2 ** 32 - 1}, or as in 1h30m`),
      4,
    )
  },
  text: (from) => String(from.number(4)),
})

export const name = (what: string): RdataField => ({
  parse: (words, into) => into.bytes(words.name(what).wire),
  text: (from) => from.name().toString(),
})

export const ipv4: RdataField = {
  parse(words, into) {
    const { text } = words.take('an address')
    const ip = parseIp(text)
    if (ip?.family !== 4 || text.includes(':'))
      return words.fail(`"${text}" is no IPv4 address: expected one such as 192.0.2.1`)
    into.number(ip.words[3], 4)
  },
  text: (from) => formatIp({ family: 4, words: [0, 0, 0, from.number(4)] }),
}

export const ipv6: RdataField = {
  parse(words, into) {
    const { text } = words.take('an address')
    const ip = text.includes(':') ? parseIp(text) : undefined
    if (!ip) return words.fail(`"${text}" is no IPv6 address: expected one such as 2001:db8::1`)
    const [first, second, third, fourth] = ip.words
    into.number(first, 4)
    into.number(second, 4)
    // An IPv4 address that is written as an IPv6 one was taken for what it is.
    into.number(ip.family === 4 ? 0xffff : third, 4)
    into.number(fourth, 4)
  },
  text: (from) =>
    formatIp({ family: 6, words: [from.number(4), from.number(4), from.number(4), from.number(4)] }),
}

export const string = (what: string): RdataField => ({
  parse: (words, into) => into.string(words.string(what)),
  text: (from) => quoted(from.string()),
})

/** One or more strings, to the end. */
export const strings: RdataField = {
  parse(words, into) {
    do into.string(words.string('a string'))
    while (!words.isAtEnd)
  },
  text(from) {
    let text = quoted(from.string())
    while (from.left > 0) text += ` ${quoted(from.string())}`
    return text
  },
}

/** Without a length: to the end of the data (CAA, URI). */
export const longString = (what: string): RdataField => ({
  parse: (words, into) => into.bytes(words.bytes(what)),
  text: (from) => quoted(from.bytes(from.left)),
})

/** A word of letters and digits, with its length in front. */
export const tag = (what: string): RdataField => ({
  parse(words, into) {
    const text = words.bytes(what)
    if (!/^[a-z\d]{1,255}$/i.test(text))
      words.fail(`${what} is "${text}": expected letters and digits, such as issue`)
    into.string(text)
  },
  text(from) {
    const text = from.string()
    if (!/^[a-z\d]+$/i.test(text)) throw new DnsMalformed(`${what} is no word`)
    return text
  },
})

/** Hexadecimal, to the end. */
export const hex = (what: string): RdataField => ({
  parse: (words, into) => into.buffer(hexBytes(words, words.joined(what), what)),
  text: (from) => rest(from).toString('hex').toUpperCase(),
})

/** Hexadecimal with its length in front; none is written `-`. */
export const shortHex = (what: string): RdataField => ({
  parse(words, into) {
    const { text } = words.take(what)
    const bytes = text === '-' ? Buffer.alloc(0) : hexBytes(words, text, what)
    if (bytes.length > 255) words.fail(`${what} has ${bytes.length} bytes: expected at most 255`)
    into.number(bytes.length, 1)
    into.buffer(bytes)
  },
  text: (from) => from.view(from.number(1)).toString('hex').toUpperCase() || '-',
})

export const base64 = (what: string): RdataField => ({
  parse: (words, into) => into.buffer(base64Bytes(words, words.joined(what), what)),
  text: (from) => rest(from).toString('base64'),
})

/** So many bytes as hexadecimal in groups: `00-00-5e-00-53-2a`, `0014:4fff:ff20:ee64`. */
export const groups = (what: string, count: number, bytes: number, separator: string): RdataField => ({
  parse(words, into) {
    const { text } = words.take(what)
    const parts = text.split(separator)
    if (parts.length !== count || !parts.every((part) => isHexOf(part, bytes)))
      words.fail(
        `${what} is "${text}": expected ${count} groups of hexadecimal digits with ${separator} between them`,
      )
    for (const part of parts) into.number(Number.parseInt(part, 16), bytes)
  },
  text: (from) => Array.from({ length: count }, () => from.view(bytes).toString('hex')).join(separator),
})

const isHexOf = (text: string, bytes: number): boolean =>
  /^[\da-f]+$/i.test(text) && (bytes === 1 ? text.length === 2 : text.length <= bytes * 2)

/** A time of signatures: `20261128080000`, or seconds since 1970 (RFC 4034 §3.2). */
export const time = (what: string): RdataField => ({
  parse(words, into) {
    const { text } = words.take(what)
    const seconds = /^\d{14}$/.test(text) ? utcSeconds(text) : /^\d{1,10}$/.test(text) ? Number(text) : -1
    if (!(seconds >= 0 && seconds < 2 ** 32))
      words.fail(`${what} is "${text}": expected a time such as 20261128080000, or seconds since 1970`)
    into.number(seconds, 4)
  },
  text: (from) => new Date(from.number(4) * 1000).toISOString().replaceAll(/[-:T]|\.000Z/g, ''),
})

function utcSeconds(text: string): number {
  const part = (from: number, to: number) => Number(text.slice(from, to))
  const ms = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14))
  // A day or an hour that does not exist would be another one.
  return new Date(ms).toISOString().replaceAll(/[-:T]|\.000Z/g, '') === text ? ms / 1000 : -1
}

export const type: RdataField = {
  parse: (words, into) => into.number(typeOf(words), 2),
  text: (from) => typeName(from.number(2)),
}

function typeOf(words: RdataWords): number {
  const { text } = words.take('a type')
  return parseType(text) ?? words.fail(`"${text}" is no type: expected one such as A, or TYPE65280`)
}

/** Types as a map of bits, to the end (RFC 4034 §4.1.2). */
export const typeBitmap: RdataField = {
  parse(words, into) {
    const types = new Set<number>()
    while (!words.isAtEnd) types.add(typeOf(words))
    into.buffer(typeBitmapOf(types))
  },
  text(from) {
    const types: string[] = []
    let before = -1
    while (from.left > 0) {
      const window = from.number(1)
      const bits = from.view(from.number(1))
      if (window <= before || bits.length === 0 || bits.length > 32)
        throw new DnsMalformed('a map of types is out of order')
      before = window
      for (let bit = 0; bit < bits.length * 8; bit++)
        if ((bits[bit >> 3]! & (0x80 >> (bit & 7))) !== 0) types.push(typeName(window * 256 + bit))
    }
    return types.join(' ')
  },
}

/** The map of bits that says these types. */
export function typeBitmapOf(types: Iterable<number>): Buffer {
  const pieces: number[] = []
  let lengthAt = -1
  let window = -1
  for (const one of [...new Set(types)].toSorted((a, b) => a - b)) {
    if (one >> 8 !== window) {
      window = one >> 8
      pieces.push(window, 0)
      lengthAt = pieces.length - 1
    }
    const byte = (one & 0xff) >> 3
    while (pieces[lengthAt]! <= byte) {
      pieces.push(0)
      pieces[lengthAt]! += 1
    }
    pieces[lengthAt + 1 + byte]! |= 0x80 >> (one & 7)
  }
  return Buffer.from(pieces)
}

const BASE32_HEX = '0123456789ABCDEFGHIJKLMNOPQRSTUV'

/** The hash of a name with its length in front, in base32 "with extended hex alphabet" without padding (RFC 5155 §3.3). */
export const base32Hex = (what: string): RdataField => ({
  parse(words, into) {
    const { text } = words.take(what)
    const bytes: number[] = []
    let bits = 0
    let held = 0
    for (const character of text.toUpperCase()) {
      const value = BASE32_HEX.indexOf(character)
      if (value < 0) words.fail(`${what} is "${text}": expected digits and letters from a to v`)
      held = ((held << 5) | value) & 0xfff
      bits += 5
      if (bits < 8) continue
      bits -= 8
      bytes.push((held >> bits) & 0xff)
    }
    if (bits >= 5 || bytes.length === 0 || bytes.length > 255) words.fail(`${what} is "${text}": that is cut`)
    into.number(bytes.length, 1)
    into.buffer(Uint8Array.from(bytes))
  },
  text: (from) => base32HexOf(from.view(from.number(1))),
})

export function base32HexOf(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32_HEX[(held >> (bits - 5)) & 31]!
  }
  return bits > 0 ? text + BASE32_HEX[(held << (5 - bits)) & 31]! : text
}

/** Hexadecimal as bytes, with an error where it is none. */
export function hexBytes(words: RdataWords, text: string, what: string): Buffer {
  if (text.length % 2 !== 0 || !/^[\da-f]*$/i.test(text))
    words.fail(`${what} is "${text}": expected an even number of hexadecimal digits`)
  return Buffer.from(text, 'hex')
}

export function base64Bytes(words: RdataWords, text: string, what: string): Buffer {
  if (text.length % 4 !== 0 || !/^[a-z\d+/]*={0,2}$/i.test(text))
    words.fail(`${what} is no base64: expected letters, digits, + and /, four by four`)
  return Buffer.from(text, 'base64')
}

/** All that is left, of which there has to be something. */
function rest(from: RdataReader): Buffer {
  if (from.left === 0) throw new DnsMalformed('the data of a record is cut')
  return from.view(from.left)
}
