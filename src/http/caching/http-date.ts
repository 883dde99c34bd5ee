/**
 * Dates in headers: all three forms of RFC 9110 §5.6.7, read strictly, but in any case, as RFC 9111 §4.2 asks of caches.
 *
 * Strict, because a date that is not understood means "stale" (RFC 9111 §5.3), which is the safe way to be wrong;
 * `Date.parse` would take `0`, `2030` or a local time for a date.
 */
import { copyText } from './text.ts'

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const TIME = '(\\d{2}):(\\d{2}):(\\d{2})'
/** `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is sent today. */
const IMF_FIXDATE = new RegExp(
  `^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), (\\d{2}) ([a-z]{3}) (\\d{4}) ${TIME} GMT$`,
  'i',
)
/** `Sunday, 06-Nov-94 08:49:37 GMT`. */
const RFC_850 = new RegExp(
  `^(?:Sun|Mon|Tues|Wednes|Thurs|Fri|Satur)day, (\\d{2})-([a-z]{3})-(\\d{2}) ${TIME} GMT$`,
  'i',
)
/** `Sun Nov  6 08:49:37 1994`. */
const ASCTIME = new RegExp(`^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([a-z]{3}) ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i')

const FIFTY_YEARS_MS = 50 * 365.25 * 86_400_000

// An origin sends one `Date` for a whole second, and the same `Last-Modified` for ever: the last few answers are kept.
const remembered = new Map<string, number | undefined>()
const REMEMBERED_MAX = 64

/**
 * Milliseconds since 1970, or undefined where the text is not a date. `nowMs` decides the century of the two-digit
 * form: one that seems more than 50 years ahead is in the past.
 */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  const known = remembered.get(text)
  if (known !== undefined) return known
  const imf = IMF_FIXDATE.exec(text)
  if (imf !== null) {
    const [, day, month, year, hour, minute, second] = imf
    const time = toMs(year!, month!, day!, hour!, minute!, second!)
    if (remembered.size >= REMEMBERED_MAX) remembered.clear()
    remembered.set(copyText(text), time)
    return time
  }
  const old = RFC_850.exec(text)
  if (old !== null) {
    const [, day, month, year, hour, minute, second] = old
    const century = Math.floor(new Date(nowMs).getUTCFullYear() / 100)
    const time = toMs(`${century}${year}`, month!, day!, hour!, minute!, second!)
    if (time === undefined || time - nowMs <= FIFTY_YEARS_MS) return time
    return toMs(`${century - 1}${year}`, month!, day!, hour!, minute!, second!)
  }
  const asc = ASCTIME.exec(text)
  if (asc !== null) {
    const [, month, day, hour, minute, second, year] = asc
    return toMs(year!, month!, day!.trim(), hour!, minute!, second!)
  }
  return undefined
}

/** `Sun, 06 Nov 1994 08:49:37 GMT`. */
export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString()
}

function toMs(
  year: string,
  month: string,
  day: string,
  hour: string,
  minute: string,
  second: string,
): number | undefined {
  const monthIndex = MONTHS.indexOf(month.toLowerCase())
  const seconds = Number(second)
  if (monthIndex < 0 || Number(hour) > 23 || Number(minute) > 59 || seconds > 60) return undefined
  // Year 0 to 99 would be read as 19xx by `Date.UTC`; no such date is meant.
  if (Number(year) < 100) return undefined
  // A leap second is the second before the next minute, as most clocks have it.
  const time = Date.UTC(
    Number(year),
    monthIndex,
    Number(day),
    Number(hour),
    Number(minute),
    Math.min(seconds, 59),
  )
  // 31 February would roll over into March.
  return new Date(time).getUTCDate() === Number(day) ? time : undefined
}
