/** The shapes of sizes, times and counts in a configuration. */
import * as v from 'valibot'
import { parseCidr } from '../base/cidr.ts'
import { pathPattern } from '../base/path-pattern.ts'
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

/** A whole number from 1, or from `min`, to `max`, which may be left open. */
export const count = (max: number = Number.MAX_SAFE_INTEGER, min = 1) => {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`
  const expected = `expected a whole number ${range}`
  return v.pipe(v.number(expected), v.integer(expected), v.minValue(min, expected), v.maxValue(max, expected))
}

/** A part of a whole: 0.2 is a fifth. */
export const share = () => {
  const expected = 'expected a share from 0 to 1, such as 0.2'
  return v.pipe(v.number(expected), v.minValue(0, expected), v.maxValue(1, expected))
}

const STATUSES_EXPECTED = 'expected a list of statuses such as [200, "300-399", "4xx"]'
const isStatus = (status: number) => status >= 100 && status <= 599

/** HTTP statuses, one by one or as ranges: `[200, "300-399", "4xx"]` in, a list of every one out. */
export const statuses = () =>
  v.pipe(
    v.array(v.union([v.number(), v.string()], STATUSES_EXPECTED), STATUSES_EXPECTED),
    v.check(
      (list) => list.length > 0 && list.every((item) => statusesOf(item).length > 0),
      STATUSES_EXPECTED,
    ),
    v.transform((list): readonly number[] => list.flatMap(statusesOf)),
  )

function statusesOf(item: number | string): number[] {
  const [from, to] = typeof item === 'number' ? [item, item] : statusRange(item)
  if (from === undefined || to === undefined || from > to || !isStatus(from) || !isStatus(to)) return []
  return Number.isInteger(from) ? Array.from({ length: to - from + 1 }, (_, i) => from + i) : []
}

/** `404`, `300-399`, `4xx`. */
function statusRange(text: string): readonly number[] {
  const [, from, to = from] = /^(\d{3})(?:-(\d{3}))?$/.exec(text.replace(/^([1-5])xx$/, '$100-$199')) ?? []
  return from === undefined ? [] : [Number(from), Number(to)]
}

const NETWORK_EXPECTED = 'expected an address or a prefix such as "10.0.0.0/8" or "2001:db8::/32"'

/** An address or a prefix, as text. */
export const network = () =>
  v.pipe(
    v.string(NETWORK_EXPECTED),
    v.check((text) => parseCidr(text) !== undefined, NETWORK_EXPECTED),
  )

const problemOfPath = (path: string): string | undefined => {
  const result = pathPattern(path)
  return 'problem' in result ? result.problem : undefined
}

/** A path as units name it: exact, or a start that ends in `*`. */
export const requestPath = () =>
  v.pipe(
    v.string('expected a path such as "/live.m3u8" or "/hls/*"'),
    v.check(
      (path) => problemOfPath(path) === undefined,
      ({ input }) => problemOfPath(input)!,
    ),
  )
