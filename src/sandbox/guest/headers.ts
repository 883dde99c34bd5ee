/** `Headers` of the Fetch standard, over a `HeaderStore`. */
import { headerName, headerValue, nameText } from './fields.ts'
import {
  appendHeader,
  deleteHeader,
  getHeader,
  HeaderStore,
  listHeaders,
  setHeader,
  sortedHeaders,
} from './header-store.ts'
import { FROM_GUEST } from './illegal-constructor.ts'
import { iterateEntries, iterateNames, iterateValues } from './iteration.ts'
import { iteratorSymbol, objectKeys, reflectApply, toStringTagSymbol } from './primordials.ts'

/** The store inside, or null where the value is no `Headers`. */
export let storeOfHeaders: (value: object) => HeaderStore | null

export class Headers {
  #store: HeaderStore

  constructor(init?: unknown, store?: HeaderStore) {
    if (init === FROM_GUEST) {
      this.#store = store!
      return
    }
    this.#store = new HeaderStore()
    if (init !== undefined) fillHeaders(this.#store, init)
  }

  static {
    storeOfHeaders = (value) => (#store in value ? value.#store : null)
  }

  append(name: string, value: string): void {
    const spelling = nameText(name)
    const lower = headerName(spelling)
    appendHeader(this.#store, lower, headerValue(value, lower), spelling)
  }

  set(name: string, value: string): void {
    const spelling = nameText(name)
    const lower = headerName(spelling)
    setHeader(this.#store, lower, headerValue(value, lower), spelling)
  }

  get(name: string): string | null {
    return getHeader(this.#store, headerName(nameText(name)))
  }

  has(name: string): boolean {
    return getHeader(this.#store, headerName(nameText(name))) !== null
  }

  delete(name: string): void {
    deleteHeader(this.#store, headerName(nameText(name)))
  }

  getSetCookie(): string[] {
    const values: string[] = []
    for (let node = listHeaders(this.#store); node !== null; node = node.next) {
      if (node.name === 'set-cookie') values[values.length] = node.value
    }
    return values
  }

  forEach(each: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
    for (let node = sortedHeaders(this.#store); node !== null; node = node.next) {
      reflectApply(each, self, [node.value, node.name, this])
    }
  }

  keys(): IteratorObject<string> {
    return iterateNames(sortedHeaders(this.#store))
  }

  values(): IteratorObject<string> {
    return iterateValues(sortedHeaders(this.#store))
  }

  entries(): IteratorObject<[string, string]> {
    return iterateEntries(sortedHeaders(this.#store))
  }

  [iteratorSymbol](): IteratorObject<[string, string]> {
    return iterateEntries(sortedHeaders(this.#store))
  }

  get [toStringTagSymbol](): string {
    return 'Headers'
  }
}

export const headersOver = (store: HeaderStore): Headers => new Headers(FROM_GUEST, store)

/** Appends what `new Headers(init)` takes: other headers, pairs, or an object. */
export function fillHeaders(into: HeaderStore, init: unknown): void {
  if (init === null || (typeof init !== 'object' && typeof init !== 'function')) {
    throw new TypeError('headers are an object, a list of pairs, or Headers')
  }
  const other = storeOfHeaders(init)
  if (other !== null) {
    for (let node = listHeaders(other); node !== null; node = node.next)
      appendHeader(into, node.name, node.value, node.spelling)
    return
  }
  if (iteratorSymbol in init) {
    for (const pair of init as Iterable<ArrayLike<unknown>>) {
      if (typeof pair !== 'object' || pair === null || pair.length !== 2) {
        throw new TypeError('a header in a list is a pair of name and value')
      }
      const spelling = nameText(pair[0])
      const name = headerName(spelling)
      appendHeader(into, name, headerValue(pair[1], name), spelling)
    }
    return
  }
  const names = objectKeys(init)
  for (let i = 0; i < names.length; i++) {
    const spelling = names[i]!
    const name = headerName(spelling)
    appendHeader(into, name, headerValue((init as Record<string, unknown>)[spelling], name), spelling)
  }
}
