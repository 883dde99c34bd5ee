/**
 * Text of clients on its way into a log: whatever they send, a line stays one line and holds printable ASCII alone.
 *
 * So a client can neither forge a line nor send escape sequences to the terminal that a log is read on, and a bundle of lines
 * is one-byte text, which is the cheapest to write. What is plain already, nearly everything, costs one look at it.
 */
import { isUtf8 } from 'node:buffer'

/** What a JSON text cannot hold as it is, and what we do not want in a log. */
const NOT_PLAIN = /[^\x20-\x7e]|["\\]/

/** As in JSON, quotes included. The text is Latin-1, a character a byte: bytes that are UTF-8 are read as such, others one by one. */
export function jsonText(latin1: string): string {
  return NOT_PLAIN.test(latin1) ? escapedJson(latin1) : `"${latin1}"`
}

/** Bytes that are UTF-8 are read as such, others one by one. */
export function textOf(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : latin1
}

function escapedJson(latin1: string): string {
  return JSON.stringify(textOf(latin1)).replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** As nginx writes it in its combined format: `"`, `\` and all that is not printable ASCII as `\xHH`; `-` where it is empty. */
export function combinedText(latin1: string | undefined): string {
  if (latin1 === undefined || latin1 === '') return '-'
  if (!NOT_PLAIN.test(latin1)) return latin1
  return latin1.replaceAll(
    /[^\x20-\x7e]|["\\]/g,
    (character) => `\\x${(character.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

const KEPT_MAX = 512
const KEPT_LENGTH_MAX = 512

/** A key with `jsonText` behind it, for what repeats, such as user agents: the last few hundred are kept. */
export class RepeatedText {
  private readonly key: string
  private readonly kept = new Map<string, string>()

  constructor(key: string) {
    this.key = key
  }

  of(latin1: string): string {
    return this.kept.get(latin1) ?? this.make(latin1)
  }

  private make(latin1: string): string {
    // In one piece and in memory of their own: the text is a slice of a whole head, which it would keep.
    const text = flat(this.key + jsonText(latin1))
    if (latin1.length > KEPT_LENGTH_MAX) return text
    if (this.kept.size >= KEPT_MAX) this.kept.clear()
    this.kept.set(flat(latin1), text)
    return text
  }
}

const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')
