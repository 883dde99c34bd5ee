/** Whether parts go together: what `If-Range` asks (RFC 9110 §13.1.5), and which validators can tell (§8.8.1). */
import { headerValue, type HeaderList } from '../../wire/http1/message.ts'
import { parseHttpDate } from '../caching/http-date.ts'

export interface PartValidators {
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  /** When the answer was made. Absent where `lastModified` is exact anyway: of files. */
  readonly date?: string | undefined
}

/** Parts are only of use to who has the rest of this very representation. True also where nobody asks for that. */
export function isRangeCurrent(headers: HeaderList, has: PartValidators): boolean {
  const field = headerValue(headers, 'if-range')?.trim()
  if (field === undefined) return true
  if (field.includes('"')) return has.etag !== undefined && matchesStrongly(field, has.etag)
  return field === has.lastModified && isStrongDate(has)
}

/** §8.8.3.2: a weak tag matches nothing strongly. */
export function matchesStrongly(field: string, etag: string): boolean {
  return [...field.matchAll(/(W\/)?("[^"]*")/g)].some(([, weak, tag]) => weak === undefined && tag === etag)
}

/**
 * What tells for sure that two parts are of one representation: its strong `ETag`, or where it has none its `Last-Modified`, if that is
 * strong. In the form in which `If-Range` takes it. Undefined: nothing does, and parts are not to be put together (RFC 9111 §3.3, §3.4).
 */
export function strongValidator(has: PartValidators): string | undefined {
  if (has.etag !== undefined) return /^"[^"]*"$/.test(has.etag) ? has.etag : undefined
  return has.lastModified !== undefined && isStrongDate(has) ? has.lastModified : undefined
}

/** §8.8.2.2: what was changed in the second in which it was sent may have been changed once more in it. */
function isStrongDate({ lastModified, date }: PartValidators): boolean {
  if (date === undefined) return true
  const made = parseHttpDate(date, 0)
  const modified = parseHttpDate(lastModified!, 0)
  return made !== undefined && modified !== undefined && made - modified >= 1000
}
