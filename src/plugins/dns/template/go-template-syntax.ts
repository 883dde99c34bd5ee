/**
 * The syntax of Go's `text/template`, as far as a line of text needs it: fields, variables, functions, pipes, `if`, `range`, `with`, comments and
 * trimming. Templates that call templates are left out. See https://pkg.go.dev/text/template.
 */

/** A text that is no template: `1:7: …`, with line and column. */
export class GoTemplateError extends Error {}

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | TemplateBranch
  | { readonly kind: 'break' }
  | { readonly kind: 'continue' }

export interface TemplateBranch {
  readonly kind: 'if' | 'with' | 'range'
  readonly pipe: Pipe
  readonly body: readonly TemplateNode[]
  readonly otherwise: readonly TemplateNode[]
}

/** Commands, each of which is given the value of the one in front as its last argument. */
export interface Pipe {
  /** Variables that its value is given to; two of a `range`. */
  readonly variables: readonly string[]
  /** `:=` makes them, `=` changes them. */
  readonly isDeclared: boolean
  readonly commands: readonly Command[]
  /** As it was written, for errors. */
  readonly text: string
}

export interface Command {
  readonly operands: readonly Operand[]
}

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  /** `.A.B`, `$x.A`, `(…).A`. */
  | { readonly kind: 'field'; readonly of: Operand | undefined; readonly path: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }

/** Throws a `GoTemplateError`. `functions` are the names that may be called. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): readonly TemplateNode[] {
  return new Parser(source, functions).whole()
}

interface Token {
  readonly kind: 'field' | 'variable' | 'word' | 'literal' | 'sign'
  readonly text: string
  readonly value?: string | number
  readonly at: number
  /** Nothing stands between it and what is in front of it. */
  readonly isTight: boolean
}

const TOKEN =
  /(?<field>\.[A-Za-z_]\w*)|(?<variable>\$\w*)|(?<number>[+-]?(?:0[xX][\dA-Fa-f]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))|(?<word>[A-Za-z_]\w*)|(?<text>"(?:[^"\\]|\\.)*")|(?<raw>`[^`]*`)|(?<character>'(?:[^'\\]|\\.)')|(?<sign>:=|[=.|(),])/y

class Parser {
  readonly #source: string
  readonly #functions: ReadonlySet<string>
  /** Text and actions in turn: at odd places what stands between braces. */
  readonly #parts: { readonly text: string; readonly at: number; readonly isAction: boolean }[]
  #part = 0
  #tokens: Token[] = []
  #token = 0
  #at = 0
  #ranges = 0
  /** Those that are known where it reads, the innermost last. */
  #variables: string[] = ['$']

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source
    this.#functions = functions
    this.#parts = this.#split()
  }

  whole(): readonly TemplateNode[] {
    const nodes = this.#list([])
    if (this.#part < this.#parts.length) throw this.#error(`unexpected {{${this.#keyword()}}}`)
    return nodes
  }

  #split(): { readonly text: string; readonly at: number; readonly isAction: boolean }[] {
    const parts: { text: string; at: number; isAction: boolean }[] = []
    let at = 0
    let trims = false
    for (;;) {
      const open = this.#source.indexOf('{{', at)
      let text = this.#source.slice(at, open < 0 ? undefined : open)
      if (trims) text = text.trimStart()
      if (open < 0) {
        parts.push({ text, at, isAction: false })
        return parts
      }
      const trimsBefore = /^-\s/.test(this.#source.slice(open + 2))
      parts.push({ text: trimsBefore ? text.trimEnd() : text, at, isAction: false })
      const start = open + (trimsBefore ? 3 : 2)
      const comment = /^\s*\/\*[^]*?\*\/\s*/.exec(this.#source.slice(start))
      const close = this.#closing(comment ? start + comment[0].length : start, open)
      const inside = this.#source.slice(start, close)
      trims = /\s-$/.test(inside)
      if (!comment) parts.push({ text: trims ? inside.slice(0, -1) : inside, at: start, isAction: true })
      at = close + 2
    }
  }

  /** Where the braces are that close an action, outside of quotes. */
  #closing(from: number, open: number): number {
    for (let at = from; at < this.#source.length; at++) {
      const character = this.#source[at]!
      if (character === '"' || character === '`' || character === "'") {
        const start = at
        for (at += 1; at < this.#source.length && this.#source[at] !== character; at++)
          if (this.#source[at] === '\\' && character !== '`') at += 1
        if (at >= this.#source.length) throw this.#errorAt(start, 'a quote is not closed')
      } else if (this.#source.startsWith('}}', at)) return at
    }
    throw this.#errorAt(open, '"{{" is not closed by "}}"')
  }

  /** Nodes up to an action whose first word is in `ends`, which is left to be read, or to the end. */
  #list(ends: readonly string[]): TemplateNode[] {
    const nodes: TemplateNode[] = []
    for (; this.#part < this.#parts.length; this.#part++) {
      const part = this.#parts[this.#part]!
      if (!part.isAction) {
        if (part.text !== '') nodes.push({ kind: 'text', text: part.text })
        continue
      }
      this.#tokens = this.#tokensOf(part.text, part.at)
      this.#token = 0
      this.#at = part.at
      const word = this.#keyword()
      if (ends.includes(word)) return nodes
      if (word === 'end' || word === 'else') throw this.#error(`unexpected {{${word}}}`)
      nodes.push(this.#node(word))
    }
    if (ends.length > 0) throw this.#errorAt(this.#source.length, 'an {{end}} is missing')
    return nodes
  }

  #node(word: string): TemplateNode {
    if (word === 'if' || word === 'with' || word === 'range') {
      this.#token += 1
      return this.#branch(word)
    }
    if (word === 'break' || word === 'continue') {
      if (this.#ranges === 0) throw this.#error(`{{${word}}} outside of a range`)
      return { kind: word }
    }
    if (word === 'template' || word === 'define' || word === 'block')
      throw this.#error(`{{${word}}} is not supported: one template stands for itself`)
    return { kind: 'action', pipe: this.#wholePipe(false) }
  }

  #branch(kind: 'if' | 'with' | 'range'): TemplateNode {
    const known = this.#variables.length
    const pipe = this.#wholePipe(kind === 'range')
    this.#part += 1
    if (kind === 'range') this.#ranges += 1
    const body = this.#list(['else', 'end'])
    if (kind === 'range') this.#ranges -= 1
    let otherwise: TemplateNode[] = []
    if (this.#keyword() === 'else') {
      this.#token += 1
      const more = this.#tokens[this.#token]?.text
      if (more === 'if' || more === 'with') {
        this.#token += 1
        // Its own end is this one's, too.
        otherwise = [this.#branch(more)]
        this.#variables.length = known
        return { kind, pipe, body, otherwise }
      }
      if (more !== undefined) throw this.#error(`unexpected "${more}" after else`)
      this.#part += 1
      otherwise = this.#list(['end'])
    }
    this.#variables.length = known
    return { kind, pipe, body, otherwise }
  }

  #keyword(): string {
    const token = this.#tokens[0]
    return token?.kind === 'word' ? token.text : ''
  }

  #tokensOf(text: string, from: number): Token[] {
    const tokens: Token[] = []
    let at = 0
    while (at < text.length) {
      const before = at
      while (/\s/.test(text[at] ?? '')) at += 1
      if (at === text.length) break
      TOKEN.lastIndex = at
      const groups = TOKEN.exec(text)?.groups
      if (!groups) throw this.#errorAt(from + at, `unexpected "${text[at]!}"`)
      tokens.push({ ...this.#tokenOf(groups, from + at), at: from + at, isTight: at === before && at > 0 })
      at = TOKEN.lastIndex
    }
    return tokens
  }

  #tokenOf(groups: Readonly<Record<string, string | undefined>>, at: number): Omit<Token, 'at' | 'isTight'> {
    const { field, variable, number, word, text, raw, character, sign } = groups
    if (field !== undefined) return { kind: 'field', text: field }
    if (variable !== undefined) return { kind: 'variable', text: variable }
    if (word !== undefined) return { kind: 'word', text: word }
    if (number !== undefined) return { kind: 'literal', text: number, value: Number(number) }
    if (raw !== undefined) return { kind: 'literal', text: raw, value: raw.slice(1, -1) }
    if (sign !== undefined) return { kind: 'sign', text: sign }
    const quoted = (text ?? character)!
    const value = this.#unquoted(quoted, at)
    return { kind: 'literal', text: quoted, value: text === undefined ? value.codePointAt(0)! : value }
  }

  #unquoted(quoted: string, at: number): string {
    return quoted
      .slice(1, -1)
      .replace(/\\(x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|[0-7]{3}|.)/g, (_, escape: string) => {
        const simple = 'abfnrtv\\\'"'.indexOf(escape)
        if (simple >= 0) return '\x07\b\f\n\r\t\v\\\'"'[simple]!
        if (/^[xu]./.test(escape)) return String.fromCharCode(Number.parseInt(escape.slice(1), 16))
        if (/^[0-7]{3}$/.test(escape)) return String.fromCharCode(Number.parseInt(escape, 8))
        throw this.#errorAt(at, `"\\${escape}" means nothing in quotes`)
      })
  }

  #wholePipe(isRange: boolean): Pipe {
    const pipe = this.#pipe(isRange)
    const rest = this.#tokens[this.#token]
    if (rest) throw this.#errorAt(rest.at, `unexpected "${rest.text}"`)
    return pipe
  }

  #pipe(isRange: boolean): Pipe {
    const first = this.#token
    const { variables, isDeclared } = this.#declaration(isRange)
    const commands: Command[] = [this.#command()]
    while (this.#is('|')) {
      this.#token += 1
      commands.push(this.#command())
    }
    // Known behind it, not within.
    if (isDeclared) this.#variables.push(...variables)
    const text = this.#tokens
      .slice(first, this.#token)
      .reduce((all, token) => all + (token.isTight || all === '' ? '' : ' ') + token.text, '')
    return { variables, isDeclared, commands, text }
  }

  #declaration(isRange: boolean): { readonly variables: string[]; readonly isDeclared: boolean } {
    const [one, sign, two, more] = this.#tokens.slice(this.#token, this.#token + 4)
    const isAssigned = (token: Token | undefined) => token?.text === ':=' || token?.text === '='
    if (one?.kind !== 'variable') return { variables: [], isDeclared: false }
    if (isAssigned(sign)) {
      this.#token += 2
      return { variables: [one.text], isDeclared: sign!.text === ':=' }
    }
    if (!isRange || sign?.text !== ',' || two?.kind !== 'variable' || !isAssigned(more))
      return { variables: [], isDeclared: false }
    this.#token += 4
    return { variables: [one.text, two.text], isDeclared: more!.text === ':=' }
  }

  #command(): Command {
    const operands: Operand[] = []
    while (this.#token < this.#tokens.length && !this.#is('|') && !this.#is(')'))
      operands.push(this.#operand())
    if (operands.length === 0) throw this.#error('a command is missing')
    return { operands }
  }

  #operand(): Operand {
    const token = this.#tokens[this.#token++]!
    const operand = this.#plain(token)
    const path: string[] = []
    for (
      let next = this.#tokens[this.#token];
      next?.kind === 'field' && next.isTight;
      next = this.#tokens[this.#token]
    ) {
      path.push(next.text.slice(1))
      this.#token += 1
    }
    if (path.length === 0) return operand
    if (operand.kind === 'field') return { ...operand, path: [...operand.path, ...path] }
    if (operand.kind === 'literal') throw this.#errorAt(token.at, `${token.text} has no fields`)
    return { kind: 'field', of: operand, path }
  }

  #plain(token: Token): Operand {
    const { kind, text } = token
    if (kind === 'field') return { kind: 'field', of: undefined, path: [text.slice(1)] }
    if (kind === 'literal') return { kind: 'literal', value: token.value! }
    if (kind === 'variable') {
      if (!this.#variables.includes(text)) throw this.#errorAt(token.at, `undefined variable "${text}"`)
      return { kind: 'variable', name: text }
    }
    if (text === '.') return { kind: 'field', of: undefined, path: [] }
    if (text === '(') {
      const pipe = this.#pipe(false)
      if (!this.#is(')')) throw this.#error('"(" is not closed')
      this.#token += 1
      return { kind: 'pipe', pipe }
    }
    if (kind === 'word') {
      if (text === 'true' || text === 'false') return { kind: 'literal', value: text === 'true' }
      if (text === 'nil') return { kind: 'literal', value: null }
      if (this.#functions.has(text)) return { kind: 'function', name: text }
      throw this.#errorAt(
        token.at,
        `function "${text}" not defined: expected one of ${[...this.#functions].toSorted().join(', ')}`,
      )
    }
    throw this.#errorAt(token.at, `unexpected "${text}"`)
  }

  #is(sign: string): boolean {
    const token = this.#tokens[this.#token]
    return token?.kind === 'sign' && token.text === sign
  }

  #error(text: string): GoTemplateError {
    return this.#errorAt(this.#tokens[this.#token]?.at ?? this.#at, text)
  }

  #errorAt(at: number, text: string): GoTemplateError {
    const lines = this.#source.slice(0, at).split('\n')
    return new GoTemplateError(`${lines.length}:${lines.at(-1)!.length + 1}: ${text}`)
  }
}
