/**
 * Types and classes by the bytes of their names, without a string: a name of at most ten letters, digits and hyphens is a number in base 38, exactly.
 */
import { CLASS, TYPE } from '../codes.ts'

const LETTERS_MAX = 10

/** By byte, 1 to 37; 0 for what is in no name. */
const DIGITS = new Uint8Array(256)
for (let index = 0; index < 26; index++) DIGITS[0x41 + index] = DIGITS[0x61 + index] = index + 1
for (let index = 0; index < 10; index++) DIGITS[0x30 + index] = index + 27
DIGITS[0x2d] = 37

/** -1 where it is too long or has other characters. */
function packed(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > LETTERS_MAX) return -1
  let value = 0
  for (let at = from; at < to; at++) {
    const digit = DIGITS[bytes[at]!]!
    if (digit === 0) return -1
    value = value * 38 + digit
  }
  return value
}

const byName = (numbers: Readonly<Record<string, number>>): ReadonlyMap<number, number> =>
  new Map(
    Object.entries(numbers).map(([name, number]) => [packed(Buffer.from(name), 0, name.length), number]),
  )

const TYPES = byName(TYPE)
const CLASSES = byName(CLASS)

/** The number of a type; -1 where it is none. */
export const typeAt = (bytes: Uint8Array, from: number, to: number): number =>
  TYPES.get(packed(bytes, from, to)) ?? numbered(bytes, from, to, 'TYPE')

/** The number of a class; -1 where it is none. */
export const classAt = (bytes: Uint8Array, from: number, to: number): number =>
  CLASSES.get(packed(bytes, from, to)) ?? numbered(bytes, from, to, 'CLASS')

/** `TYPE65280`, `CLASS32` (RFC 3597 §5). */
function numbered(bytes: Uint8Array, from: number, to: number, prefix: string): number {
  const digitsAt = from + prefix.length
  if (digitsAt >= to || to > digitsAt + 5) return -1
  for (let at = 0; at < prefix.length; at++)
    if ((bytes[from + at]! & 0xdf) !== prefix.charCodeAt(at)) return -1
  let value = 0
  for (let at = digitsAt; at < to; at++) {
    const digit = bytes[at]! - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value <= 0xffff ? value : -1
}
