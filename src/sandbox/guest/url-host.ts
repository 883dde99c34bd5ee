/**
 * Hosts of URLs (WHATWG URL §3.5): names, IPv4 in all its spellings, IPv6, and opaque hosts of schemes we do not know.
 *
 * Names outside ASCII are refused instead of converted: Unicode's tables would be larger than all of the guest. Write
 * them in punycode (`xn--…`).
 */
import { hexValue, percentDecode, percentEncode } from './percent.ts'
import { charCodeAt, floor, indexOf, lastIndexOf, numberToString, slice, toLowerCase } from './primordials.ts'

/** The host in its normal form, or null where it is none. */
export function parseHost(text: string, isSpecial: boolean): string | null {
  if (charCodeAt(text, 0) === 91) {
    return charCodeAt(text, text.length - 1) === 93 ? parseIpv6(slice(text, 1, text.length - 1)) : null
  }
  if (!isSpecial) return hasForbidden(text, FORBIDDEN) ? null : percentEncode(text, isPrintable)
  const name = toLowerCase(percentDecode(text))
  if (name === '' || !isAllAscii(name) || hasForbidden(name, FORBIDDEN_IN_DOMAIN)) return null
  return endsInNumber(name) ? parseIpv4(name) : name
}

const FORBIDDEN = '\0\t\n\r #/:<>?@[\\]^|'
const FORBIDDEN_IN_DOMAIN = `${FORBIDDEN}%\x7f`

const isPrintable = (code: number): boolean => code > 31 && code < 127

function hasForbidden(text: string, forbidden: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (
      code < 128 &&
      ((forbidden === FORBIDDEN_IN_DOMAIN && code < 32) || indexOf(forbidden, text[i]!) !== -1)
    )
      return true
  }
  return false
}

function isAllAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (charCodeAt(text, i) > 127) return false
  return true
}

function endsInNumber(name: string): boolean {
  const whole = charCodeAt(name, name.length - 1) === 46 ? slice(name, 0, name.length - 1) : name
  const last = slice(whole, lastIndexOf(whole, '.') + 1)
  if (last === '') return false
  let digits = true
  for (let i = 0; i < last.length; i++) digits &&= charCodeAt(last, i) >= 48 && charCodeAt(last, i) <= 57
  return digits || !Number.isNaN(ipv4Number(last))
}

/** One part of an IPv4 address: decimal, `0x` hexadecimal, or octal with a leading 0. NaN where it is none. */
function ipv4Number(text: string): number {
  let radix = 10
  let from = 0
  if (text.length >= 2 && charCodeAt(text, 0) === 48) {
    radix = (charCodeAt(text, 1) | 32) === 120 ? 16 : 8
    from = radix === 16 ? 2 : 1
  } else if (text === '') {
    return Number.NaN
  }
  let value = 0
  for (let i = from; i < text.length; i++) {
    const digit = hexValue(charCodeAt(text, i))
    if (digit === -1 || digit >= radix) return Number.NaN
    value = value * radix + digit
  }
  return value
}

function parseIpv4(text: string): string | null {
  const whole = charCodeAt(text, text.length - 1) === 46 ? slice(text, 0, text.length - 1) : text
  let address = 0
  let at = 0
  for (let part = 0; part < 4; part++) {
    const dot = indexOf(whole, '.', at)
    const value = ipv4Number(slice(whole, at, dot === -1 ? whole.length : dot))
    if (Number.isNaN(value)) return null
    if (dot === -1) {
      // The last part fills what the others left: `127.1` is `127.0.0.1`.
      if (value >= 256 ** (4 - part)) return null
      return ipv4Text(address * 256 ** (4 - part) + value)
    }
    if (value > 255) return null
    address = address * 256 + value
    at = dot + 1
  }
  return null
}

const ipv4Text = (address: number): string =>
  `${floor(address / 2 ** 24)}.${floor(address / 2 ** 16) % 256}.${floor(address / 256) % 256}.${address % 256}`

function parseIpv6(text: string): string | null {
  const pieces = new Uint16Array(8)
  let piece = 0
  let compress = -1
  let at = 0
  if (charCodeAt(text, 0) === 58) {
    if (charCodeAt(text, 1) !== 58) return null
    at = 2
    compress = piece = 1
  }
  while (at < text.length) {
    if (piece === 8) return null
    if (charCodeAt(text, at) === 58) {
      if (compress !== -1) return null
      at++
      compress = ++piece
      continue
    }
    const from = at
    let value = 0
    while (at - from < 4 && hexValue(charCodeAt(text, at)) !== -1)
      value = value * 16 + hexValue(charCodeAt(text, at++))
    const next = charCodeAt(text, at)
    if (next === 46) {
      if (piece > 6 || !ipv4InIpv6(slice(text, from), pieces, piece)) return null
      piece += 2
      break
    }
    if (next === 58) {
      if (++at === text.length) return null
    } else if (at < text.length) {
      return null
    }
    pieces[piece++] = value
  }
  if (compress !== -1) {
    // What stands behind `::` moves to the end.
    for (let i = piece - 1, to = 7; i >= compress && to > i; i--, to--) {
      pieces[to] = pieces[i]!
      pieces[i] = 0
    }
  } else if (piece !== 8) {
    return null
  }
  return `[${ipv6Text(pieces)}]`
}

/** Four decimal numbers without leading zeros, as the last two pieces. */
function ipv4InIpv6(text: string, pieces: Uint16Array, piece: number): boolean {
  let at = 0
  for (let seen = 0; seen < 4; seen++) {
    if (seen > 0 && charCodeAt(text, at++) !== 46) return false
    const from = at
    let value = 0
    while (charCodeAt(text, at) >= 48 && charCodeAt(text, at) <= 57) {
      if (at > from && value === 0) return false
      value = value * 10 + (charCodeAt(text, at++) - 48)
      if (value > 255) return false
    }
    if (at === from) return false
    pieces[piece + (seen >> 1)] = pieces[piece + (seen >> 1)]! * 256 + value
  }
  return at === text.length
}

/** RFC 5952: the first of the longest runs of two or more zero pieces becomes `::`. */
function ipv6Text(pieces: Uint16Array): string {
  let best = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && pieces[i + length] === 0) length++
    if (length > bestLength) {
      best = i
      bestLength = length
    }
    i += length
  }
  let text = ''
  for (let i = 0; i < 8; i++) {
    if (i === best) {
      text += i === 0 ? '::' : ':'
      i += bestLength - 1
      continue
    }
    text += numberToString(pieces[i]!, 16) + (i < 7 ? ':' : '')
  }
  return text
}
