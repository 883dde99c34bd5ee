/**
 * Entries of a master file: a line, or several that parentheses hold together, cut into words (RFC 1035 §5.1).
 *
 * Words are kept as places in the bytes of the file, as most of them never become strings.
 */

const TAB = 0x09
const NEWLINE = 0x0a
const SPACE = 0x20
const QUOTE = 0x22
const OPEN = 0x28
const CLOSE = 0x29
const SEMICOLON = 0x3b
const BACKSLASH = 0x5c

/** More than the data of any record can have. */
const WORDS_MAX = 131_072

export const WORD_QUOTED = 1
/** Nothing stands between it and the word in front. */
export const WORD_JOINED = 2
export const WORD_ESCAPED = 4

/** What ends a word, by byte: 1; a backslash: 2. */
const ENDS = new Uint8Array(256)
for (const byte of [TAB, NEWLINE, 0x0d, SPACE, QUOTE, OPEN, CLOSE, SEMICOLON]) ENDS[byte] = 1
ENDS[BACKSLASH] = 2

/** What cannot be cut into words, and where in the bytes. */
export class EntryError extends Error {
  readonly at: number

  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

export class EntryReader {
  readonly bytes: Buffer
  /** How many words the entry has. */
  count = 0
  readonly starts: number[] = []
  readonly ends: number[] = []
  readonly flags: number[] = []
  /** The entry begins with blanks: it goes on with the owner of the one before. */
  isIndented = false
  #at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
    // Some editors put a mark in front of UTF-8.
    if (bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.#at = 3
  }

  /** Where the entry ended that was read last. */
  get at(): number {
    return this.#at
  }

  /** Reads the next entry that has words; false at the end. Throws an `EntryError`. */
  next(): boolean {
    const { bytes, starts, ends, flags } = this
    const length = bytes.length
    let at = this.#at
    let count = 0
    let depth = 0
    let openAt = 0
    /** Where the word in front ended. */
    let endedAt = -1
    this.isIndented = bytes[at] === SPACE || bytes[at] === TAB
    while (at < length) {
      const byte = bytes[at]!
      if (byte === NEWLINE) {
        at += 1
        if (depth > 0) continue
        if (count > 0) break
        this.isIndented = bytes[at] === SPACE || bytes[at] === TAB
      } else if (byte === SPACE || byte === TAB || byte === 0x0d) at += 1
      else if (byte === SEMICOLON) {
        while (at < length && bytes[at] !== NEWLINE) at += 1
      } else if (byte === OPEN) {
        if (depth === 0) openAt = at
        depth += 1
        at += 1
      } else if (byte === CLOSE) {
        if (depth === 0) throw new EntryError('a ")" closes what no "(" opened', at)
        depth -= 1
        at += 1
      } else {
        if (count === WORDS_MAX) throw new EntryError(`an entry has more than ${WORDS_MAX} words`, at)
        let flag = at === endedAt ? WORD_JOINED : 0
        let start = at
        if (byte === QUOTE) {
          flag |= WORD_QUOTED
          start = at += 1
          while (at < length && bytes[at] !== QUOTE) {
            if (bytes[at] === BACKSLASH) {
              flag |= WORD_ESCAPED
              at += 1
            }
            if (bytes[at] === NEWLINE) break
            at += 1
          }
          if (at >= length || bytes[at] === NEWLINE)
            throw new EntryError(
              'a quoted string is not closed on its line: expected a " at its end',
              start - 1,
            )
        } else
          for (; at < length; at++) {
            const ends = ENDS[bytes[at]!]
            if (ends === 0) continue
            if (ends === 1) break
            flag |= WORD_ESCAPED
            at += 1
            if (at >= length || bytes[at] === NEWLINE)
              throw new EntryError(
                'a backslash stands at the end of a line: it has to escape something',
                at - 1,
              )
          }
        starts[count] = start
        ends[count] = at
        flags[count] = flag
        count += 1
        if (byte === QUOTE) at += 1
        endedAt = at
      }
    }
    if (depth > 0)
      throw new EntryError('a "(" is not closed: expected a ")" before the end of the file', openAt)
    this.#at = at
    this.count = count
    return count > 0
  }

  /** A word as it was written, one character a byte. */
  text(word: number): string {
    return this.bytes.toString('latin1', this.starts[word]!, this.ends[word]!)
  }
}
