/**
 * Percent-encoding: bytes as `%41`, in paths, queries and forms (WHATWG URL §1.3).
 *
 * Decoding goes through bytes, since `%C3%A9` is one character; what is no `%` and two hex digits stays as it is.
 */
import { charCodeAt, codePointAt, fromCharCode, indexOf, slice } from './primordials.ts'
import { decodeUtf8 } from './utf8.ts'

const HEX = '0123456789ABCDEF'

/** The value of a hex digit by its code, or -1. */
export function hexValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

/** One byte as `%XX`. */
export const percentByte = (byte: number): string => `%${HEX[byte >> 4]}${HEX[byte & 15]}`

/** A character (a code point), as UTF-8 in percent-encoding. A lone surrogate counts as U+FFFD. */
export function percentCharacter(code: number): string {
  if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd
  if (code < 0x80) return percentByte(code)
  if (code < 0x800) return percentByte(0xc0 | (code >> 6)) + percentByte(0x80 | (code & 63))
  if (code < 0x10000) {
    return (
      percentByte(0xe0 | (code >> 12)) +
      percentByte(0x80 | ((code >> 6) & 63)) +
      percentByte(0x80 | (code & 63))
    )
  }
  return (
    percentByte(0xf0 | (code >> 18)) +
    percentByte(0x80 | ((code >> 12) & 63)) +
    percentByte(0x80 | ((code >> 6) & 63)) +
    percentByte(0x80 | (code & 63))
  )
}

/** Encodes what `keeps` does not let stand. `keeps` is asked about ASCII alone. */
export function percentEncode(text: string, keeps: (code: number) => boolean): string {
  let out = ''
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code < 0x80 && keeps(code)) continue
    const point = codePointAt(text, i)
    out += slice(text, from, i) + percentCharacter(point)
    if (point > 0xffff) i++
    from = i + 1
  }
  return from === 0 ? text : out + slice(text, from)
}

/** Text whose characters are the bytes that `text` stands for (Latin-1). `text` is ASCII or is UTF-8 encoded on the way. */
function percentDecodeToBytes(text: string): string {
  let out = ''
  let from = 0
  let at = indexOf(text, '%')
  while (at !== -1) {
    const high = hexValue(charCodeAt(text, at + 1))
    const low = hexValue(charCodeAt(text, at + 2))
    if (high !== -1 && low !== -1) {
      out += slice(text, from, at) + fromCharCode(high * 16 + low)
      from = at + 3
    }
    at = indexOf(text, '%', at + 1 > from ? at + 1 : from)
  }
  return out + slice(text, from)
}

/** The text that percent-encoded ASCII stands for; bytes that are no UTF-8 become U+FFFD. */
export function percentDecode(text: string): string {
  return indexOf(text, '%') === -1 ? text : decodeUtf8(percentDecodeToBytes(text))
}
