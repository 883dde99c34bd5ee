/** The syntax of Go's regular expressions, part by part. */

/** A text that is no regular expression, or one that needs what is not there. */
export class GoRegexError extends Error {}

const REPEATED_MAX = 1000
/** Characters of an expression whose repetitions are written out. */
const WRITTEN_OUT_MAX = 50_000

const CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
}

/** Go's `\s` has no vertical tab and nothing beyond ASCII. */
const SPACE = '\\t\\n\\f\\r '

/** `m` makes no difference: what is looked at has one line. */
interface Flags {
  readonly ignoresCase: boolean
  readonly dotIsAll: boolean
}

/** Reads an expression of Go and writes it as one of JavaScript. */
export class GoRegexSyntax {
  /** Of its groups, by their number. */
  readonly names: string[] = ['']
  readonly #source: string
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  translate(): string {
    const text = this.#alternatives({ ignoresCase: false, dotIsAll: false })
    if (this.#at < this.#source.length) throw this.#error('a closing bracket ")" has no opening one')
    return text
  }

  /** To the closing bracket or the end. Flags that are set within hold to there. */
  #alternatives(given: Flags): string {
    let flags = given
    const parts: string[] = []
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      const character = this.#source[this.#at]!
      if (character === '{') parts.push(this.#repetition(parts))
      else if (character !== '(') parts.push(this.#atom(flags))
      else {
        const group = this.#group(flags)
        if (typeof group === 'string') parts.push(group)
        else flags = group
      }
    }
    return parts.join('')
  }

  /** A group as text; flags where it only set them for what follows. */
  #group(flags: Flags): string | Flags {
    const rest = this.#source.slice(this.#at)
    const name = /^\(\?P?<(\w+)>/.exec(rest)
    const set = /^\(\?([imsU]*)(?:-([imsU]+))?([:)])/.exec(rest)
    if (name) {
      if (this.names.includes(name[1]!)) throw this.#error(`two groups have the name ${name[1]!}`)
      this.names.push(name[1]!)
      this.#at += name[0].length
      return `(${this.#closed(flags)}`
    }
    if (set) {
      if (/U/.test(set[1]! + (set[2] ?? ''))) throw this.#error('the flag U is not supported')
      this.#at += set[0].length
      const changed = withFlags(flags, set[1]!, set[2] ?? '')
      return set[3] === ')' ? changed : `(?:${this.#closed(changed)}`
    }
    if (rest.startsWith('(?'))
      throw this.#error(
        `"${rest.slice(0, 4)}" is not in Go's syntax: it has no looking ahead or behind, and no references back`,
      )
    this.names.push('')
    this.#at += 1
    return `(${this.#closed(flags)}`
  }

  #closed(flags: Flags): string {
    const text = this.#alternatives(flags)
    if (this.#source[this.#at] !== ')') throw this.#error('an opening bracket "(" is not closed')
    this.#at += 1
    return `${text})`
  }

  #atom(flags: Flags): string {
    const character = this.#source[this.#at++]!
    switch (character) {
      case '.':
        return flags.dotIsAll ? '[^]' : '[^\\n]'
      case '[':
        return this.#class(flags)
      case '\\':
        return this.#escape(flags)
      case '}':
      case ']':
      case '/':
        return `\\${character}`
      case '^':
      case '$':
      case '|':
      case '*':
      case '+':
      case '?':
        return character
      default:
        return cased(character, flags)
    }
  }

  /**
   * `{2,3}`, or a brace that is only one. Written out, as the linear engine takes no high numbers; but not where a group is repeated, whose number would
   * be another one then.
   */
  #repetition(parts: string[]): string {
    const found = /^\{(\d+)(?:(,)(\d*))?\}\??/.exec(this.#source.slice(this.#at))
    this.#at += found?.[0].length ?? 1
    if (!found) return '\\{'
    const [whole, leastText, comma, mostText = ''] = found
    const least = Number(leastText)
    const most = comma === undefined ? least : mostText === '' ? Infinity : Number(mostText)
    if (least > REPEATED_MAX || (most > REPEATED_MAX && most !== Infinity))
      throw this.#error(`${whole} repeats too often: expected at most ${REPEATED_MAX} times`)
    if (most < least) throw this.#error(`${whole} has its numbers the wrong way round`)
    const atom = parts.pop() ?? ''
    if (atom === '' || /^[|*+?^$]$/.test(atom)) throw this.#error(`${whole} has nothing to repeat`)
    if (/(?<!\\)\((?!\?)/.test(atom)) return atom + whole
    const lazy = whole.endsWith('?') ? '?' : ''
    const optional = most === Infinity ? `(?:${atom})*${lazy}` : `(?:${atom})?${lazy}`.repeat(most - least)
    const text = `(?:${atom.repeat(least)}${optional})`
    if (text.length > WRITTEN_OUT_MAX) throw this.#error(`${whole} makes it too large`)
    return text
  }

  #escape(flags: Flags): string {
    const character = this.#source[this.#at++]
    switch (character) {
      case undefined:
        throw this.#error('it ends with a lone backslash')
      case 'A':
        return '^'
      case 'z':
        return '$'
      case 'Q': {
        const end = this.#source.indexOf('\\E', this.#at)
        const literal = this.#source.slice(this.#at, end < 0 ? undefined : end)
        this.#at = end < 0 ? this.#source.length : end + 2
        return Array.from(literal, (one) => cased(one, flags)).join('')
      }
      case 'E':
        return ''
      case 'b':
      case 'B':
        return `\\${character}`
      default:
        return this.#escapedClass(character) ?? cased(this.#escapedCharacter(character), flags)
    }
  }

  /** `\d` and its like, as a class. */
  #escapedClass(character: string): string | undefined {
    const inside = this.#insideOf(character)
    if (inside !== undefined) return `[${inside}]`
    const outside = this.#insideOf(character.toLowerCase())
    return outside !== undefined && 'DSW'.includes(character) ? `[^${outside}]` : undefined
  }

  #insideOf(character: string): string | undefined {
    if (character === 'd') return '0-9'
    if (character === 'w') return '0-9A-Za-z_'
    if (character === 's') return SPACE
    if (character === 'p' || character === 'P')
      throw this.#error(
        `\\${character} is not supported: names are ASCII, expected a class such as [[:alpha:]]`,
      )
    return undefined
  }

  #escapedCharacter(character: string): string {
    const control = 'afnrtv'.indexOf(character)
    if (control >= 0) return '\x07\f\n\r\t\v'[control]!
    if (character === 'x') {
      const found = /^(?:\{([0-9A-Fa-f]{1,4})\}|([0-9A-Fa-f]{2}))/.exec(this.#source.slice(this.#at))
      if (!found) throw this.#error('\\x is followed by no number')
      this.#at += found[0].length
      return String.fromCharCode(Number.parseInt((found[1] ?? found[2])!, 16))
    }
    if (/[0-7]/.test(character)) {
      const found = /^[0-7]{1,3}/.exec(this.#source.slice(this.#at - 1))![0]
      if (character !== '0' && found.length < 2)
        throw this.#error(`\\${character} refers back to a group, which Go's syntax does not have`)
      this.#at += found.length - 1
      return String.fromCharCode(Number.parseInt(found, 8))
    }
    if (/[\dA-Za-z]/.test(character)) throw this.#error(`\\${character} means nothing`)
    return character
  }

  /** `[…]`, behind its opening bracket. */
  #class(flags: Flags): string {
    let text = '['
    if (this.#source[this.#at] === '^') {
      text += '^'
      this.#at += 1
    }
    for (let isFirst = true; ; isFirst = false) {
      const character = this.#source[this.#at]
      if (character === undefined) throw this.#error('a class "[" is not closed')
      if (character === ']' && !isFirst) break
      const named = /^\[:(\^?)(\w+):\]/.exec(this.#source.slice(this.#at))
      if (named) {
        const inside = Object.hasOwn(CLASSES, named[2]!) ? CLASSES[named[2]!] : undefined
        if (inside === undefined || named[1] === '^')
          throw this.#error(
            `${named[0]} is no class that is known: expected one of ${Object.keys(CLASSES).join(', ')}`,
          )
        text += inside
        this.#at += named[0].length
      } else text += this.#range(flags)
    }
    this.#at += 1
    return `${text}]`
  }

  /** One character of a class, or a range of them. */
  #range(flags: Flags): string {
    const low = this.#member()
    if (low.length > 1) return low
    const isRange = this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']'
    if (!isRange) return bothCases(low, low, flags)
    this.#at += 1
    const high = this.#member()
    if (high.length > 1 || high < low) throw this.#error(`${low}-${high} is no range`)
    return bothCases(low, high, flags)
  }

  /** A character; longer for `\d` and its like. */
  #member(): string {
    const character = this.#source[this.#at++]
    if (character === undefined) throw this.#error('a class "[" is not closed')
    if (character !== '\\') return character
    const escaped = this.#source[this.#at++]
    if (escaped === undefined) throw this.#error('it ends with a lone backslash')
    const inside = this.#insideOf(escaped)
    if (inside !== undefined) return inside
    return 'DSW'.includes(escaped) ? `\\${escaped}` : this.#escapedCharacter(escaped)
  }

  #error(text: string): GoRegexError {
    return new GoRegexError(`"${this.#source}" is no regular expression: ${text}`)
  }
}

const withFlags = (flags: Flags, on: string, off: string): Flags => ({
  ignoresCase: (flags.ignoresCase || on.includes('i')) && !off.includes('i'),
  dotIsAll: (flags.dotIsAll || on.includes('s')) && !off.includes('s'),
})

/** A character for itself, outside of a class. */
function cased(character: string, { ignoresCase }: Flags): string {
  if (!/[A-Za-z]/.test(character)) return /\w/.test(character) ? character : byNumber(character)
  return ignoresCase ? `[${character.toLowerCase()}${character.toUpperCase()}]` : character
}

function bothCases(low: string, high: string, { ignoresCase }: Flags): string {
  const shown = low === high ? inClass(low) : `${inClass(low)}-${inClass(high)}`
  if (!ignoresCase) return shown
  const other: string[] = []
  for (let code = low.charCodeAt(0); code <= high.charCodeAt(0) && code < 0x80; code++) {
    const one = String.fromCharCode(code)
    if (/[A-Za-z]/.test(one)) other.push(one.toLowerCase(), one.toUpperCase())
  }
  return shown + other.join('')
}

const inClass = (character: string): string =>
  /[\]\\^\-[]/.test(character) || character < ' ' || character > '~' ? byNumber(character) : character

const byNumber = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
