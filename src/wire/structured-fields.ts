/**
 * Structured fields (RFC 9651): the strict syntax of newer header fields, as lists and dictionaries.
 *
 * Strict is the point of them: a field with one mistake in it is none at all (§4.2), so two recipients never read the same field
 * in two ways. Values come with their types, since `"10"`, `10` and `?1` are not to be taken for each other.
 */

export type BareItem =
  | { readonly type: 'integer' | 'decimal' | 'date'; readonly value: number }
  | { readonly type: 'string' | 'token' | 'display'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Buffer }
  | { readonly type: 'boolean'; readonly value: boolean }

export type Parameters = ReadonlyMap<string, BareItem>
export type Item = { readonly kind: 'item'; readonly item: BareItem; readonly parameters: Parameters }
export type InnerList = {
  readonly kind: 'list'
  readonly items: readonly Item[]
  readonly parameters: Parameters
}
export type Member = Item | InnerList

/** `text` is all fields of the name, joined by commas. Undefined: it is no list. An absent field is an empty one. */
export function parseList(text: string): readonly Member[] | undefined {
  return attempt(text, (reader) => {
    const members: Member[] = []
    reader.members(() => members.push(reader.member()))
    return members
  })
}

/** Likewise. Of two members of one name the last counts (§4.2.2). */
export function parseDictionary(text: string): ReadonlyMap<string, Member> | undefined {
  return attempt(text, (reader) => {
    const members = new Map<string, Member>()
    reader.members(() => {
      const key = reader.key()
      const member: Member = reader.takes('=')
        ? reader.member()
        : { kind: 'item', item: TRUE, parameters: reader.parameters() }
      members.set(key, member)
    })
    return members
  })
}

const TRUE: BareItem = { type: 'boolean', value: true }
const NO_PARAMETERS: Parameters = new Map()

/** What is not in the grammar. */
class Mistake extends Error {}

function attempt<T>(text: string, parse: (reader: Reader) => T): T | undefined {
  try {
    return parse(new Reader(text))
  } catch (error) {
    if (error instanceof Mistake) return undefined
    throw error
  }
}

const KEY = /[a-z*][a-z0-9_.*-]*/y
const NUMBER = /-?\d{1,15}(?:\.\d+)?/y
const STRING = /"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/y
const TOKEN = /[A-Za-z*][\w!#$%&'*+.^`|~:/-]*/y
const BYTES = /:([A-Za-z0-9+/]*={0,2}):/y
const BOOLEAN = /\?([01])/y
const DATE = /@(-?\d{1,15})(?![\d.])/y
const DISPLAY = /%"((?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*)"/y

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#skip(' ')
  }

  /** All members of a list or a dictionary, up to the end of the text (§4.2.1, §4.2.2). */
  members(next: () => void): void {
    while (this.#at < this.#text.length) {
      next()
      this.#skip(' \t')
      if (this.#at === this.#text.length) return
      if (!this.takes(',')) throw new Mistake()
      this.#skip(' \t')
      // A comma is between members, and not behind the last.
      if (this.#at === this.#text.length) throw new Mistake()
    }
  }

  member(): Member {
    return this.takes('(') ? this.#innerList() : this.#item()
  }

  key(): string {
    return this.#match(KEY)[0]
  }

  parameters(): Parameters {
    let parameters: Map<string, BareItem> | undefined
    while (this.takes(';')) {
      this.#skip(' ')
      const key = this.key()
      parameters ??= new Map<string, BareItem>()
      parameters.set(key, this.takes('=') ? this.#bareItem() : TRUE)
    }
    return parameters ?? NO_PARAMETERS
  }

  takes(char: string): boolean {
    if (this.#text[this.#at] !== char) return false
    this.#at++
    return true
  }

  #innerList(): InnerList {
    const items: Item[] = []
    for (;;) {
      this.#skip(' ')
      if (this.takes(')')) return { kind: 'list', items, parameters: this.parameters() }
      items.push(this.#item())
      const next = this.#text[this.#at]
      if (next !== ' ' && next !== ')') throw new Mistake()
    }
  }

  #item(): Item {
    return { kind: 'item', item: this.#bareItem(), parameters: this.parameters() }
  }

  #bareItem(): BareItem {
    const first = this.#text[this.#at] ?? ''
    switch (first) {
      case '"':
        return { type: 'string', value: this.#match(STRING)[1]!.replace(/\\(.)/g, '$1') }
      case ':':
        return { type: 'bytes', value: Buffer.from(this.#match(BYTES)[1]!, 'base64') }
      case '?':
        return { type: 'boolean', value: this.#match(BOOLEAN)[1] === '1' }
      case '@':
        return { type: 'date', value: Number(this.#match(DATE)[1]) }
      case '%':
        return { type: 'display', value: this.#display() }
      default:
        return /[-\d]/.test(first) ? this.#number() : { type: 'token', value: this.#match(TOKEN)[0] }
    }
  }

  /** §4.2.4: 15 digits, or 12 before the point and 3 behind it. */
  #number(): BareItem {
    const text = this.#match(NUMBER)[0]
    const next = this.#text[this.#at] ?? ''
    if (/[\d.]/.test(next)) throw new Mistake()
    const [whole = '', part] = text.replace('-', '').split('.')
    if (part === undefined) return { type: 'integer', value: Number(text) }
    if (whole.length > 12 || part.length > 3) throw new Mistake()
    return { type: 'decimal', value: Number(text) }
  }

  #display(): string {
    const bytes = Buffer.from(
      this.#match(DISPLAY)[1]!.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
      'latin1',
    )
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      throw new Mistake()
    }
  }

  #match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) throw new Mistake()
    this.#at = pattern.lastIndex
    return found
  }

  #skip(chars: string): void {
    while (this.#at < this.#text.length && chars.includes(this.#text[this.#at]!)) this.#at++
  }
}

/** A string as a structured field writes it (§4.1.6); what is not printable ASCII is left out. */
export function serialiseString(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '').replace(/[\\"]/g, '\\$&')}"`
}
