/** Numbers of caches as a person reads them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** `512 B`, `1.5 MB`. */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** `93.1%`; a dash where there was nothing to share. */
export const shareText = (share: number | undefined): string =>
  share === undefined ? '-' : `${(share * 100).toFixed(1)}%`

/** `45s`, `12m`, `3h`, `20d`. */
export function secondsText(seconds: number): string {
  const [sign, all] = seconds < 0 ? ['-', -seconds] : ['', seconds]
  if (all < 120) return `${sign}${all}s`
  if (all < 7200) return `${sign}${Math.floor(all / 60)}m`
  if (all < 172_800) return `${sign}${Math.floor(all / 3600)}h`
  return all < 100_000 * 86_400 ? `${sign}${Math.floor(all / 86_400)}d` : `${sign}ever`
}
