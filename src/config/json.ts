/**
 * JSON with errors for people: where it went wrong, by line and column, and what stood there.
 *
 * The built-in parser names the place of some errors and not of others, and takes the last of two equal keys in
 * silence. So a reader of our own (RFC 8259) looks for the first fault; where it finds none, the built-in one makes the value.
 */
import { excerpt, placeOf } from '../base/excerpt.ts'

export interface JsonFault {
  readonly line: number
  readonly column: number
  readonly message: string
  readonly excerpt: string
}

export type JsonResult =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'fault'; readonly fault: JsonFault }

export function parseJson(text: string): JsonResult {
  // Editors on Windows still write a byte order mark.
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text
  try {
    new FaultFinder(body).document()
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    const { line, column } = placeOf(body, fault.offset)
    return {
      kind: 'fault',
      fault: { line, column, message: fault.message, excerpt: excerpt(body, line, column) },
    }
  }
  return { kind: 'value', value: JSON.parse(body) }
}

class Fault extends Error {
  readonly offset: number
  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

const SPACE = /[ \t\r\n]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /[A-Za-z_$][\w$]*/y
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
/** As far as a string is in order: where it stops is the fault. */
const STRING_PREFIX = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y

class FaultFinder {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): void {
    this.#space()
    if (this.#at === this.#text.length) this.#fail('the file is empty; expected an object')
    this.#value()
    this.#space()
    if (this.#at < this.#text.length) this.#fail('expected the end of the file after the value')
  }

  #value(): void {
    const next = this.#peek()
    if (next === '{') {
      const keys = new Set<string>()
      return this.#list('}', () => this.#member(keys))
    }
    if (next === '[') return this.#list(']', () => this.#value())
    if (next === '"') return void this.#string()
    if (this.#take(NUMBER) !== '') {
      if (/[\w.]/.test(this.#peek())) this.#fail('this is not a number; put text in double quotes')
      return
    }
    const start = this.#at
    const word = this.#take(WORD)
    if (word === 'true' || word === 'false' || word === 'null') return
    this.#at = start
    this.#fail(word === '' ? `expected a value${this.#got()}` : `\`${word}\` needs double quotes`)
  }

  /** What stands between brackets, with commas between. */
  #list(close: string, element: () => void): void {
    this.#at++
    this.#space()
    if (this.#peek() === close) return void this.#at++
    for (;;) {
      element()
      this.#space()
      if (this.#peek() === close) return void this.#at++
      if (this.#peek() !== ',') this.#fail(`expected \`,\` or \`${close}\`${this.#got()}`)
      const comma = this.#at++
      this.#space()
      if (this.#peek() === close) {
        this.#at = comma
        this.#fail(`a comma before \`${close}\` is not allowed in JSON`)
      }
    }
  }

  #member(keys: Set<string>): void {
    const start = this.#at
    if (this.#peek() !== '"') this.#fail(`expected a key in double quotes${this.#got()}`)
    const key = this.#string()
    if (keys.has(key)) {
      this.#at = start
      this.#fail(`the key "${key}" stands here a second time`)
    }
    keys.add(key)
    this.#space()
    if (this.#peek() !== ':') this.#fail(`expected \`:\` after the key "${key}"${this.#got()}`)
    this.#at++
    this.#space()
    this.#value()
  }

  #string(): string {
    const start = this.#at
    const whole = this.#take(STRING)
    if (whole !== '') return JSON.parse(whole) as string
    this.#take(STRING_PREFIX)
    const stopped = this.#peek()
    if (stopped === '\\') this.#fail('this escape is not known in JSON')
    if (stopped !== '' && stopped !== '\n' && stopped !== '\r') {
      this.#fail('a control character must be escaped in a string')
    }
    this.#at = start
    return this.#fail('this string has no closing quote on its line')
  }

  #space(): void {
    this.#take(SPACE)
    if (this.#text.startsWith('//', this.#at) || this.#text.startsWith('/*', this.#at)) {
      this.#fail('comments are not allowed in JSON; an orla.config.ts may have them')
    }
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #peek(): string {
    return this.#text[this.#at] ?? ''
  }

  #got(): string {
    return this.#at >= this.#text.length ? ', but the file ends here' : `, not \`${this.#peek()}\``
  }

  #fail(message: string): never {
    throw new Fault(this.#at, message)
  }
}
