/** Times to live in master files: seconds, or with the units that BIND made common: `1h30m`, `2W`. */

/** Seconds of a unit, by its letter in lower case. */
const UNIT_S: Readonly<Record<number, number>> = {
  0x73: 1,
  0x6d: 60,
  0x68: 3600,
  0x64: 86_400,
  0x77: 604_800,
}

/** Seconds up to 2^32 - 1; undefined where the text is no time. */
export function parseTtl(text: string): number | undefined {
  let total = 0
  let value = -1
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code >= 0x30 && code <= 0x39) {
      value = (value < 0 ? 0 : value) * 10 + code - 0x30
      if (value > 0xffff_ffff) return undefined
      continue
    }
    const unitS = UNIT_S[code | 0x20]
    if (unitS === undefined || value < 0) return undefined
    total += value * unitS
    value = -1
  }
  // A number at the end without a unit is seconds, alone or behind others: BIND reads `1h30` so.
  if (value >= 0) total += value
  return text.length > 0 && total <= 0xffff_ffff ? total : undefined
}
