/**
 * The cookies of a request: found in its `Cookie` header when asked for, as they were sent (RFC 6265 §5.4).
 *
 * Values are not decoded: what they mean is between the unit and whoever set them. Double quotes around a value belong
 * to it.
 */
import { getHeader, type HeaderStore } from './header-store.ts'
import { checkMaker } from './illegal-constructor.ts'
import { iterateEntries, iterateNames, type PairNode } from './iteration.ts'
import {
  charCodeAt,
  detached,
  indexOf,
  iteratorSymbol,
  slice,
  startsWith,
  toStringTagSymbol,
} from './primordials.ts'

export class Cookies {
  readonly #headers: HeaderStore

  constructor(maker: unknown, headers: HeaderStore) {
    checkMaker(maker)
    this.#headers = headers
  }

  /** The value of the first cookie of that name, or undefined. */
  get(name: string): string | undefined {
    const wanted = `${name}`
    const text = cookieText(this.#headers)
    return text === null ? undefined : findCookie(text, wanted)
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  entries(): IteratorObject<[string, string]> {
    return iterateEntries(listCookies(this.#headers))
  }

  keys(): IteratorObject<string> {
    return iterateNames(listCookies(this.#headers))
  }

  [iteratorSymbol](): IteratorObject<[string, string]> {
    return this.entries()
  }

  get [toStringTagSymbol](): string {
    return 'Cookies'
  }
}

/** `a=1; b=2`. Several fields (HTTP/2 splits them) count as one. */
const cookieText = (headers: HeaderStore): string | null => getHeader(headers, 'cookie', '; ')

function findCookie(text: string, name: string): string | undefined {
  const to = text.length
  let at = 0
  while (at < to) {
    while (at < to && charCodeAt(text, at) <= 32) at++
    let end = indexOf(text, ';', at)
    if (end === -1) end = to
    const nameEnd = at + name.length
    if (nameEnd < end && charCodeAt(text, nameEnd) === 61 && startsWith(text, name, at)) {
      // A name holds no `=`: one that does would match the beginning of a value.
      return indexOf(name, '=') === -1 ? withoutBlanksBehind(text, nameEnd + 1, end) : undefined
    }
    at = end + 1
  }
  return undefined
}

function withoutBlanksBehind(text: string, from: number, to: number): string {
  while (to > from && charCodeAt(text, to - 1) <= 32) to--
  return detached(slice(text, from, to))
}

function listCookies(headers: HeaderStore): PairNode | null {
  const text = cookieText(headers)
  if (text === null) return null
  let first: PairNode | null = null
  let last: { next: PairNode | null } | null = null
  let at = 0
  while (at < text.length) {
    while (at < text.length && charCodeAt(text, at) <= 32) at++
    let end = indexOf(text, ';', at)
    if (end === -1) end = text.length
    const equals = indexOf(text, '=', at)
    if (equals > at && equals < end) {
      const node: { name: string; value: string; next: PairNode | null } = {
        name: detached(slice(text, at, equals)),
        value: withoutBlanksBehind(text, equals + 1, end),
        next: null,
      }
      if (last === null) first = node
      else last.next = node
      last = node
    }
    at = end + 1
  }
  return first
}
