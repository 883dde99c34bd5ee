/**
 * The tree of an expression, by the precedences of the language that CoreDNS uses (https://expr-lang.org): `or` binds least, then `and`, comparisons, `..`, sums,
 * `not`, products, signs, powers.
 */
import { ExpressionError } from './expression-error.ts'
import { type Token, tokensOf } from './tokens.ts'

export type Syntax =
  | { readonly kind: 'literal'; readonly value: string | number | boolean; readonly column: number }
  | { readonly kind: 'array'; readonly items: readonly Syntax[]; readonly column: number }
  | {
      readonly kind: 'call'
      readonly name: string
      readonly args: readonly Syntax[]
      readonly column: number
    }
  | { readonly kind: 'unary'; readonly sign: string; readonly inner: Syntax; readonly column: number }
  | {
      readonly kind: 'binary'
      readonly sign: string
      readonly left: Syntax
      readonly right: Syntax
      readonly column: number
    }
  | {
      readonly kind: 'choice'
      readonly condition: Syntax
      readonly chosen: Syntax
      readonly otherwise: Syntax
      readonly column: number
    }

const BINARY: Readonly<Record<string, number>> = {
  '||': 10,
  or: 10,
  '&&': 15,
  and: 15,
  '==': 20,
  '!=': 20,
  '<': 20,
  '>': 20,
  '<=': 20,
  '>=': 20,
  in: 20,
  matches: 20,
  contains: 20,
  startsWith: 20,
  endsWith: 20,
  '..': 25,
  '+': 30,
  '-': 30,
  '*': 60,
  '/': 60,
  '%': 60,
  '**': 100,
  '^': 100,
}
/** Stand behind `not`: `type() not in ['A']`. */
const NEGATED = ['in', 'matches', 'contains', 'startsWith', 'endsWith']
const UNARY: Readonly<Record<string, number>> = { not: 50, '!': 50, '-': 90, '+': 90 }
const SAME: Readonly<Record<string, string>> = { or: '||', and: '&&', not: '!', '^': '**' }
/** Deeper than anybody writes, and far from the end of the stack. */
const DEPTH_MAX = 100
const OPERATORS_MAX = 1000

/** Throws an `ExpressionError`. */
export function parseExpression(source: string): Syntax {
  return new Parser(tokensOf(source)).whole()
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0
  #operators = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Syntax {
    const syntax = this.#expression(0)
    const { kind, text, column } = this.#token
    if (kind !== 'end') throw new ExpressionError(column, `unexpected ${shown(this.#token)}${hintFor(text)}`)
    return syntax
  }

  get #token(): Token {
    return this.#tokens[this.#at]!
  }

  #take(): Token {
    const token = this.#token
    this.#at += 1
    return token
  }

  #isSign(text: string): boolean {
    return this.#token.kind === 'sign' && this.#token.text === text
  }

  #expect(text: string): void {
    if (!this.#isSign(text))
      throw new ExpressionError(this.#token.column, `expected ${text}, not ${shown(this.#token)}`)
    this.#at += 1
  }

  /** What binds at least as strongly as `least`. */
  #expression(least: number): Syntax {
    this.#depth += 1
    if (this.#depth > DEPTH_MAX) throw new ExpressionError(this.#token.column, 'this is too deep')
    let left = this.#prefix()
    for (;;) {
      const { text, column, kind } = this.#token
      const next = this.#tokens[this.#at + 1]
      const isNegated = kind === 'name' && text === 'not' && next !== undefined && NEGATED.includes(next.text)
      const sign = isNegated ? next.text : text
      const binds = kind === 'sign' || kind === 'name' ? precedenceOf(BINARY, sign) : undefined
      if (binds === undefined || binds < least) break
      this.#operators += 1
      if (this.#operators > OPERATORS_MAX)
        throw new ExpressionError(
          column,
          `more than ${OPERATORS_MAX} operators: use in with a list, or several lines`,
        )
      this.#at += isNegated ? 2 : 1
      // Powers bind to the right.
      const right = this.#expression(sign === '**' || sign === '^' ? binds : binds + 1)
      left = { kind: 'binary', sign: SAME[sign] ?? sign, left, right, column }
      if (isNegated) left = { kind: 'unary', sign: '!', inner: left, column }
    }
    if (least === 0 && this.#isSign('?')) {
      const { column } = this.#take()
      const chosen = this.#expression(0)
      this.#expect(':')
      left = { kind: 'choice', condition: left, chosen, otherwise: this.#expression(0), column }
    }
    this.#depth -= 1
    return left
  }

  #prefix(): Syntax {
    const token = this.#take()
    const { kind, text, column } = token
    if (kind === 'text') return { kind: 'literal', value: text, column }
    if (kind === 'number') return { kind: 'literal', value: Number(text), column }
    const binds = kind === 'end' ? undefined : precedenceOf(UNARY, text)
    if (binds !== undefined)
      return { kind: 'unary', sign: SAME[text] ?? text, inner: this.#expression(binds), column }
    if (kind === 'sign' && text === '(') {
      const inner = this.#expression(0)
      this.#expect(')')
      return inner
    }
    if (kind === 'sign' && text === '[') return { kind: 'array', items: this.#list(']'), column }
    if (kind === 'name' && (text === 'true' || text === 'false'))
      return { kind: 'literal', value: text === 'true', column }
    if (kind !== 'name') throw new ExpressionError(column, `unexpected ${shown(token)}`)
    if (!this.#isSign('('))
      throw new ExpressionError(
        column,
        `unknown name ${text}: texts stand in quotes, and functions have parentheses, such as name()`,
      )
    this.#at += 1
    return { kind: 'call', name: text, args: this.#list(')'), column }
  }

  /** Up to the closing sign. */
  #list(closing: string): Syntax[] {
    const items: Syntax[] = []
    while (!this.#isSign(closing)) {
      if (items.length > 0) this.#expect(',')
      // A comma may stand behind the last one.
      if (this.#isSign(closing)) break
      items.push(this.#expression(0))
    }
    this.#at += 1
    return items
  }
}

const precedenceOf = (table: Readonly<Record<string, number>>, text: string): number | undefined =>
  Object.hasOwn(table, text) ? table[text] : undefined

const shown = ({ kind, text }: Token): string =>
  kind === 'end' ? 'end of the expression' : kind === 'text' ? `text ${JSON.stringify(text)}` : text

const hintFor = (text: string): string => (text === '=' ? ': equality is written ==' : '')
