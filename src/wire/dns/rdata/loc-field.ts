/** A place on earth (RFC 1876): the whole data of LOC. */
import { DnsMalformed } from '../malformed.ts'
import type { RdataField } from './rdata-fields.ts'
import type { RdataWords } from './rdata-words.ts'

/** The equator and the first meridian, in thousandths of a second of arc. */
const MIDDLE = 2 ** 31
/** Altitudes count from this far below the ellipsoid, in centimetres. */
const DEPTH_CM = 10_000_000
const DEGREE = 3_600_000

export const location: RdataField = {
  parse(words, into) {
    const latitude = angle(words, 'the latitude', 'N', 'S', 90)
    const longitude = angle(words, 'the longitude', 'E', 'W', 180)
    const altitude = centimetres(words, 'the altitude') + DEPTH_CM
    if (altitude < 0 || altitude >= 2 ** 32)
      words.fail('the altitude is out of range: expected -100000.00m to 42849672.95m')
    into.number(0, 1)
    // Defaults: a metre across, ten kilometres and ten metres of precision (§3).
    into.number(sizeOf(words, 'the size', 0x12), 1)
    into.number(sizeOf(words, 'the horizontal precision', 0x16), 1)
    into.number(sizeOf(words, 'the vertical precision', 0x13), 1)
    into.number(latitude, 4)
    into.number(longitude, 4)
    into.number(altitude, 4)
  },
  text(from) {
    if (from.number(1) !== 0) throw new DnsMalformed('a version of LOC that is not known')
    const sizes = [from.number(1), from.number(1), from.number(1)].map(sizeText)
    const latitude = angleText(from.number(4), 'N', 'S', 90)
    const longitude = angleText(from.number(4), 'E', 'W', 180)
    const altitude = metres(from.number(4) - DEPTH_CM)
    return [latitude, longitude, altitude, ...sizes].join(' ')
  },
}

/** `52 22 23.000 N`; minutes and seconds may be left off. */
function angle(words: RdataWords, what: string, up: string, down: string, degreesMax: number): number {
  const parts: number[] = []
  for (;;) {
    const text = words.take(what).text.toUpperCase()
    if (text === up || text === down) {
      const [degrees = -1, minutes = 0, seconds = 0] = parts
      const total = Math.round(degrees * DEGREE + minutes * 60_000 + seconds * 1000)
      if (degrees < 0 || total > degreesMax * DEGREE)
        words.fail(`${what} is out of range: expected 0 to ${degreesMax} degrees`)
      return text === up ? MIDDLE + total : MIDDLE - total
    }
    const isNumber = parts.length < 2 ? /^\d{1,3}$/.test(text) : /^\d{1,2}(\.\d{1,3})?$/.test(text)
    if (parts.length === 3 || !isNumber || (parts.length > 0 && Number(text) >= 60))
      words.fail(`${what} has "${text}": expected degrees, minutes, seconds and ${up} or ${down}`)
    parts.push(Number(text))
  }
}

function centimetres(words: RdataWords, what: string): number {
  const { text } = words.take(what)
  const found = /^(-?)(\d{1,8})(?:\.(\d{1,2}))?m?$/i.exec(text)
  if (!found) words.fail(`${what} is "${text}": expected metres such as 10.00m`)
  const [, sign, whole, part = ''] = found
  const value = Number(whole) * 100 + Number(part.padEnd(2, '0'))
  return sign === '-' ? -value : value
}

/** A digit and a power of ten, of centimetres (§2). */
function sizeOf(words: RdataWords, what: string, fallback: number): number {
  if (words.isAtEnd) return fallback
  const value = centimetres(words, what)
  if (value < 0 || value > 9_000_000_000) words.fail(`${what} is out of range: expected 0 to 90000000.00m`)
  let exponent = 0
  let digit = value
  for (; digit >= 10; digit = Math.floor(digit / 10)) exponent += 1
  return (digit << 4) | exponent
}

function sizeText(size: number): string {
  if (size >> 4 > 9 || (size & 15) > 9) throw new DnsMalformed('a size in LOC is no number')
  return metres((size >> 4) * 10 ** (size & 15))
}

function angleText(value: number, up: string, down: string, degreesMax: number): string {
  const total = Math.abs(value - MIDDLE)
  if (total > degreesMax * DEGREE) throw new DnsMalformed('an angle in LOC is out of range')
  const degrees = Math.floor(total / DEGREE)
  const minutes = Math.floor((total % DEGREE) / 60_000)
  const seconds = ((total % 60_000) / 1000).toFixed(3)
  return `${degrees} ${minutes} ${seconds} ${value >= MIDDLE ? up : down}`
}

const metres = (centimetres: number): string => `${(centimetres / 100).toFixed(2)}m`
