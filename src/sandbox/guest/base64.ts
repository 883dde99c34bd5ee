/** `btoa` and `atob` (HTML §8.3), and base64url, in which keys of JWK are written. */
import { DOMException } from './dom-exception.ts'
import { charCodeAt, fromCharCode, indexOf, slice } from './primordials.ts'

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const URL_SAFE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Base64 of bytes that come as Latin-1. */
function encode(bytes: string, alphabet: string, pad: string): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i
    const word =
      (charCodeAt(bytes, i) << 16) |
      (left > 1 ? charCodeAt(bytes, i + 1) << 8 : 0) |
      (left > 2 ? charCodeAt(bytes, i + 2) : 0)
    text += alphabet[word >> 18]! + alphabet[(word >> 12) & 63]!
    text += left > 1 ? alphabet[(word >> 6) & 63]! : pad
    text += left > 2 ? alphabet[word & 63]! : pad
  }
  return text
}

/** Bytes as Latin-1, or null where the text is none. Padding is gone already. */
function decode(text: string, alphabet: string): string | null {
  if (text.length % 4 === 1) return null
  let bytes = ''
  let word = 0
  let bits = 0
  for (let i = 0; i < text.length; i++) {
    const digit = indexOf(alphabet, text[i]!)
    if (digit === -1) return null
    word = ((word << 6) | digit) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes += fromCharCode((word >> bits) & 255)
    }
  }
  return bytes
}

export function btoa(data: unknown): string {
  const bytes = `${data as string}`
  for (let i = 0; i < bytes.length; i++) {
    if (charCodeAt(bytes, i) > 255) {
      throw new DOMException('btoa takes characters up to U+00FF', 'InvalidCharacterError')
    }
  }
  return encode(bytes, STANDARD, '=')
}

export function atob(data: unknown): string {
  let text = withoutBlanks(`${data as string}`)
  if (text.length % 4 === 0) {
    for (let i = 0; i < 2 && charCodeAt(text, text.length - 1) === 61; i++)
      text = slice(text, 0, text.length - 1)
  }
  const bytes = decode(text, STANDARD)
  if (bytes === null) throw new DOMException('the text is not base64', 'InvalidCharacterError')
  return bytes
}

function withoutBlanks(text: string): string {
  let out = ''
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code !== 32 && code !== 9 && code !== 10 && code !== 12 && code !== 13) continue
    out += slice(text, from, i)
    from = i + 1
  }
  return from === 0 ? text : out + slice(text, from)
}

/** RFC 4648 §5, without padding. */
export const toBase64Url = (bytes: string): string => encode(bytes, URL_SAFE, '')
export const fromBase64Url = (text: string): string | null => decode(text, URL_SAFE)
