/** `URL` of the WHATWG's standard, with the limits that `url-parse.ts` names. */
import { percentEncode } from './percent.ts'
import { charCodeAt, slice, indexOf, toLowerCase, toStringTagSymbol, toWellFormed } from './primordials.ts'
import { type ParamsOwner, paramsOf, resetParams, type URLSearchParams } from './search-params.ts'
import {
  encodeQuery,
  inFragment,
  inUserInfo,
  isSpecial,
  parsePath,
  parsePort,
  parseUrl,
  schemeEnd,
  serialiseUrl,
  setHostAndPort,
  UrlRecord,
} from './url-parse.ts'
import { quoted } from './fields.ts'

const toText = (value: unknown): string => toWellFormed(`${value as string}`)

function parse(input: unknown, base: unknown): UrlRecord | null {
  let parsedBase: UrlRecord | null = null
  if (base !== undefined) {
    parsedBase = parseUrl(toText(base), null)
    if (parsedBase === null) return null
  }
  return parseUrl(toText(input), parsedBase)
}

/** Text without tabs and line breaks, which setters ignore like the parser does. */
function withoutBreaks(value: unknown): string {
  const text = toText(value)
  let out = ''
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code !== 9 && code !== 10 && code !== 13) continue
    out += slice(text, from, i)
    from = i + 1
  }
  return from === 0 ? text : out + slice(text, from)
}

/** The part before the first of the characters. */
function until(text: string, characters: string): string {
  for (let i = 0; i < text.length; i++) if (indexOf(characters, text[i]!) !== -1) return slice(text, 0, i)
  return text
}

export class URL {
  #url: UrlRecord
  #params: URLSearchParams | null = null

  constructor(input: unknown, base?: unknown) {
    const url = parse(input, base)
    if (url === null) throw new TypeError(`${quoted(toText(input))} is not a URL`)
    this.#url = url
  }

  static canParse(input: unknown, base?: unknown): boolean {
    return parse(input, base) !== null
  }

  static parse(input: unknown, base?: unknown): URL | null {
    return URL.canParse(input, base) ? new URL(input, base) : null
  }

  get href(): string {
    return serialiseUrl(this.#url)
  }

  set href(value: unknown) {
    const url = parse(value, undefined)
    if (url === null) throw new TypeError(`${quoted(toText(value))} is not a URL`)
    this.#url = url
    if (this.#params !== null) resetParams(this.#params, url.query ?? '')
  }

  get origin(): string {
    const url = this.#url
    return isSpecial(url.scheme) && url.scheme !== 'file' ? `${url.scheme}://${this.host}` : 'null'
  }

  get protocol(): string {
    return `${this.#url.scheme}:`
  }

  set protocol(value: unknown) {
    const text = `${withoutBreaks(value)}:`
    const end = schemeEnd(text)
    if (end === -1) return
    const scheme = toLowerCase(slice(text, 0, end))
    const url = this.#url
    if (isSpecial(scheme) !== isSpecial(url.scheme)) return
    if (scheme === 'file' && (url.username !== '' || url.password !== '' || url.port !== '')) return
    if (url.scheme === 'file' && url.host === '') return
    url.scheme = scheme
    url.port = parsePort(url.port, scheme) ?? ''
  }

  /** §4.1: without a host, and in `file:`, there is nobody to authenticate to. */
  #hasNoAuthority(): boolean {
    return this.#url.host === null || this.#url.host === '' || this.#url.scheme === 'file'
  }

  get username(): string {
    return this.#url.username
  }

  set username(value: unknown) {
    if (!this.#hasNoAuthority()) this.#url.username = percentEncode(toText(value), inUserInfo)
  }

  get password(): string {
    return this.#url.password
  }

  set password(value: unknown) {
    if (!this.#hasNoAuthority()) this.#url.password = percentEncode(toText(value), inUserInfo)
  }

  get host(): string {
    const { host, port } = this.#url
    return (host ?? '') + (port === '' ? '' : `:${port}`)
  }

  set host(value: unknown) {
    this.#setHost(value, false)
  }

  get hostname(): string {
    return this.#url.host ?? ''
  }

  set hostname(value: unknown) {
    this.#setHost(value, true)
  }

  #setHost(value: unknown, nameOnly: boolean): void {
    const url = this.#url
    if (url.isOpaque) return
    let text = until(withoutBreaks(value), isSpecial(url.scheme) ? '/\\?#' : '/?#')
    const bracket = indexOf(text, ']')
    // A `file:` URL has no port: there the colon is a part of the name, and a wrong one.
    const colon = url.scheme === 'file' ? -1 : indexOf(text, ':', bracket + 1)
    if (colon !== -1) {
      if (nameOnly || colon === 0) return
      // Like the parser, take the digits that lead the port and let the rest go.
      let end = colon + 1
      while (charCodeAt(text, end) >= 48 && charCodeAt(text, end) <= 57) end++
      text = end === colon + 1 ? slice(text, 0, colon) : slice(text, 0, end)
    }
    const changed = new UrlRecord()
    changed.scheme = url.scheme
    if (!setHostAndPort(changed, text)) return
    if (changed.host === '' && (url.username !== '' || url.password !== '' || url.port !== '')) return
    url.host = changed.host
    if (colon !== -1 && text.length > colon) url.port = changed.port
  }

  get port(): string {
    return this.#url.port
  }

  set port(value: unknown) {
    if (this.#hasNoAuthority()) return
    const text = withoutBreaks(value)
    let end = 0
    while (charCodeAt(text, end) >= 48 && charCodeAt(text, end) <= 57) end++
    if (end === 0 && text !== '') return
    this.#url.port = parsePort(slice(text, 0, end), this.#url.scheme) ?? this.#url.port
  }

  get pathname(): string {
    return this.#url.path
  }

  set pathname(value: unknown) {
    const url = this.#url
    if (url.isOpaque) return
    const changed = new UrlRecord()
    changed.scheme = url.scheme
    // `?` and `#` belong to the path here: encoded before the parser sees them.
    url.path = parsePath(
      changed,
      percentEncode(withoutBreaks(value), (code) => code !== 63 && code !== 35),
    ).path
  }

  get search(): string {
    const { query } = this.#url
    return query === null || query === '' ? '' : `?${query}`
  }

  set search(value: unknown) {
    const text = withoutBreaks(value)
    const query = charCodeAt(text, 0) === 63 ? slice(text, 1) : text
    this.#url.query = text === '' ? null : encodeQuery(query, this.#url.scheme)
    if (this.#params !== null) resetParams(this.#params, this.#url.query ?? '')
  }

  get searchParams(): URLSearchParams {
    const owner: ParamsOwner = {
      queryChanges() {},
      queryChanged: (params) => {
        const query = params.toString()
        this.#url.query = query === '' ? null : query
      },
    }
    return (this.#params ??= paramsOf(owner, this.#url.query ?? ''))
  }

  get hash(): string {
    const { fragment } = this.#url
    return fragment === null || fragment === '' ? '' : `#${fragment}`
  }

  set hash(value: unknown) {
    const text = withoutBreaks(value)
    this.#url.fragment =
      text === '' ? null : percentEncode(charCodeAt(text, 0) === 35 ? slice(text, 1) : text, inFragment)
  }

  toString(): string {
    return this.href
  }

  toJSON(): string {
    return this.href
  }

  get [toStringTagSymbol](): string {
    return 'URL'
  }
}
