/** What a request's conditions make of a file, in the order of RFC 9110 §13.2.2. */
import { headerValue, headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { isNotModified } from '../caching/conditional.ts'
import { parseHttpDate } from '../caching/http-date.ts'
import { matchesStrongly } from '../ranges/range-conditions.ts'

export interface FileValidators {
  readonly etag: string
  readonly lastModified: string
}

/** `go`: as if there were none. */
export function judgeConditions(headers: HeaderList, file: FileValidators, nowMs: number): 'go' | 304 | 412 {
  const match = headerValues(headers, 'if-match')
  if (match !== undefined) {
    if (match.trim() !== '*' && !matchesStrongly(match, file.etag)) return 412
  } else {
    const unmodified = dateOf(headers, 'if-unmodified-since', nowMs)
    if (unmodified !== undefined && parseHttpDate(file.lastModified, nowMs)! > unmodified) return 412
  }
  const validators = { status: 200, ...file, date: undefined }
  return isNotModified(headers, validators, nowMs) ? 304 : 'go'
}

function dateOf(headers: HeaderList, name: string, nowMs: number): number | undefined {
  const field = headerValue(headers, name)
  return field === undefined ? undefined : parseHttpDate(field, nowMs)
}
