/**
 * The data of a record as text: words, as a master file has them (RFC 1035 §5.1), read one after the other.
 *
 * Their text has one character a byte and its escapes still in it: what an escape means depends on what the word is.
 */
import { DnsName, DnsNameError, escapedByte } from '../name.ts'

export interface RdataWord {
  /** One character a byte; without its quotes, with its escapes. */
  readonly text: string
  readonly isQuoted: boolean
  /** Nothing stands between it and the word in front, as in `alpn="h2"`. */
  readonly isJoined: boolean
}

/** Text that is no data of its type. `word` says which of the words is wrong: behind the last one where something is missing. */
export class RdataError extends Error {
  readonly word: number

  constructor(message: string, word: number) {
    super(message)
    this.word = word
  }
}

const SPECIAL_OF_STRINGS = '"\\'

/** Words on their way to be data: each is asked for as what it has to be, and says what it should be where it is not. */
export class RdataWords {
  readonly #words: readonly RdataWord[]
  readonly #origin: DnsName
  #at = 0

  constructor(words: readonly RdataWord[], origin: DnsName) {
    this.#words = words
    this.#origin = origin
  }

  get isAtEnd(): boolean {
    return this.#at === this.#words.length
  }

  /** The next word, without taking it. */
  get peeked(): RdataWord | undefined {
    return this.#words[this.#at]
  }

  /** Of the word that was taken last. */
  fail(message: string): never {
    throw new RdataError(message, Math.max(0, this.#at - 1))
  }

  /** `what` it is, for the message where it is missing. */
  take(what: string): RdataWord {
    const word = this.#words[this.#at]
    if (!word) throw new RdataError(`${what} is missing`, this.#at)
    this.#at += 1
    return word
  }

  number(what: string, max: number): number {
    const { text } = this.take(what)
    return this.#decimal(text, max) ?? this.fail(`${what} is "${text}": expected a number from 0 to ${max}`)
  }

  #decimal(text: string, max: number): number | undefined {
    if (text.length === 0 || text.length > 10) return undefined
    let value = 0
    for (let at = 0; at < text.length; at++) {
      const digit = text.charCodeAt(at) - 0x30
      if (digit < 0 || digit > 9) return undefined
      value = value * 10 + digit
    }
    return value <= max ? value : undefined
  }

  name(what: string): DnsName {
    const { text } = this.take(what)
    try {
      return DnsName.parseBytes(text, this.#origin)
    } catch (error) {
      if (error instanceof DnsNameError) this.fail(`${what}: ${error.message}`)
      throw error
    }
  }

  /** A word without its escapes, one character a byte. */
  bytes(what: string): string {
    const { text } = this.take(what)
    return this.unescaped(text, what)
  }

  /** As a `<character-string>`: at most 255 bytes (RFC 1035 §3.3). */
  string(what: string): string {
    const bytes = this.bytes(what)
    if (bytes.length > 255)
      this.fail(
        `${what} has ${bytes.length} bytes: expected at most 255, and what is longer in several strings`,
      )
    return bytes
  }

  /** All that follows, put together without the blanks: hexadecimal and base64 may be written in pieces. */
  joined(what: string): string {
    let text = this.take(what).text
    while (!this.isAtEnd) text += this.take(what).text
    return text
  }

  unescaped(text: string, what: string): string {
    if (!text.includes('\\')) return text
    let bytes = ''
    for (let at = 0; at < text.length; at++) {
      if (text[at] !== '\\') {
        bytes += text[at]!
        continue
      }
      if (at + 1 === text.length) this.fail(`${what} ends with a lone backslash`)
      const byte = escapedByte(text, at + 1)
      if (byte === undefined) bytes += text[++at]!
      else {
        if (byte > 255)
          this.fail(`${what} has \\${text.slice(at + 1, at + 4)}, which is no byte: expected \\000 to \\255`)
        bytes += String.fromCharCode(byte)
        at += 3
      }
    }
    return bytes
  }

  /** Throws where anything is left. */
  end(): void {
    const word = this.#words[this.#at]
    if (word) throw new RdataError(`"${word.text}" is more than the data of this type has`, this.#at)
  }
}

/** Bytes as a quoted string: what is no plain character as `\001`. */
export function quoted(bytes: string): string {
  return `"${escaped(bytes, SPECIAL_OF_STRINGS)}"`
}

/** With a backslash in front of `special` characters, and what is no plain character as `\001`. */
export function escaped(bytes: string, special: string): string {
  let text = ''
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes.charCodeAt(at)
    if (code < 0x20 || code >= 0x7f) text += `\\${String(code).padStart(3, '0')}`
    else text += special.includes(bytes[at]!) ? `\\${bytes[at]!}` : bytes[at]!
  }
  return text
}

/** The words of a line: blanks part them, quotes keep them together. Where a quote is not closed, it goes to the end. */
export function wordsOf(line: string): RdataWord[] {
  const text = byteText(line)
  const words: RdataWord[] = []
  let at = 0
  let isJoined = false
  while (at < text.length) {
    if (text[at] === ' ' || text[at] === '\t') {
      at += 1
      isJoined = false
      continue
    }
    const isQuoted = text[at] === '"'
    const from = isQuoted ? at + 1 : at
    at = from
    while (at < text.length) {
      const character = text[at]!
      if (character === '"' || (!isQuoted && (character === ' ' || character === '\t'))) break
      at += character === '\\' ? 2 : 1
    }
    words.push({ text: text.slice(from, at), isQuoted, isJoined })
    if (isQuoted) at += 1
    isJoined = true
  }
  return words
}

/** Text as one character a byte of its UTF-8. */
export function byteText(text: string): string {
  for (let at = 0; at < text.length; at++)
    if (text.charCodeAt(at) >= 0x80) return Buffer.from(text).toString('latin1')
  return text
}
