/**
 * The URL parser of the WHATWG's standard (§4.4), by parts instead of states: scheme, authority, path, query, fragment.
 *
 * Left out: names outside ASCII (see `url-host.ts`) and Windows drive letters in `file:`.
 */
import { percentEncode } from './percent.ts'
import { charCodeAt, indexOf, lastIndexOf, slice, startsWith, toLowerCase } from './primordials.ts'
import { parseHost } from './url-host.ts'

export class UrlRecord {
  scheme = ''
  username = ''
  password = ''
  /** Null: none, as in `mailto:`. Empty: `file:///`. */
  host: string | null = null
  /** Empty where it is the scheme's own. */
  port = ''
  /** Segments, each with its `/` in front; or anything, where `isOpaque`. */
  path = ''
  isOpaque = false
  query: string | null = null
  fragment: string | null = null
}

export const defaultPort = (scheme: string): string | undefined =>
  scheme === 'http' || scheme === 'ws'
    ? '80'
    : scheme === 'https' || scheme === 'wss'
      ? '443'
      : scheme === 'ftp'
        ? '21'
        : scheme === 'file'
          ? ''
          : undefined

export const isSpecial = (scheme: string): boolean => defaultPort(scheme) !== undefined

// What may stand as it is in each part (§1.3); everything outside printable ASCII is encoded everywhere.
const among = (code: number, characters: string): boolean => {
  for (let i = 0; i < characters.length; i++) if (charCodeAt(characters, i) === code) return true
  return false
}
const isPrintable = (code: number): boolean => code > 31 && code < 127
export const inFragment = (code: number): boolean => isPrintable(code) && !among(code, ' "<>`')
const inQuery = (code: number): boolean => isPrintable(code) && !among(code, ' "#<>')
const inSpecialQuery = (code: number): boolean => inQuery(code) && code !== 39
export const inPath = (code: number): boolean => inQuery(code) && !among(code, '?^`{}')
export const inUserInfo = (code: number): boolean => inPath(code) && !among(code, '/:;=@[\\]|')

export const encodeQuery = (query: string, scheme: string): string =>
  percentEncode(query, isSpecial(scheme) ? inSpecialQuery : inQuery)

/** The URL, or null where the text is none. */
export function parseUrl(input: string, base: UrlRecord | null): UrlRecord | null {
  const text = withoutBlanks(input)
  const url = new UrlRecord()
  const colon = schemeEnd(text)
  if (colon === -1) {
    if (base === null || (base.isOpaque && charCodeAt(text, 0) !== 35)) return null
    url.scheme = base.scheme
    return parseRelative(url, text, base)
  }
  url.scheme = toLowerCase(slice(text, 0, colon))
  const rest = slice(text, colon + 1)
  if (!isSpecial(url.scheme)) {
    if (startsWith(rest, '//')) return parseAuthority(url, slice(rest, 2))
    if (startsWith(rest, '/')) return parsePath(url, rest)
    url.isOpaque = true
    return parseOpaque(url, rest)
  }
  if (url.scheme === 'file')
    return parseRelative(url, rest, base !== null && base.scheme === 'file' ? base : new UrlRecord())
  if (base !== null && base.scheme === url.scheme && !startsWith(rest, '//'))
    return parseRelative(url, rest, base)
  return parseAuthority(url, withoutSlashes(rest))
}

/** §4.4 step 1 and 3: blanks and control characters around it, tabs and line breaks within it. */
function withoutBlanks(input: string): string {
  let from = 0
  let to = input.length
  while (from < to && charCodeAt(input, from) <= 32) from++
  while (to > from && charCodeAt(input, to - 1) <= 32) to--
  let text = ''
  for (let i = from; i < to; i++) {
    const code = charCodeAt(input, i)
    if (code !== 9 && code !== 10 && code !== 13) continue
    text += slice(input, from, i)
    from = i + 1
  }
  return text + slice(input, from, to)
}

/** Where the scheme's colon is, or -1. */
export function schemeEnd(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    const isLetter = (code | 32) >= 97 && (code | 32) <= 122
    if (isLetter || (i > 0 && ((code >= 48 && code <= 57) || code === 43 || code === 45 || code === 46)))
      continue
    return code === 58 && i > 0 ? i : -1
  }
  return -1
}

const isSlash = (code: number, special: boolean): boolean => code === 47 || (special && code === 92)

function withoutSlashes(text: string): string {
  let at = 0
  while (isSlash(charCodeAt(text, at), true)) at++
  return slice(text, at)
}

function parseRelative(url: UrlRecord, text: string, base: UrlRecord): UrlRecord | null {
  const special = isSpecial(url.scheme)
  const first = charCodeAt(text, 0)
  if (isSlash(first, special) && isSlash(charCodeAt(text, 1), special)) {
    if (url.scheme === 'file') return parseAuthority(url, slice(text, 2))
    return parseAuthority(url, special ? withoutSlashes(text) : slice(text, 2))
  }
  url.username = base.username
  url.password = base.password
  url.host = url.scheme === 'file' ? (base.host ?? '') : base.host
  url.port = base.port
  if (isSlash(first, special)) return parsePath(url, text)
  url.path = base.path
  url.isOpaque = base.isOpaque
  url.query = base.query
  if (text === '') return special && url.path === '' ? parsePath(url, '') : url
  if (first === 63 || first === 35) {
    if (special && url.path === '') url.path = '/'
    return parseTail(url, text)
  }
  url.query = null
  url.path = slice(url.path, 0, lastIndexOf(url.path, '/') + 1)
  const directory = url.path === '' ? '' : slice(url.path, 0, url.path.length - 1)
  url.path = directory
  return parseSegments(url, text)
}

/** What follows `//`: credentials, host, port; then the path. */
function parseAuthority(url: UrlRecord, text: string): UrlRecord | null {
  const special = isSpecial(url.scheme)
  let end = 0
  while (end < text.length && !isSlash(charCodeAt(text, end), special) && !among(charCodeAt(text, end), '?#'))
    end++
  const authority = slice(text, 0, end)
  const sign = url.scheme === 'file' ? -1 : lastIndexOf(authority, '@')
  if (sign !== -1) {
    const info = slice(authority, 0, sign)
    const colon = indexOf(info, ':')
    url.username = percentEncode(colon === -1 ? info : slice(info, 0, colon), inUserInfo)
    if (colon !== -1) url.password = percentEncode(slice(info, colon + 1), inUserInfo)
    if (sign + 1 === authority.length) return null
  }
  if (!setHostAndPort(url, slice(authority, sign + 1))) return null
  return parsePath(url, slice(text, end))
}

/** `host`, `host:port`. False where it is none. */
export function setHostAndPort(url: UrlRecord, text: string): boolean {
  const special = isSpecial(url.scheme)
  const colon = indexOf(text, ':', lastIndexOf(text, ']') + 1)
  const hostText = colon === -1 || url.scheme === 'file' ? text : slice(text, 0, colon)
  if (hostText === '') {
    if ((special && url.scheme !== 'file') || colon !== -1) return false
    url.host = ''
    return true
  }
  const host = parseHost(hostText, special)
  if (host === null) return false
  const port = colon === -1 || url.scheme === 'file' ? '' : parsePort(slice(text, colon + 1), url.scheme)
  if (port === null) return false
  url.host = url.scheme === 'file' && host === 'localhost' ? '' : host
  url.port = port
  return true
}

/** Normal form, empty where it is the scheme's own, null where it is no port. */
export function parsePort(text: string, scheme: string): string | null {
  let port = 0
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code < 48 || code > 57) return null
    port = port * 10 + (code - 48)
    if (port > 65_535) return null
  }
  return text === '' || `${port}` === defaultPort(scheme) ? '' : `${port}`
}

/** From the `/` that starts the path, or from `?`, `#` or nothing. */
export function parsePath(url: UrlRecord, text: string): UrlRecord {
  const special = isSpecial(url.scheme)
  if (isSlash(charCodeAt(text, 0), special)) return parseSegments(url, slice(text, 1))
  if (special) return parseSegments(url, text)
  return text === '' || among(charCodeAt(text, 0), '?#') ? parseTail(url, text) : parseSegments(url, text)
}

/** Appends segments to `url.path`, which ends without a slash. */
function parseSegments(url: UrlRecord, text: string): UrlRecord {
  const special = isSpecial(url.scheme)
  let path = url.path
  let from = 0
  for (let i = 0; ; i++) {
    const code = charCodeAt(text, i)
    const isEnd = i >= text.length || code === 63 || code === 35
    if (!isEnd && !isSlash(code, special)) continue
    const segment = slice(text, from, i)
    const dots = dotsOf(segment)
    if (dots === 2) path = slice(path, 0, lastIndexOf(path, '/') === -1 ? 0 : lastIndexOf(path, '/'))
    if (dots === 0) path += `/${percentEncode(segment, inPath)}`
    else if (isEnd) path += '/'
    if (isEnd) {
      url.path = path
      return parseTail(url, slice(text, i))
    }
    from = i + 1
  }
}

/** 1 for `.`, 2 for `..`, also where a dot is `%2e`; 0 for all else. */
function dotsOf(segment: string): number {
  if (segment === '.') return 1
  if (segment === '..') return 2
  if (segment.length > 6 || indexOf(segment, '%') === -1) return 0
  const lower = toLowerCase(segment)
  if (lower === '%2e') return 1
  return lower === '.%2e' || lower === '%2e.' || lower === '%2e%2e' ? 2 : 0
}

function parseOpaque(url: UrlRecord, text: string): UrlRecord {
  let end = 0
  while (end < text.length && !among(charCodeAt(text, end), '?#')) end++
  let path = percentEncode(slice(text, 0, end), isPrintable)
  // A space at the end would vanish when the URL is parsed again.
  if (end < text.length && charCodeAt(path, path.length - 1) === 32)
    path = `${slice(path, 0, path.length - 1)}%20`
  url.path = path
  return parseTail(url, slice(text, end))
}

/** `?query#fragment`, each optional. */
function parseTail(url: UrlRecord, text: string): UrlRecord {
  const hash = indexOf(text, '#')
  const queryEnd = hash === -1 ? text.length : hash
  if (charCodeAt(text, 0) === 63) url.query = encodeQuery(slice(text, 1, queryEnd), url.scheme)
  if (hash !== -1) url.fragment = percentEncode(slice(text, hash + 1), inFragment)
  return url
}

/** §4.5. */
export function serialiseUrl(url: UrlRecord): string {
  let text = `${url.scheme}:`
  if (url.host !== null) {
    text += '//'
    if (url.username !== '' || url.password !== '') {
      text += `${url.username}${url.password === '' ? '' : `:${url.password}`}@`
    }
    text += url.host + (url.port === '' ? '' : `:${url.port}`)
  } else if (!url.isOpaque && startsWith(url.path, '//')) {
    text += '/.'
  }
  text += url.path
  if (url.query !== null) text += `?${url.query}`
  return url.fragment === null ? text : `${text}#${url.fragment}`
}
