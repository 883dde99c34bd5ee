/** A line of a unit's log as people read it. */
import type { UnitDetail } from '../control/shapes.ts'

type Line = UnitDetail['errors'][number]

/** `12:30:01.250 token-auth@3 error throw: Error: no (token-auth.ts:7:3)` and the stack below it, in local time. */
export function tailText({ at, unit, version, level, reason, message, where }: Line): string {
  const because = reason === undefined ? '' : `${reason}: `
  const place = where === undefined ? '' : ` (${where})`
  const [first = '', ...rest] = printable(message).split('\n')
  return [`${clockText(at)} ${unit}@${version} ${level} ${because}${first}${place}`, ...rest].join('\n')
}

function clockText(ms: number): string {
  const at = new Date(ms)
  const two = (n: number) => String(n).padStart(2, '0')
  const seconds = `${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`
  return `${two(at.getHours())}:${two(at.getMinutes())}:${seconds}`
}

/** A unit is not trusted: what it logs must not move the cursor, nor look like the lines of another unit. */
export const printable = (text: string): string =>
  text
    .replaceAll('\n', '\n  ')
    .replaceAll(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g, (char) => (char === '\t' ? char : '\uFFFD'))
