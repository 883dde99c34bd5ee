/** `TextEncoder` and `TextDecoder` (Encoding standard): UTF-8, and windows-1252 under all its names (`latin1` is one). */
import { bytesOfSource } from './buffer-source.ts'
import { quoted } from './fields.ts'
import {
  charCodeAt,
  fromCharCode,
  hasOwn,
  slice,
  toLowerCase,
  toStringTagSymbol,
  viewLength,
} from './primordials.ts'
import { decodeUtf8, encodeUtf8, encodeUtf8Into, latin1OfBytes } from './utf8.ts'

export class TextEncoder {
  get encoding(): string {
    return 'utf-8'
  }

  encode(text: unknown = ''): Uint8Array<ArrayBuffer> {
    return encodeUtf8(`${text as string}`)
  }

  encodeInto(text: unknown, into: Uint8Array): { read: number; written: number } {
    return encodeUtf8Into(`${text as string}`, into, viewLength(into))
  }

  get [toStringTagSymbol](): string {
    return 'TextEncoder'
  }
}

const LABELS: Readonly<Record<string, 'utf-8' | 'windows-1252'>> = {
  'utf-8': 'utf-8',
  utf8: 'utf-8',
  'unicode-1-1-utf-8': 'utf-8',
  latin1: 'windows-1252',
  l1: 'windows-1252',
  ascii: 'windows-1252',
  'us-ascii': 'windows-1252',
  'iso-8859-1': 'windows-1252',
  iso8859_1: 'windows-1252',
  'iso8859-1': 'windows-1252',
  iso88591: 'windows-1252',
  cp1252: 'windows-1252',
  'windows-1252': 'windows-1252',
}

/** What windows-1252 has at 0x80 to 0x9F, where Latin-1 has control characters. */
const WINDOWS_1252 =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178'

export interface TextDecoderOptions {
  readonly fatal?: boolean
  readonly ignoreBOM?: boolean
}

export class TextDecoder {
  readonly #encoding: 'utf-8' | 'windows-1252'
  readonly #fatal: boolean
  readonly #ignoreBOM: boolean
  /** While streaming: bytes of a character that is not whole, and whether the start was seen. */
  #rest = ''
  #started = false

  constructor(label: unknown = 'utf-8', options: TextDecoderOptions = {}) {
    const name = trim(toLowerCase(`${label as string}`))
    const encoding = hasLabel(name) ? LABELS[name]! : null
    if (encoding === null)
      throw new RangeError(`${quoted(name)} is no encoding that units know (utf-8, latin1)`)
    this.#encoding = encoding
    this.#fatal = !!options.fatal
    this.#ignoreBOM = !!options.ignoreBOM
  }

  get encoding(): string {
    return this.#encoding
  }

  get fatal(): boolean {
    return this.#fatal
  }

  get ignoreBOM(): boolean {
    return this.#ignoreBOM
  }

  decode(source?: unknown, options?: { readonly stream?: boolean }): string {
    const bytes = source === undefined ? null : bytesOfSource(source)
    if (source !== undefined && bytes === null)
      throw new TypeError('decode takes an ArrayBuffer or a view of one')
    const text = bytes === null ? '' : latin1OfBytes(bytes)
    if (this.#encoding !== 'utf-8') return fromWindows1252(text)
    const isStream = options !== undefined && !!options.stream
    let whole = this.#rest + text
    const keep = isStream ? incomplete(whole) : 0
    this.#rest = slice(whole, whole.length - keep)
    whole = slice(whole, 0, whole.length - keep)
    const hadStarted = this.#started
    this.#started = isStream && (hadStarted || whole !== '')
    const decoded = decodeUtf8(whole, this.#fatal)
    return !hadStarted && !this.#ignoreBOM && charCodeAt(decoded, 0) === 0xfeff ? slice(decoded, 1) : decoded
  }

  get [toStringTagSymbol](): string {
    return 'TextDecoder'
  }
}

const hasLabel = (name: string): boolean => hasOwn(LABELS, name)

function trim(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && charCodeAt(text, from) <= 32) from++
  while (to > from && charCodeAt(text, to - 1) <= 32) to--
  return slice(text, from, to)
}

function fromWindows1252(bytes: string): string {
  let text = ''
  let from = 0
  for (let i = 0; i < bytes.length; i++) {
    const code = charCodeAt(bytes, i)
    if (code < 0x80 || code > 0x9f) continue
    text += slice(bytes, from, i) + fromCharCode(charCodeAt(WINDOWS_1252, code - 0x80))
    from = i + 1
  }
  return text + slice(bytes, from)
}

/** How many bytes at the end begin a character whose rest may still come. */
function incomplete(bytes: string): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const code = charCodeAt(bytes, bytes.length - back)
    if (code < 0x80) return 0
    if (code >= 0xc0) return back < (code >= 0xf0 ? 4 : code >= 0xe0 ? 3 : 2) ? back : 0
  }
  return 0
}
