/** `application/x-www-form-urlencoded`: how names and values stand in a query (WHATWG URL §5). */
import { percentDecode, percentEncode } from './percent.ts'
import { indexOf, slice } from './primordials.ts'

/** Letters, digits and `*-._` stand for themselves in a form (WHATWG URL §1.3); a space is `+`. */
const standsInForm = (code: number): boolean =>
  (code >= 97 && code <= 122) ||
  (code >= 65 && code <= 90) ||
  (code >= 48 && code <= 57) ||
  code === 42 ||
  code === 45 ||
  code === 46 ||
  code === 95 ||
  code === 32

export const formEncode = (text: string): string =>
  replaceCharacter(percentEncode(text, standsInForm), ' ', '+')

export function formDecode(text: string): string {
  return percentDecodeText(replaceCharacter(text, '+', ' '))
}

/** A query given as text may hold characters beyond ASCII; they stand for themselves. */
function percentDecodeText(text: string): string {
  return indexOf(text, '%') === -1 ? text : percentDecode(percentEncode(text, isAsciiCode))
}

const isAsciiCode = (): boolean => true

function replaceCharacter(text: string, from: string, to: string): string {
  let at = indexOf(text, from)
  if (at === -1) return text
  let out = ''
  let start = 0
  while (at !== -1) {
    out += slice(text, start, at) + to
    start = at + 1
    at = indexOf(text, from, start)
  }
  return out + slice(text, start)
}
