/**
 * Names of header fields, each of which is kept once for all stored responses: a response of seven fields has 200 bytes less for it.
 *
 * The first names that come are those that stay, since origins say the same over and over. Their number is bounded: what an
 * origin makes up has copies of its own.
 */
import { copyText } from './text.ts'

const NAMES_MAX = 512
const LENGTH_MAX = 64

const names = new Map<string, string>()

/** The one copy of this name; undefined: there are too many, or it is too long. */
export function sharedName(name: string): string | undefined {
  const known = names.get(name)
  if (known !== undefined || names.size >= NAMES_MAX || name.length > LENGTH_MAX) return known
  const copy = copyText(name)
  names.set(copy, copy)
  return copy
}
