/** Sizes and counts for people: `128 MiB`, `1.9 GiB`; `10,000`. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** At most three digits that matter. */
export function bytesText(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = Number.isInteger(value) || value >= 100 ? 0 : 1
  return `${value.toFixed(digits).replace(/\.0$/, '')} ${UNITS[unit]}`
}

export const countText = (count: number): string => count.toLocaleString('en-US')
