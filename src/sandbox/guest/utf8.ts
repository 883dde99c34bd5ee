/**
 * UTF-8 from and to text, in two shapes of bytes: a `Uint8Array`, and Latin-1 text (a character a byte), which is how
 * bodies cross. Decoding follows the Encoding standard: each maximal part of a bad sequence is one U+FFFD.
 */
import {
  Bytes,
  charCodeAt,
  codePointAt,
  fromCharCode,
  fromCodePoint,
  reflectApply,
  slice,
  subarray,
  viewLength,
} from './primordials.ts'

/** Characters given to one `fromCharCode`: more would need a deep stack. */
const PIECE = 4096

/** Bytes as text, a character a byte. */
export function latin1OfBytes(bytes: Uint8Array): string {
  const length = viewLength(bytes)
  let text = ''
  for (let at = 0; at < length; at += PIECE) {
    const piece = subarray(bytes, at, at + PIECE < length ? at + PIECE : length)
    text += reflectApply(fromCharCode, null, piece as unknown as number[])
  }
  return text
}

export function bytesOfLatin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = charCodeAt(text, i)
  return bytes
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (charCodeAt(text, i) > 127) return false
  return true
}

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes(utf8Length(text))
  encodeUtf8Into(text, bytes, bytes.length)
  return bytes
}

function utf8Length(text: string): number {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code < 0x80) continue
    length += code < 0x800 ? 1 : 2
    // A pair of surrogates is four bytes for two characters; one alone becomes U+FFFD, three bytes.
    if (code >= 0xd800 && code <= 0xdbff && codePointAt(text, i) > 0xffff) i++
  }
  return length
}

/** Writes whole characters while they fit into `room` bytes. */
export function encodeUtf8Into(
  text: string,
  into: Uint8Array,
  room: number,
): { read: number; written: number } {
  let at = 0
  let i = 0
  while (i < text.length) {
    let code = charCodeAt(text, i)
    let taken = 1
    if (code >= 0xd800 && code <= 0xdfff) {
      code = codePointAt(text, i)
      if (code > 0xffff) taken = 2
      else code = 0xfffd
    }
    const needs = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    if (at + needs > room) break
    if (needs === 1) {
      into[at++] = code
    } else {
      if (needs === 2) {
        into[at++] = 0xc0 | (code >> 6)
      } else {
        if (needs === 3) {
          into[at++] = 0xe0 | (code >> 12)
        } else {
          into[at++] = 0xf0 | (code >> 18)
          into[at++] = 0x80 | ((code >> 12) & 63)
        }
        into[at++] = 0x80 | ((code >> 6) & 63)
      }
      into[at++] = 0x80 | (code & 63)
    }
    i += taken
  }
  return { read: i, written: at }
}

/** Text of bytes that come as Latin-1. With `fatal`, a `TypeError` where they are no UTF-8. */
export function decodeUtf8(bytes: string, fatal = false): string {
  if (isAscii(bytes)) return bytes
  let out = ''
  let from = 0
  let i = 0
  while (i < bytes.length) {
    const lead = charCodeAt(bytes, i)
    if (lead < 0x80) {
      i++
      continue
    }
    out += slice(bytes, from, i)
    const sequence = readSequence(bytes, i, lead)
    if (sequence.code === -1) {
      if (fatal) throw new TypeError('the bytes are not valid UTF-8')
      out += '\ufffd'
    } else {
      out += fromCodePoint(sequence.code)
    }
    i += sequence.length
    from = i
  }
  return out + slice(bytes, from)
}

// Filled in by `readSequence`: one object for all characters.
const found = { code: 0, length: 0 }

/** The character that starts at `at`, or code -1 and the length of what is to be replaced. */
function readSequence(
  bytes: string,
  at: number,
  lead: number,
): { readonly code: number; readonly length: number } {
  const needs =
    lead >= 0xc2 && lead <= 0xdf ? 1 : lead >= 0xe0 && lead <= 0xef ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : 0
  found.code = -1
  found.length = 1
  if (needs === 0) return found
  // The bounds of the second byte keep out overlong forms, surrogates, and what lies beyond U+10FFFF.
  let lower = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  let upper = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  let code = lead & (needs === 1 ? 0x1f : needs === 2 ? 0x0f : 0x07)
  for (let k = 1; k <= needs; k++) {
    const next = charCodeAt(bytes, at + k)
    if (!(next >= lower && next <= upper)) return found
    code = (code << 6) | (next & 63)
    found.length = k + 1
    lower = 0x80
    upper = 0xbf
  }
  found.code = code
  return found
}
