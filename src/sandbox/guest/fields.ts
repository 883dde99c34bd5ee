/**
 * Checks of what goes into a head: methods, paths, queries, header names and values.
 *
 * Whatever passes here is text that can stand in an HTTP/1.1 message without changing its shape, and on a line of edits.
 * The errors name the problem, for the unit's author.
 */
import {
  charCodeAt,
  indexOf,
  numberToString,
  padStart,
  slice,
  stringifyJson,
  toFixed,
  toLowerCase,
  toUpperCase,
} from './primordials.ts'
import { percentEncode } from './percent.ts'

/** RFC 9110 §5.6.2: the characters of a token, by code. */
const TOKEN = characters("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

function characters(all: string): Uint8Array {
  const table = new Uint8Array(256)
  for (let i = 0; i < all.length; i++) table[charCodeAt(all, i)] = 1
  return table
}

export function isToken(text: string): boolean {
  if (text.length === 0) return false
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code > 255 || TOKEN[code] === 0) return false
  }
  return true
}

/** The text in quotes, cut where it is long, for messages. */
export const quoted = (text: string): string =>
  stringifyJson(text.length > 80 ? `${slice(text, 0, 77)}...` : text)

const shown = (code: number): string =>
  code > 32 && code < 127 ? '' : ` (U+${padStart(numberToString(code, 16), 4, '0')})`

/** What was given for a name, as text: read once, since an object may answer differently each time. */
export const nameText = (name: unknown): string => (typeof name === 'string' ? name : `${name as string}`)

/** The name in lower case. Throws where it is none. */
export function headerName(text: string): string {
  let upper = false
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code > 255 || TOKEN[code] === 0)
      throw new TypeError(`${quoted(text)} is not a header name${shown(code)}`)
    if (code >= 65 && code <= 90) upper = true
  }
  if (text.length === 0) throw new TypeError('a header name is empty')
  return upper ? toLowerCase(text) : text
}

/**
 * Headers that say how a message is framed or routed: the edge writes them by itself, and refuses edits of them
 * (`http/edits.ts`), so the author is told where it happens.
 */
export function isFraming(name: string): boolean {
  switch (name) {
    case 'cdn-loop':
    case 'connection':
    case 'content-length':
    case 'host':
    case 'keep-alive':
    case 'proxy-connection':
    case 'te':
    case 'trailer':
    case 'transfer-encoding':
    case 'upgrade':
      return true
    default:
      return false
  }
}

const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 10 || code === 13

/** The value without blanks around it. Latin-1 and no control characters but tab (RFC 9110 §5.5). */
export function headerValue(value: unknown, name: string): string {
  const text = typeof value === 'string' ? value : `${value as string}`
  let from = 0
  let to = text.length
  while (from < to && isBlank(charCodeAt(text, from))) from++
  while (to > from && isBlank(charCodeAt(text, to - 1))) to--
  for (let i = from; i < to; i++) {
    const code = charCodeAt(text, i)
    if ((code < 32 && code !== 9) || code === 127) {
      throw new TypeError(`the value of header ${name} holds a control character${shown(code)}`)
    }
    if (code > 255)
      throw new TypeError(`the value of header ${name} holds a character beyond Latin-1${shown(code)}`)
  }
  return from === 0 && to === text.length ? text : slice(text, from, to)
}

export function checkMethod(method: unknown): string {
  if (typeof method !== 'string' || !isToken(method) || toUpperCase(method) !== method) {
    throw new TypeError(`${describe(method)} is not a method (a word in upper case)`)
  }
  if (method === 'CONNECT' || method === 'TRACE') throw new TypeError(`the method ${method} cannot be sent`)
  return method
}

/** May not stand in a request target, because some servers cut or change it: as `wire/http1/characters.ts` has it. */
const isOutsideTarget = (code: number): boolean =>
  code <= 32 || code >= 127 || code === 34 || code === 35 || code === 60 || code === 62 || code === 92

/** A path as it stands in a request line: starts with `/`, printable ASCII, no `?`, `#`, `"`, `<`, `>`, `\\`. */
export function checkPath(path: unknown): string {
  if (typeof path !== 'string') throw new TypeError(`a path is text, not ${describe(path)}`)
  if (charCodeAt(path, 0) !== 47) throw new TypeError(`the path ${quoted(path)} does not start with "/"`)
  for (let i = 1; i < path.length; i++) {
    const code = charCodeAt(path, i)
    if (code === 63) throw new TypeError(`the path ${quoted(path)} holds a "?": set request.query`)
    if (isOutsideTarget(code)) {
      throw new TypeError(
        `the path ${quoted(path)} holds a character that must be percent-encoded${shown(code)}`,
      )
    }
  }
  return path
}

/** A query as it stands in a request line, without its `?`. */
export function checkQuery(query: string): string {
  for (let i = 0; i < query.length; i++) {
    const code = charCodeAt(query, i)
    if (isOutsideTarget(code)) {
      throw new TypeError(
        `the query ${quoted(query)} holds a character that must be percent-encoded${shown(code)}`,
      )
    }
  }
  return query
}

/** A status that can end a request: 200 to 599. */
export function checkStatus(status: unknown): number {
  if (typeof status !== 'number' || !(status >= 200 && status <= 599) || status % 1 !== 0) {
    throw new RangeError(`${describe(status)} is not a status from 200 to 599`)
  }
  return status
}

/** Seconds that a response may be kept: 0 to 2³¹, whole or not. */
export function checkTtl(ttl: unknown): number {
  if (typeof ttl !== 'number' || !(ttl >= 0 && ttl <= 2 ** 31)) {
    throw new RangeError(`${describe(ttl)} is no ttl: a number of seconds, 0 or more`)
  }
  // Milliseconds, and no exponent on the line of edits.
  return +toFixed(ttl, 3)
}

/** Characters of a cache key at most, as `http/caching/keys/site-key.ts` has it. */
const KEY_MAX = 1024

/** What an answer is kept under, as URLs are written: with a slash in front, and percent-encoded where it is not visible ASCII. */
export function checkCacheKey(key: unknown): string {
  if (typeof key !== 'string' || key === '')
    throw new TypeError(`${describe(key)} is no cache key: text, not empty`)
  const encoded = percentEncode(key, (code) => code > 32 && code < 127)
  const text = charCodeAt(encoded, 0) === 47 ? encoded : `/${encoded}`
  if (text.length > KEY_MAX)
    throw new RangeError(
      `the cache key ${quoted(key)} has ${text.length} characters: at most ${KEY_MAX} are kept`,
    )
  return text
}

/** The `Host` that an origin is to see: set or deleted, never a second one. */
export function checkHost(kind: 'h' | 'a' | 'd', value: string): void {
  if (kind === 'd') return
  if (kind === 'a') throw new TypeError('the header host is there once: set it')
  for (let i = 0; i < value.length; i++) {
    const code = charCodeAt(value, i)
    const isName = isToken(slice(value, i, i + 1)) || code === 58 || code === 91 || code === 93
    if (!isName) throw new TypeError(`${quoted(value)} is no host${shown(code)}`)
  }
  if (value === '') throw new TypeError("the header host is empty: delete it to send the endpoint's own")
}

/** One of these, by what it is called or, of a URL, by `HOST:PORT`; returns what it is called. */
export function checkEndpoint(endpoint: unknown, known: readonly string[]): string {
  let list = ''
  for (let i = 0; i < known.length; i++) {
    const url = known[i]!
    const scheme = indexOf(url, '://')
    const authority = scheme < 0 ? url : slice(url, scheme + 3)
    if (endpoint === url || endpoint === `${url}/` || endpoint === authority) return url
    list += i === 0 ? url : `, ${url}`
  }
  throw new TypeError(
    `${describe(endpoint)} is no endpoint of this site: its endpoints are ${list || 'none'}`,
  )
}

/** What a value is, in words: `a number`, `null`, `the text "x"`. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'string':
      return `the text ${quoted(value)}`
    case 'number':
      return `the number ${value}`
    case 'undefined':
      return 'nothing'
    case 'object':
      return 'an object'
    default:
      return `a ${typeof value}`
  }
}
