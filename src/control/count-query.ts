/** `count` of a list of the most wanted: how many at most. */
import { EdgeError } from '../base/errors.ts'

export const COUNT_DEFAULT = 20
export const COUNT_MAX = 500

/** For the description of a route. */
export const COUNT_TEXT = `how many at most: 1 to ${COUNT_MAX}, ${COUNT_DEFAULT} unless said`

/** @throws EdgeError where it is no such number */
export function countOf(text: string | null): number {
  if (text === null) return COUNT_DEFAULT
  const count = Number(text)
  if (!/^\d+$/.test(text) || count < 1 || count > COUNT_MAX)
    throw new EdgeError('request-invalid', `count=${text}: expected a number from 1 to ${COUNT_MAX}`)
  return count
}
