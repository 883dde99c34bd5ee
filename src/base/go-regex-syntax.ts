/** The syntax of RE2, as Go's `regexp` takes it, and its counterpart in JavaScript. What has none is refused with its place. */
import { classOf, type Range, rangesOfEscape, rangesSource } from './go-regex-class.ts'

export class GoRegexError extends Error {}

const SOURCE_MAX = 10_000
/** Characters of the expression in JavaScript, where counts are written out. */
const TRANSLATED_MAX = 10_000
const NESTING_MAX = 200
/** Go refuses more. */
const COUNT_MAX = 1000
/** What the engine without backtracking repeats by itself. */
const COUNT_NATIVE_MAX = 16

interface Flags {
  readonly ignoresCase: boolean
  readonly dotIsAll: boolean
}

/** A piece, and whether a repetition of it repeats groups. */
interface Piece {
  readonly text: string
  readonly groups: number
}

export interface TranslatedRegex {
  readonly translated: string
  readonly groups: number
  /** There is at most one choice to be made anew for each place of the text, or two where there is one place alone. */
  readonly isSimple: boolean
}

export function translateGoRegex(source: string): TranslatedRegex {
  if (source.length > SOURCE_MAX)
    throw new GoRegexError(
      `a regular expression is too long: ${source.length} characters where ${SOURCE_MAX} are allowed`,
    )
  const reader = new SyntaxReader(source)
  const { text, groups } = reader.alternatives({ ignoresCase: false, dotIsAll: false }, 0)
  reader.end()
  return {
    translated: text,
    groups,
    isSimple: reader.choices <= (source.startsWith('^') ? 2 : 1) && reader.isFlat,
  }
}

class SyntaxReader {
  readonly #source: string
  #at = 0
  /** Repetitions that may be longer or shorter, and alternatives. */
  choices = 0
  /** No repetition is of what repeats, or has alternatives. */
  isFlat = true

  constructor(source: string) {
    this.#source = source
  }

  #fail(what: string): never {
    throw new GoRegexError(
      `the regular expression '${this.#source.slice(0, 80)}' is wrong at character ${this.#at + 1}: ${what}`,
    )
  }

  end(): void {
    if (this.#at < this.#source.length) this.#fail('unexpected )')
  }

  /** Up to a closing bracket or the end. Flags that stand alone, `(?i)`, hold for all that follows. */
  alternatives(outer: Flags, depth: number): Piece {
    if (depth > NESTING_MAX) this.#fail('expression nests too deeply')
    let flags = outer
    let groups = 0
    let text = ''
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#source[this.#at] === '|') {
        text += '|'
        this.choices += 1
        this.#at += 1
        continue
      }
      const alone = /^\(\?([a-zA-Z-]+)\)/.exec(this.#source.slice(this.#at, this.#at + 16))
      if (alone) {
        flags = this.#flagsOf(alone[1]!, flags)
        this.#at += alone[0].length
        continue
      }
      const piece = this.#repeated(flags, depth)
      groups += piece.groups
      text += piece.text
      if (text.length > TRANSLATED_MAX) this.#fail('expression is too large')
    }
    return { text, groups }
  }

  #repeated(flags: Flags, depth: number): Piece {
    const start = this.#at
    const choicesBefore = this.choices
    const piece = this.#quoted() ?? this.#atom(flags, depth)
    const rest = this.#source.slice(this.#at, this.#at + 16)
    const [operator, least, comma, most] = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})/.exec(rest) ?? []
    if (operator === undefined) return piece
    if (this.choices > choicesBefore) this.isFlat = false
    if (comma !== '' || least === undefined) this.choices += 1
    if (piece.text === '' || /^[\^$]$|^\\[bB]$/.test(piece.text)) {
      // Go repeats what matches nothing; once is as good.
      this.#at += operator.length
      if (this.#source[this.#at] === '?') this.#at += 1
      return { text: `(?:${piece.text})${operator === '+' ? '' : '?'}`, groups: piece.groups }
    }
    this.#at += operator.length
    const isLazy = this.#source[this.#at] === '?'
    if (isLazy) this.#at += 1
    if (/^[*+?]|^\{\d+,?\d*\}/.test(this.#source.slice(this.#at, this.#at + 16))) {
      this.#at = start
      this.#fail('invalid nested repetition operator')
    }
    const lazy = isLazy ? '?' : ''
    if (least === undefined) return { text: `${piece.text}${operator}${lazy}`, groups: piece.groups }
    const from = Number(least)
    const to = comma === '' ? from : most === '' ? undefined : Number(most)
    if (from > COUNT_MAX || (to ?? 0) > COUNT_MAX || (to !== undefined && to < from))
      this.#fail(`invalid repeat count ${operator}`)
    return { text: this.#counted(piece, from, to, lazy), groups: piece.groups }
  }

  /** Counts that the engine does not take are written out: `a{2,4}` is `aa(?:a(?:a)?)?`. */
  #counted({ text, groups }: Piece, from: number, to: number | undefined, lazy: string): string {
    if (Math.max(from, to ?? 0) <= COUNT_NATIVE_MAX)
      return `${text}{${from}${to === from ? '' : `,${to ?? ''}`}}${lazy}`
    if (groups > 0)
      this.#fail(`a group that captures is repeated more than ${COUNT_NATIVE_MAX} times: write (?: for (`)
    const optional = to === undefined ? 0 : to - from
    if (text.length * Math.max(from, to ?? 0) > TRANSLATED_MAX) this.#fail('expression is too large')
    const rest =
      to === undefined ? `${text}*${lazy}` : `(?:${text}`.repeat(optional) + `)?${lazy}`.repeat(optional)
    return `(?:${text.repeat(from)}${rest})`
  }

  /** `\Q…\E`: as it is. A repetition behind it would be one of its last character, which nobody writes. */
  #quoted(): Piece | undefined {
    if (!this.#source.startsWith('\\Q', this.#at)) return undefined
    const end = this.#source.indexOf('\\E', this.#at + 2)
    const text = this.#source.slice(this.#at + 2, end < 0 ? undefined : end)
    this.#at = end < 0 ? this.#source.length : end + 2
    return { text: `(?:${[...text].map((character) => literal(character, false)).join('')})`, groups: 0 }
  }

  #atom(flags: Flags, depth: number): Piece {
    const character = this.#source[this.#at]!
    const one = (text: string): Piece => {
      this.#at += 1
      return { text, groups: 0 }
    }
    switch (character) {
      case '(':
        return this.#group(flags, depth)
      case '[':
        return this.#class(flags)
      case '.':
        return one(flags.dotIsAll ? '[^]' : '[^\\n]')
      case '^':
      case '$':
        return one(character)
      case '*':
      case '+':
      case '?':
        return this.#fail('missing argument to repetition operator')
      case '\\':
        return this.#escape(flags)
      default:
        return one(literal(character, flags.ignoresCase))
    }
  }

  #group(flags: Flags, depth: number): Piece {
    const rest = this.#source.slice(this.#at, this.#at + 64)
    const named = /^\(\?P?<(\w+)>/.exec(rest)
    const plain = /^\(\?([a-zA-Z-]*):/.exec(rest)
    let inner = flags
    let open = '('
    if (named) open = `(?<${named[1]}>`
    else if (plain) {
      open = '(?:'
      inner = this.#flagsOf(plain[1]!, flags)
    } else if (rest.startsWith('(?')) this.#fail(`invalid or unsupported Perl syntax: ${rest.slice(0, 4)}`)
    this.#at += (named ?? plain ?? '(')[0]!.length
    const { text, groups } = this.alternatives(inner, depth + 1)
    if (this.#source[this.#at] !== ')') this.#fail('missing closing )')
    this.#at += 1
    return { text: `${open}${text})`, groups: groups + (plain ? 0 : 1) }
  }

  #flagsOf(text: string, flags: Flags): Flags {
    let { ignoresCase, dotIsAll } = flags
    let value = true
    for (const flag of text) {
      if (flag === '-') value = false
      else if (flag === 'i') ignoresCase = value
      else if (flag === 's') dotIsAll = value
      else this.#fail(`the flag ${flag} is not supported: only i and s are`)
    }
    return { ignoresCase, dotIsAll }
  }

  #class(flags: Flags): Piece {
    const read = classOf(this.#source, this.#at)
    if (typeof read === 'string') return this.#fail(read)
    this.#at = read.end
    return { text: rangesSource(read.ranges, read.isNegated, flags.ignoresCase), groups: 0 }
  }

  #escape(flags: Flags): Piece {
    const next = this.#source[this.#at + 1]
    const anchor = { A: '^', z: '$', b: '\\b', B: '\\B' }[next ?? '']
    if (anchor !== undefined) {
      this.#at += 2
      return { text: anchor, groups: 0 }
    }
    const read = rangesOfEscape(this.#source, this.#at)
    if (typeof read === 'string') return this.#fail(read)
    this.#at = read.end
    return { text: rangesSource(read.ranges as Range[], false, flags.ignoresCase), groups: 0 }
  }
}

function literal(character: string, ignoresCase: boolean): string {
  if (ignoresCase && /[a-zA-Z]/.test(character))
    return `[${character.toLowerCase()}${character.toUpperCase()}]`
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character
}
