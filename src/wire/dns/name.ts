/**
 * Names of the DNS, as they lie on the wire: labels of bytes, not text.
 *
 * Both forms of a name are strings with one character a byte, the length of each label in front of it and the empty label at the end
 * (RFC 1035 §3.1): such strings take the least memory and are the fastest keys of a map, and no byte is lost on the way. `key` is in lower
 * case, so equal names have equal keys; lengths of labels are below 64, which no letter is, so one pass over all bytes lowers the case.
 */
import { DnsMalformed } from './malformed.ts'

/** With the lengths of its labels and the empty one at the end (RFC 1035 §2.3.4). */
export const NAME_BYTES_MAX = 255
export const LABEL_BYTES_MAX = 63

const DOT = 0x2e
const BACKSLASH = 0x5c

export class DnsName {
  static readonly ROOT = new DnsName('\0')

  /** The name in wire form, with its case as it was written. */
  readonly wire: string
  /** The same in lower case. */
  readonly key: string

  /** `wire` is taken as it is: it comes from `parse`, `readName`, or from names that do. */
  constructor(wire: string, key: string = lowered(wire)) {
    this.wire = wire
    this.key = key
  }

  /**
   * From the text of master files (RFC 1035 §5.1): `\.` and `\\` for the characters themselves, `\065` for a byte by its number. A name that
   * does not end with a dot goes on with `origin`; without one, it is taken as if it did. What is not ASCII counts as its UTF-8. Throws a
   * `DnsNameError` that says what is wrong.
   */
  static parse(text: string, origin: DnsName = DnsName.ROOT): DnsName {
    for (let at = 0; at < text.length; at++)
      if (text.charCodeAt(at) >= 0x80) return DnsName.parseBytes(Buffer.from(text).toString('latin1'), origin)
    return DnsName.parseBytes(text, origin)
  }

  /** The same from text with one character a byte. */
  static parseBytes(text: string, origin: DnsName = DnsName.ROOT): DnsName {
    if (text === '.') return DnsName.ROOT
    if (text === '@') return origin
    if (text === '') throw new DnsNameError('a name is empty: the root is written "."')
    let wire = ''
    let label = ''
    /** Where the characters begin that are taken as they are. */
    let from = 0
    let at = 0
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === DOT) {
        wire += labelled(label + text.slice(from, at), text)
        label = ''
        from = at + 1
      } else if (code === BACKSLASH) {
        label += text.slice(from, at)
        const byte = escapedByte(text, at + 1)
        if (byte === undefined) {
          if (at + 1 === text.length) throw new DnsNameError(`"${text}" ends with a lone backslash`)
          from = at + 1
          at += 1
        } else {
          if (byte > 255)
            throw new DnsNameError(
              `"${text}" has \\${text.slice(at + 1, at + 4)}, which is no byte: expected \\000 to \\255`,
            )
          label += String.fromCharCode(byte)
          at += 3
          from = at + 1
        }
      }
    }
    const endsWithDot = label === '' && from === text.length
    if (!endsWithDot) wire += labelled(label + text.slice(from), text)
    wire += endsWithDot ? '\0' : origin.wire
    if (wire.length > NAME_BYTES_MAX)
      throw new DnsNameError(
        `"${text}" is too long: ${wire.length} bytes where a name has at most ${NAME_BYTES_MAX}`,
      )
    return new DnsName(wire)
  }

  /** How many labels it has, without the empty one: none for the root. */
  get labels(): number {
    let count = 0
    for (let at = 0; at < this.wire.length - 1; at += 1 + this.wire.charCodeAt(at)) count += 1
    return count
  }

  /** Without its first label; undefined for the root. */
  get parent(): DnsName | undefined {
    if (this.wire.length <= 1) return undefined
    const from = 1 + this.wire.charCodeAt(0)
    return new DnsName(this.wire.slice(from), this.key.slice(from))
  }

  /** The first label, one character a byte, as it was written. */
  get firstLabel(): string {
    return this.wire.slice(1, 1 + this.wire.charCodeAt(0))
  }

  /** `*` is its first label (RFC 4592 §2.1.1). */
  get isWildcard(): boolean {
    return this.wire.startsWith('\x01*')
  }

  equals(other: DnsName): boolean {
    return this.key === other.key
  }

  /** Whether it is `zone` or lies below it. */
  isWithin(zone: DnsName): boolean {
    const from = this.key.length - zone.key.length
    return from >= 0 && this.key.endsWith(zone.key) && startsLabel(this.key, from)
  }

  /** With a label in front, given as one character a byte; undefined where that is too long. */
  below(label: string): DnsName | undefined {
    if (label.length === 0 || label.length > LABEL_BYTES_MAX) return undefined
    const wire = String.fromCharCode(label.length) + label + this.wire
    return wire.length > NAME_BYTES_MAX ? undefined : new DnsName(wire)
  }

  /** With `to` in the place of `from`, below which it lies, as a DNAME has it (RFC 6672 §2.2); undefined where that is too long. */
  moved(from: DnsName, to: DnsName): DnsName | undefined {
    const wire = this.wire.slice(0, this.wire.length - from.wire.length) + to.wire
    return wire.length > NAME_BYTES_MAX ? undefined : new DnsName(wire)
  }

  /** As in master files, with the dot at the end: what is no plain character is escaped. */
  toString(): string {
    return textOf(this.wire)
  }
}

/** A name in text that is none. */
export class DnsNameError extends Error {}

/** What was read last: where its bytes ended. Valid until the next call. */
export const nameEnd = { at: 0 }

/** More pointers than a name has labels lead nowhere that fewer would not. */
const POINTERS_MAX = 126

const scratch = Buffer.alloc(NAME_BYTES_MAX)
const loweredScratch = Buffer.alloc(NAME_BYTES_MAX)

/**
 * Reads a name at `at` of a message, following pointers (RFC 1035 §4.1.4); `nameEnd.at` is where what follows it begins. A pointer leads only
 * to what stands before it, so that none leads in a circle. Throws `DnsMalformed`.
 */
export function readName(bytes: Buffer, at: number, end: number = bytes.length): DnsName {
  const length = copyName(bytes, at, end, scratch, 0)
  let isLower = true
  for (let index = 0; index < length; index++) {
    const byte = scratch[index]!
    const isUpper = byte >= 0x41 && byte <= 0x5a
    if (isUpper) isLower = false
    loweredScratch[index] = isUpper ? byte + 0x20 : byte
  }
  const wire = scratch.toString('latin1', 0, length)
  return new DnsName(wire, isLower ? wire : loweredScratch.toString('latin1', 0, length))
}

/**
 * Writes the name at `at` of a message whole at `length` of `into`, which has room for `NAME_BYTES_MAX` more. Returns where it ends there; `nameEnd.at`
 * is where what follows it begins in the message. Throws `DnsMalformed`.
 */
export function copyName(
  bytes: Uint8Array,
  at: number,
  end: number,
  into: Uint8Array,
  length: number,
): number {
  const lengthMax = length + NAME_BYTES_MAX
  let follows = -1
  let before = at
  let pointers = 0
  for (;;) {
    if (at >= end) throw new DnsMalformed('a name is cut')
    const size = bytes[at]!
    if (size > LABEL_BYTES_MAX) {
      if (size < 0xc0) throw new DnsMalformed('a label of a name has a type that is not known')
      if (at + 1 >= end) throw new DnsMalformed('a name is cut')
      if (follows < 0) follows = at + 2
      const target = ((size & 0x3f) << 8) | bytes[at + 1]!
      if (target >= before) throw new DnsMalformed('a pointer in a name leads forwards')
      if (++pointers > POINTERS_MAX) throw new DnsMalformed('a name has too many pointers')
      before = at = target
      continue
    }
    const next = at + 1 + size
    if (next > end) throw new DnsMalformed('a name is cut')
    if (length + 1 + size > lengthMax) throw new DnsMalformed('a name is too long')
    while (at < next) into[length++] = bytes[at++]!
    if (size === 0) break
  }
  nameEnd.at = follows < 0 ? at : follows
  return length
}

/** In lower case, byte by byte: `toLowerCase` would change bytes beyond ASCII. */
export function lowered(wire: string): string {
  for (let at = 0; at < wire.length; at++) {
    const code = wire.charCodeAt(at)
    if (code >= 0x41 && code <= 0x5a) return wire.replaceAll(/[A-Z]+/g, (upper) => upper.toLowerCase())
  }
  return wire
}

/** Whether a label of `wire` begins at `from`. */
function startsLabel(wire: string, from: number): boolean {
  let at = 0
  while (at < from) at += 1 + wire.charCodeAt(at)
  return at === from
}

function labelled(label: string, text: string): string {
  if (label === '') throw new DnsNameError(`"${text}" has an empty label`)
  if (label.length > LABEL_BYTES_MAX)
    throw new DnsNameError(
      `"${text}" has a label of ${label.length} bytes: expected at most ${LABEL_BYTES_MAX}`,
    )
  return String.fromCharCode(label.length) + label
}

/** The number of three digits at `at` of a text, up to 999; undefined where there are no three. */
export function escapedByte(text: string, at: number): number | undefined {
  if (at + 3 > text.length) return undefined
  let value = 0
  const end = at + 3
  for (; at < end; at++) {
    const digit = text.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return value
}

/** Characters that mean something in master files (RFC 1035 §5.1). */
const SPECIAL = '.\\";()@$'

function textOf(wire: string): string {
  if (wire.length <= 1) return '.'
  let text = ''
  for (let at = 0; at < wire.length - 1;) {
    const end = at + 1 + wire.charCodeAt(at)
    for (at += 1; at < end; at++) {
      const code = wire.charCodeAt(at)
      if (code <= 0x20 || code >= 0x7f) text += `\\${String(code).padStart(3, '0')}`
      else text += SPECIAL.includes(wire[at]!) ? `\\${wire[at]!}` : wire[at]!
    }
    text += '.'
  }
  return text
}
