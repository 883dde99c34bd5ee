/** Sizes and times as people write them: a number with a suffix, `"64mb"`, `"5s"`. */
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['kb', 1024],
  ['mb', 1024 ** 2],
  ['gb', 1024 ** 3],
  ['tb', 1024 ** 4],
])
const TIME_UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

function parseSuffixed(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim()) ?? []
  const factor = units.get(unit.toLowerCase())
  return factor === undefined ? undefined : Math.round(Number(amount) * factor)
}

/** Bytes from `"64mb"`; kb is 1024. Undefined where it is not a size. */
export const parseSize = (text: string): number | undefined => parseSuffixed(text, SIZE_UNITS)

/** Milliseconds from `"5s"`. Undefined where it is not a time. */
export const parseDuration = (text: string): number | undefined => parseSuffixed(text, TIME_UNITS)
