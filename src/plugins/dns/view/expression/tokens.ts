/** An expression cut into words, numbers, texts and signs. */
import { ExpressionError } from './expression-error.ts'

export type TokenKind = 'name' | 'number' | 'text' | 'sign' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** Of a text: what it stands for. */
  readonly text: string
  readonly column: number
}

/** The longer ones first. */
const SIGNS = ['&&', '||', '==', '!=', '<=', '>=', '**', '..', '??']
const SHORT_SIGNS = '<>!()[],?:+-*/%^'
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** Ends with a token of the kind `end`. Throws an `ExpressionError`. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const add = (kind: TokenKind, text: string, length: number) => {
    tokens.push({ kind, text, column: at + 1 })
    at += length
  }
  while (at < source.length) {
    const rest = source.slice(at)
    const [space] = /^\s+/.exec(rest) ?? []
    if (space !== undefined) {
      at += space.length
      continue
    }
    const [name] = /^[A-Za-z_$][\w$]*/.exec(rest) ?? []
    const [number] = /^(?:0x[\da-fA-F_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?)/.exec(rest) ?? []
    const sign =
      SIGNS.find((one) => rest.startsWith(one)) ?? (SHORT_SIGNS.includes(rest[0]!) ? rest[0]! : undefined)
    if (name !== undefined) add('name', name, name.length)
    else if (number !== undefined) add('number', number.replaceAll('_', ''), number.length)
    else if (rest[0] === "'" || rest[0] === '"' || rest[0] === '`') {
      const { text, length } = textAt(rest, at + 1)
      add('text', text, length)
    } else if (sign !== undefined) add('sign', sign, sign.length)
    else throw new ExpressionError(at + 1, `unexpected character ${JSON.stringify(rest[0])}`)
  }
  add('end', '', 0)
  return tokens
}

/** A text from its first quote to its last one. */
function textAt(source: string, column: number): { readonly text: string; readonly length: number } {
  const quote = source[0]!
  let text = ''
  for (let at = 1; at < source.length; at++) {
    const character = source[at]!
    if (character === quote) return { text, length: at + 1 }
    if (character !== '\\' || quote === '`') {
      text += character
      continue
    }
    at += 1
    const escaped = source[at] ?? ''
    const [digits] = /^(?:x[\da-fA-F]{2}|u[\da-fA-F]{4})/.exec(source.slice(at)) ?? []
    if (digits !== undefined) {
      text += String.fromCharCode(Number.parseInt(digits.slice(1), 16))
      at += digits.length - 1
    } else if (Object.hasOwn(ESCAPES, escaped)) text += ESCAPES[escaped]
    else
      throw new ExpressionError(
        column + at - 1,
        `\\${escaped} means nothing: a backslash in a text is written twice, such as '\\\\.'`,
      )
  }
  throw new ExpressionError(column, `the text that begins here has no end: expected another ${quote}`)
}
