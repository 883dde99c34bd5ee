/**
 * `URLSearchParams`, also as `request.query` and `url.searchParams`.
 *
 * Units mostly ask for one argument of a query they never change. So the query stays text, `get` scans it, and a list
 * is made when it is walked over, changed, or holds escapes in a way that a scan could misread.
 */
import {
  charCodeAt,
  detached,
  indexOf,
  iteratorSymbol,
  objectKeys,
  reflectApply,
  slice,
  startsWith,
  toStringTagSymbol,
  toWellFormed,
} from './primordials.ts'
import { formDecode, formEncode } from './form.ts'
import { FROM_GUEST } from './illegal-constructor.ts'
import { iterateEntries, iterateNames, iterateValues } from './iteration.ts'

class Param {
  name: string
  value: string
  next: Param | null = null

  constructor(name: string, value: string) {
    this.name = name
    this.value = value
  }
}

/** Whose query it is: asked before a change (may throw), told after it. */
export interface ParamsOwner {
  queryChanges(): void
  queryChanged(params: URLSearchParams): void
}

/** Replaces the whole content by a query, without telling the owner. */
export let resetParams: (params: URLSearchParams, query: string) => void

export class URLSearchParams {
  #query: string
  #listed: boolean
  #first: Param | null = null
  #last: Param | null = null
  #owner: ParamsOwner | null = null

  constructor(init?: unknown, query?: string, owner?: ParamsOwner) {
    if (init === FROM_GUEST) {
      this.#query = query!
      this.#listed = false
      this.#owner = owner!
      return
    }
    this.#query = ''
    this.#listed = true
    if (init === undefined) return
    if (typeof init === 'object' && init !== null) {
      this.#fill(init)
    } else {
      const text = toWellFormed(`${init as string}`)
      this.#query = charCodeAt(text, 0) === 63 ? slice(text, 1) : text
      this.#listed = false
    }
  }

  static {
    resetParams = (params, query) => {
      params.#query = query
      params.#listed = false
      params.#first = params.#last = null
    }
  }

  #fill(init: object): void {
    if (#query in init) {
      for (let param = init.#list(); param !== null; param = param.next) this.#add(param.name, param.value)
    } else if (iteratorSymbol in init) {
      for (const pair of init as Iterable<ArrayLike<unknown>>) {
        if (typeof pair !== 'object' || pair === null || pair.length !== 2) {
          throw new TypeError('a parameter in a list is a pair of name and value')
        }
        this.#add(toText(pair[0]), toText(pair[1]))
      }
    } else {
      const names = objectKeys(init)
      for (let i = 0; i < names.length; i++) {
        this.#add(toWellFormed(names[i]!), toText((init as Record<string, unknown>)[names[i]!]))
      }
    }
  }

  get size(): number {
    let size = 0
    for (let param = this.#list(); param !== null; param = param.next) size++
    return size
  }

  get(name: string): string | null {
    const wanted = toText(name)
    if (!this.#listed && indexOf(this.#query, '%') === -1 && indexOf(this.#query, '+') === -1) {
      return scanQuery(this.#query, wanted)
    }
    for (let param = this.#list(); param !== null; param = param.next) {
      if (param.name === wanted) return param.value
    }
    return null
  }

  getAll(name: string): string[] {
    const wanted = toText(name)
    const values: string[] = []
    for (let param = this.#list(); param !== null; param = param.next) {
      if (param.name === wanted) values[values.length] = param.value
    }
    return values
  }

  has(name: string, value?: string): boolean {
    if (value === undefined) return this.get(name) !== null
    const wanted = toText(name)
    const wantedValue = toText(value)
    for (let param = this.#list(); param !== null; param = param.next) {
      if (param.name === wanted && param.value === wantedValue) return true
    }
    return false
  }

  append(name: string, value: string): void {
    const text = toText(name)
    const content = toText(value)
    this.#owner?.queryChanges()
    this.#list()
    this.#add(text, content)
    this.#owner?.queryChanged(this)
  }

  set(name: string, value: string): void {
    const text = toText(name)
    const content = toText(value)
    this.#owner?.queryChanges()
    let param = this.#list()
    while (param !== null && param.name !== text) param = param.next
    if (param === null) {
      this.#add(text, content)
    } else {
      param.value = content
      this.#drop(param, text, undefined)
    }
    this.#owner?.queryChanged(this)
  }

  delete(name: string, value?: string): void {
    const text = toText(name)
    const content = value === undefined ? undefined : toText(value)
    this.#owner?.queryChanges()
    this.#list()
    while (this.#first !== null && matches(this.#first, text, content)) this.#first = this.#first.next
    if (this.#first === null) this.#last = null
    else this.#drop(this.#first, text, content)
    this.#owner?.queryChanged(this)
  }

  /** By name, in order of UTF-16 code units; those of one name keep their order. */
  sort(): void {
    this.#owner?.queryChanges()
    let sorted: Param | null = null
    let param = this.#list()
    while (param !== null) {
      const next: Param | null = param.next
      if (sorted === null || param.name < sorted.name) {
        param.next = sorted
        sorted = param
      } else {
        let at = sorted
        while (at.next !== null && at.next.name <= param.name) at = at.next
        param.next = at.next
        at.next = param
      }
      param = next
    }
    this.#first = this.#last = sorted
    while (this.#last !== null && this.#last.next !== null) this.#last = this.#last.next
    this.#owner?.queryChanged(this)
  }

  forEach(each: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void {
    for (let param = this.#list(); param !== null; param = param.next) {
      reflectApply(each, self, [param.value, param.name, this])
    }
  }

  keys(): IteratorObject<string> {
    return iterateNames(this.#list())
  }

  values(): IteratorObject<string> {
    return iterateValues(this.#list())
  }

  entries(): IteratorObject<[string, string]> {
    return iterateEntries(this.#list())
  }

  [iteratorSymbol](): IteratorObject<[string, string]> {
    return iterateEntries(this.#list())
  }

  toString(): string {
    let text = ''
    for (let param = this.#list(); param !== null; param = param.next) {
      text += `${text === '' ? '' : '&'}${formEncode(param.name)}=${formEncode(param.value)}`
    }
    return text
  }

  get [toStringTagSymbol](): string {
    return 'URLSearchParams'
  }

  /** Takes the query apart, once (WHATWG URL §5.1). */
  #list(): Param | null {
    if (!this.#listed) {
      this.#listed = true
      const query = this.#query
      let at = 0
      while (at < query.length) {
        const end = pairEnd(query, at)
        if (end > at) {
          const equals = indexOf(query, '=', at)
          const nameEnd = equals === -1 || equals > end ? end : equals
          this.#add(
            formDecode(detached(slice(query, at, nameEnd))),
            formDecode(detached(slice(query, nameEnd + 1, end))),
          )
        }
        at = end + 1
      }
      this.#query = ''
    }
    return this.#first
  }

  #add(name: string, value: string): void {
    const param = new Param(name, value)
    if (this.#last === null) this.#first = param
    else this.#last.next = param
    this.#last = param
  }

  /** Removes those that match behind `from`. */
  #drop(from: Param, name: string, value: string | undefined): void {
    let before = from
    while (before.next !== null) {
      if (matches(before.next, name, value)) before.next = before.next.next
      else before = before.next
    }
    this.#last = before
  }
}

const toText = (value: unknown): string =>
  toWellFormed(typeof value === 'string' ? value : `${value as string}`)

const matches = (param: Param, name: string, value: string | undefined): boolean =>
  param.name === name && (value === undefined || param.value === value)

function pairEnd(query: string, at: number): number {
  const end = indexOf(query, '&', at)
  return end === -1 ? query.length : end
}

/** The first value of that name in a query without escapes. */
function scanQuery(query: string, name: string): string | null {
  let at = 0
  while (at < query.length) {
    const end = pairEnd(query, at)
    const nameEnd = at + name.length
    if (nameEnd <= end && end > at && startsWith(query, name, at)) {
      if (nameEnd === end) {
        if (indexOf(name, '=') === -1) return ''
      } else if (indexOf(query, '=', at) === nameEnd) {
        return detached(slice(query, nameEnd + 1, end))
      }
    }
    at = end + 1
  }
  return null
}

/** A `URLSearchParams` over the query of a request or URL, that tells its owner of changes. */
export const paramsOf = (owner: ParamsOwner, query: string): URLSearchParams =>
  new URLSearchParams(FROM_GUEST, query, owner)
