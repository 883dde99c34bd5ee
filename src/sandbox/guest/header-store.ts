/**
 * The headers of one message: the wire's text until somebody needs more.
 *
 * Most units ask a request for one or two headers, so `get` scans the text. The list is made when headers are walked
 * over or changed. Names in the list are in lower case, beside the spelling that goes out; values have no blanks around
 * them.
 */
import { charCodeAt, detached, indexOf, slice, toLowerCase } from './primordials.ts'

export class HeaderNode {
  readonly name: string
  value: string
  /** The name as whoever set it wrote it. */
  spelling: string
  next: HeaderNode | null = null

  constructor(name: string, value: string, spelling: string) {
    this.name = name
    this.value = value
    this.spelling = spelling
  }
}

/** Is asked before headers of a request or response change, and told of it. May throw: then nothing changes. */
export interface HeaderOwner {
  /** `kind` is the letter of the edit, as for requests: `h` set, `a` append, `d` delete. */
  headerChanges(
    ofRequest: boolean,
    kind: 'h' | 'a' | 'd',
    name: string,
    value: string,
    spelling: string,
  ): void
}

export class HeaderStore {
  /** Lines `name: value\r\n…` from `from` on. Not looked at any more once `listed`. */
  text: string
  from: number
  listed: boolean
  first: HeaderNode | null = null
  last: HeaderNode | null = null
  owner: HeaderOwner | null = null
  readonly ofRequest: boolean

  constructor(text = '', from = 0, ofRequest = false) {
    this.text = text
    this.from = from
    this.listed = text.length <= from
    this.ofRequest = ofRequest
  }
}

/** The value of all headers of that name, joined; null where there is none. `name` is in lower case. */
export function getHeader(store: HeaderStore, name: string, joiner = ', '): string | null {
  if (!store.listed) return scanHeader(store, name, joiner)
  let joined: string | null = null
  for (let node = store.first; node !== null; node = node.next) {
    if (node.name === name) joined = joined === null ? node.value : joined + joiner + node.value
  }
  return joined
}

function scanHeader(store: HeaderStore, name: string, joiner: string): string | null {
  const { text } = store
  const { length } = name
  let joined: string | null = null
  let at = store.from
  while (at < text.length) {
    const end = lineEnd(text, at)
    if (charCodeAt(text, at + length) === 58 && sameName(text, at, name)) {
      const value = trimmed(text, at + length + 1, end)
      joined = joined === null ? value : joined + joiner + value
    }
    at = end + 2
  }
  return joined
}

function lineEnd(text: string, at: number): number {
  const end = indexOf(text, '\r\n', at)
  return end === -1 ? text.length : end
}

function sameName(text: string, at: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = charCodeAt(text, at + i)
    if (code !== charCodeAt(name, i) && ((code | 32) !== charCodeAt(name, i) || code < 65 || code > 90))
      return false
  }
  return true
}

function trimmed(text: string, from: number, to: number): string {
  while (from < to && (charCodeAt(text, from) === 32 || charCodeAt(text, from) === 9)) from++
  while (to > from && (charCodeAt(text, to - 1) === 32 || charCodeAt(text, to - 1) === 9)) to--
  return detached(slice(text, from, to))
}

/** Takes the text apart, once. */
export function listHeaders(store: HeaderStore): HeaderNode | null {
  if (!store.listed) {
    store.listed = true
    const { text } = store
    let at = store.from
    while (at < text.length) {
      const end = lineEnd(text, at)
      const colon = indexOf(text, ':', at)
      if (colon > at && colon < end) {
        const spelling = detached(slice(text, at, colon))
        addNode(store, toLowerCase(spelling), trimmed(text, colon + 1, end), spelling)
      }
      at = end + 2
    }
    store.text = ''
  }
  return store.first
}

function addNode(store: HeaderStore, name: string, value: string, spelling: string): void {
  const node = new HeaderNode(name, value, spelling)
  if (store.last === null) store.first = node
  else store.last.next = node
  store.last = node
}

/** Name and value were checked, here and below. */
export function appendHeader(store: HeaderStore, name: string, value: string, spelling = name): void {
  if (store.owner !== null) store.owner.headerChanges(store.ofRequest, 'a', name, value, spelling)
  if (!store.listed) listHeaders(store)
  addNode(store, name, value, spelling)
}

export function setHeader(store: HeaderStore, name: string, value: string, spelling = name): void {
  if (store.owner !== null) store.owner.headerChanges(store.ofRequest, 'h', name, value, spelling)
  for (let node = listHeaders(store); node !== null; node = node.next) {
    if (node.name !== name) continue
    node.value = value
    node.spelling = spelling
    dropAfter(store, node, name)
    return
  }
  addNode(store, name, value, spelling)
}

export function deleteHeader(store: HeaderStore, name: string): void {
  if (store.owner !== null) store.owner.headerChanges(store.ofRequest, 'd', name, '', name)
  listHeaders(store)
  while (store.first !== null && store.first.name === name) store.first = store.first.next
  if (store.first === null) store.last = null
  else dropAfter(store, store.first, name)
}

/** Removes the nodes of that name behind `node`. */
function dropAfter(store: HeaderStore, node: HeaderNode, name: string): void {
  let before = node
  while (before.next !== null) {
    if (before.next.name === name) before.next = before.next.next
    else before = before.next
  }
  store.last = before
}

/** The wire's form: `Name: value\r\n` for each, spelled as they were set. */
export function headerText(store: HeaderStore): string {
  if (!store.listed) return store.from === 0 ? store.text : slice(store.text, store.from)
  let text = ''
  for (let node = store.first; node !== null; node = node.next) text += `${node.spelling}: ${node.value}\r\n`
  return text
}

/**
 * The order in which the Fetch standard walks over headers: by name, those of one name joined by `, `, but each
 * `set-cookie` on its own. Returns a list of its own.
 */
export function sortedHeaders(store: HeaderStore): HeaderNode | null {
  let sorted: HeaderNode | null = null
  for (let node = listHeaders(store); node !== null; node = node.next) {
    sorted = insertSorted(sorted, node.name, node.value)
  }
  return sorted
}

function insertSorted(first: HeaderNode | null, name: string, value: string): HeaderNode {
  let before: HeaderNode | null = null
  let at = first
  const goesBefore = (node: HeaderNode): boolean =>
    node.name < name || (node.name === name && name === 'set-cookie')
  while (at !== null && goesBefore(at)) {
    before = at
    at = at.next
  }
  if (at !== null && at.name === name) {
    at.value = `${at.value}, ${value}`
    return first!
  }
  const node = new HeaderNode(name, value, name)
  node.next = at
  if (before === null) return node
  before.next = node
  return first!
}
