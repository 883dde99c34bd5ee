/**
 * What each byte may be, as tables: a lookup a byte is the cheapest check there is, and the same table serves every parser.
 */

export const TAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
export const COLON = 0x3a
export const SLASH = 0x2f
export const QUESTION_MARK = 0x3f
export const BACKSLASH = 0x5c

function tableOf(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (pattern.test(String.fromCharCode(byte)) ? 1 : 0))
}

/** RFC 9110 §5.6.2: what names of fields consist of. */
export const TOKEN = tableOf(/[!#$%&'*+.^_`|~0-9A-Za-z-]/)

/**
 * Methods: tokens without lower-case letters. They are case-sensitive (RFC 9110 §9.1), so `post` is not `POST`; but origins
 * exist that take it for `POST`, and then whatever the edge checks by method was walked around.
 */
export const METHOD = tableOf(/[!#$%&'*+.^_`|~0-9A-Z-]/)

/** RFC 9110 §5.5: visible ASCII, space, tab and the upper half of Latin-1. No other control characters. */
export const VALUE = tableOf(/[\t\x20-\x7e\x80-\xff]/)

/**
 * Targets: visible ASCII except what browsers always encode and some servers cut at (`#`, `"`, `<`, `>`). RFC 3986 allows less, but
 * browsers send `|`, `[`, `{`, `^` as they are. The backslash is looked at apart: some servers take it for `/`.
 */
export const TARGET = tableOf(/[!$-;=?-[\]-~]/)

/** Digits of chunk sizes: their value, or 255. */
export const HEX = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = String.fromCharCode(byte)
  return /[0-9a-fA-F]/.test(digit) ? Number.parseInt(digit, 16) : 255
})

const TOKEN_TEXT = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VALUE_TEXT = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

/** May this be the name of a field (or a method, before its case is looked at)? For names that untrusted code sets. */
export function isToken(text: string): boolean {
  return TOKEN_TEXT.test(text)
}

/** May this be the value of a field: Latin-1, no control characters, no space around it? For values that untrusted code sets. */
export function isFieldValue(text: string): boolean {
  return VALUE_TEXT.test(text)
}
