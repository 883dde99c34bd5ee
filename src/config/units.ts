/** Sizes and times as people write them: a number with a suffix, `"64mb"`, `"5s"`. */
import * as v from 'valibot'

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
}
const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

function parseSuffixed(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim())
  const factor = match ? units[match[2]!.toLowerCase()] : undefined
  return factor === undefined ? undefined : Math.round(Number(match![1]) * factor)
}

/** Bytes from `"64mb"`; kb is 1024. Undefined where it is not a size. */
export const parseSize = (text: string): number | undefined => parseSuffixed(text, SIZE_UNITS)

/** Milliseconds from `"5s"`. Undefined where it is not a time. */
export const parseDuration = (text: string): number | undefined => parseSuffixed(text, TIME_UNITS)

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
