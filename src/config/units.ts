/** The shapes of sizes, times and counts in a configuration. */
import * as v from 'valibot'
import { parseCidr } from '../base/cidr.ts'
import { parseDuration, parseSize } from '../base/quantity.ts'

const SIZE_EXPECTED = 'expected a size such as "64mb" (b, kb, mb, gb, tb)'
const TIME_EXPECTED = 'expected a time such as "5s" (ms, s, m, h, d)'

/** A size in the configuration: `"64mb"` in, bytes out. */
export const size = () =>
  v.pipe(
    v.string(SIZE_EXPECTED),
    v.check((text) => parseSize(text) !== undefined, SIZE_EXPECTED),
    v.transform((text) => parseSize(text)!),
  )

/** A time in the configuration: `"5s"` in, milliseconds out. */
export const duration = () =>
  v.pipe(
    v.string(TIME_EXPECTED),
    v.check((text) => parseDuration(text) !== undefined, TIME_EXPECTED),
    v.transform((text) => parseDuration(text)!),
  )

/** A whole number from 1 to `max`, which may be left open. */
export const count = (max: number = Number.MAX_SAFE_INTEGER) => {
  const expected = `expected a whole number ${max === Number.MAX_SAFE_INTEGER ? 'from 1' : `from 1 to ${max}`}`
  return v.pipe(v.number(expected), v.integer(expected), v.minValue(1, expected), v.maxValue(max, expected))
}

const NETWORK_EXPECTED = 'expected an address or a prefix such as "10.0.0.0/8" or "2001:db8::/32"'

/** An address or a prefix, as text. */
export const network = () =>
  v.pipe(
    v.string(NETWORK_EXPECTED),
    v.check((text) => parseCidr(text) !== undefined, NETWORK_EXPECTED),
  )
